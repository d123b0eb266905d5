# SPDX-License-Identifier: Apache-2.0
"""The unit tests see it when kernel/fit.c no longer makes one of its checks:
each clause of each condition is a mutant in which it is false, and so are some
other lines; all of them have to fail a test."""
import concurrent.futures
import fcntl
import os
import re
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
OUT = os.path.join(TOP, "build/mutant/fit")
TESTS = ("fit_forge_test", "fit_test")
TIMEOUT = 60
# Lines that are no conditions, and what stands there instead.
LINES = [
    ("return err == -EINVAL ? -EACCES : err;", "return err;"),
    ("align_up(fdt_totalsize(r->fit), 4)", "fdt_totalsize(r->fit)"),
    ("include = want[++depth];", "include = want[++depth] == 2;"),
    ("include = want[depth--];", "include = want[depth--] == 2;"),
    ("sha256_update(&s, r->fit + fdt_off_dt_strings(r->fit), size);", ""),
    ('!strcmp(name, "data") ||', ""),
    ('!strcmp(name, "data-size") ||', ""),
    ('!strcmp(name, "data-offset") ||', ""),
    ('|| !strcmp(name, "data-position")', ""),
    ("seen |= BIT(i);", ""),
    ("memset(out, 0, sizeof(*out));\n\treturn", "return"),
    ("fdt_off_dt_struct(h) % 4 ||", ""),
    ("fdt_off_mem_rsvmap(h) % 8 ||", ""),
    ("|| fdt_check_header(h)", ""),
]
# What nothing can notice: the condition is in another one as well.
SAME = {
    "!s",			# of string_of(): the length is 0 then
    "!p.data",			# of find_cell(): likewise
    "r->size < sizeof(*h)",	# a small file ends before its totalsize
}


def closing(text, at):
    """Of the parenthesis at `at`; no strings here have any."""
    depth = 0
    while True:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at
        at += 1


def clauses(text, start, end):
    """Bounds of what `||` connects."""
    depth, at = 0, start
    for i in range(start, end):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if not depth and text.startswith("||", i):
            yield at, i
            at = i + 2
    yield at, end


def mutants(text):
    """(what is changed, the changed text). Clauses are still evaluated."""
    for m in re.finditer(r"\bif \(", text):
        opening = m.end() - 1
        for start, end in clauses(text, m.end(), closing(text, opening)):
            clause = text[start:end]
            name = " ".join(clause.split())
            if name not in SAME:
                line = text.count("\n", 0, start) + 1
                yield (f"{line}: {name}", f"{text[:start]} ((void)({clause}), "
                       f"0) {text[end:]}")
    for old, new in LINES:
        assert text.count(old) >= 1, old
        yield old, text.replace(old, new, 1)


def is_seen(flags, number, text):
    path = os.path.join(OUT, str(number))
    with open(path + ".c", "w", encoding="utf-8") as f:
        f.write(text)
    try:
        subprocess.run(["gcc", *flags, "-c", "-o", path + ".o", path + ".c"],
                       check=True, cwd=TOP)
        for test in TESTS:
            objects = [os.path.join(OUT, o) for o in (test + ".o", "verify.o",
                                                    "rest.o")]
            subprocess.run(
                ["gcc", "-o", path, *objects, path + ".o", "-lcmocka",
                 "-Wl,--wrap=mbedtls_memory_buffer_alloc_init"][
                     :None if test == "fit_test" else -1],
                check=True, cwd=TOP)
            try:
                if subprocess.run([path], cwd=TOP, timeout=TIMEOUT, check=False,
                                  stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode:
                    return True
            except subprocess.TimeoutExpired:
                return True
        return False
    finally:
        for ending in (".c", ".o", ""):
            if os.path.exists(path + ending):
                os.remove(path + ending)


def test_each_check_is_seen():
    with open(os.path.join(TOP, "build/.test-lock"), "w",
              encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", TOP, "fit-mutant"], check=True)
    with open(os.path.join(OUT, "flags"), encoding="utf-8") as f:
        flags = f.read().splitlines()
    with open(os.path.join(TOP, "kernel/fit.c"), encoding="utf-8") as f:
        text = f.read()
    assert not is_seen(flags, "none", text)
    todo = list(mutants(text))
    assert len(todo) > 100
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda n: is_seen(flags, n, todo[n][1]),
                        range(len(todo)))
    alive = [name for (name, _), seen in zip(todo, done) if not seen]
    assert not alive, "\n".join(["survivors:"] + alive)
