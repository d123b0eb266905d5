# SPDX-License-Identifier: Apache-2.0
"""The unit tests of vgic/ see it when two rows of a register table have their
read or their write handlers exchanged: each pair of different handlers of each
table is a mutant, and has to fail a test."""
import concurrent.futures
import fcntl
import itertools
import os
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
OUT = os.path.join(TOP, "build/mutant")
PROGRAMS = ("vgic_test", "vgicv2_test")


def run(program, mutate):
    return subprocess.run([os.path.join(OUT, program)], text=True, check=False,
                          env={**os.environ, "MUTATE": mutate},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def symbols(program):
    lines = subprocess.run(["nm", os.path.join(OUT, program)], text=True,
                           check=True, stdout=subprocess.PIPE).stdout
    fields = [line.split() for line in lines.splitlines()]
    return {int(f[0], 16): f[2] for f in fields if len(f) == 3}


def mutants(program):
    """(what to ask for, how it is called) of each mutant."""
    names = symbols(program)
    tables = {}
    for line in run(program, "list").stdout.splitlines():
        table, number, offset, read, write = line.split()
        handlers = {"read": read, "write": write}
        tables.setdefault(table, []).append((number, offset, handlers))
    for table, rows in tables.items():
        for a, b in itertools.combinations(rows, 2):
            for column in ("read", "write"):
                one, two = (names.get(int(row[2][column].strip("()nil") or "0",
                                          16), "none") for row in (a, b))
                if one != two:
                    yield (f"{table}:{column}:{a[0]}:{b[0]}",
                           f"{table}: {a[1]} {one} and {b[1]} {two}")


def build(program):
    """Anew; the system tests, which build as well, have the same lock."""
    target = f"build/mutant/{program}"
    with open(os.path.join(TOP, "build/.test-lock"), "w",
              encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.exists(os.path.join(TOP, target)):
            os.remove(os.path.join(TOP, target))
        subprocess.run(["make", "-s", "-C", TOP, target], check=True)


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_swap_is_seen(program):
    build(program)
    assert run(program, "none").returncode == 0
    todo = list(mutants(program))
    assert len(todo) > 100
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda m: run(program, m[0]).returncode, todo)
    alive = [name for (_, name), status in zip(todo, done) if status == 0]
    assert not alive, "\n".join(["survivors:"] + alive)
