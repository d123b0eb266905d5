# SPDX-License-Identifier: Apache-2.0
"""The simulation of random task sets sees it when a rule of the scheduler is
another one: each of these changes has to make it fail."""
import concurrent.futures
import fcntl
import os
import shutil
import subprocess

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
OUT = os.path.join(TOP, "build/mutant/sched")
FILES = ("sched.c", "rr.c", "deadline.c", "sched_priv.h")
TIMEOUT = 200
# What is wrong, where, what stands there, and what instead.
MUTANTS = [
    ("a wake always begins anew", "deadline.c",
     "if (unlikely(s->free || is_later(s->release + s->period, now)))",
     "if (false)"),
    ("a wake never begins anew before its deadline", "deadline.c",
     "return s->left > 0 && (unsigned", "return s->left < 0 && (unsigned"),
    ("what begins anew is compared inexactly", "deadline.c",
     "(unsigned __int128)until * s->budget",
     "(unsigned __int128)until * s->budget + s->period * 8"),
    ("parts that were to return are kept", "deadline.c",
     "s->nr_refills = 0;", ";"),
    ("the earliest period first", "sched_priv.h",
     "release + v->sched.server.deadline;",
     "release + v->sched.server.period;"),
    ("budget returns at the deadline", "deadline.c",
     "u64 when = s->release + s->period, debt",
     "u64 when = s->release + s->deadline, debt"),
    ("bandwidth servers beside constrained ones", "deadline.c",
     "!c->nr_constrained && exceeds(s, until)", "exceeds(s, until)"),
    ("nobody is constrained", "sched.c",
     "c->nr_constrained += s->server.deadline < s->server.period;", ";"),
    ("what is left keeps its old release", "deadline.c",
     "\t\t\t;\n\t\ts->release = later(s->release, now);\n",
     "\t\t\t;\n"),
    ("what was used is not noted at a wake", "deadline.c",
     "\t\tgive_back(s);\n\t\twhile (take(s, now))",
     "\t\twhile (take(s, now))"),
    ("two parts that become one come with the first", "deadline.c",
     "at[1].amount += at->amount;",
     "at[1].amount += at->amount;\n\tat[1].when = at->when;"),
    ("parts come before their time", "deadline.c",
     "if (!s->nr_refills || is_later(s->refills[0].when, now))",
     "if (!s->nr_refills)"),
    ("each part is a whole budget", "deadline.c",
     "s->left += (s64)s->refills[0].amount;", "s->left += (s64)s->budget;"),
    ("a server only preempts round-robin ones", "sched.c",
     "\treturn !cur->sched.server.active ||\n"
     "\t       is_later(server_deadline(cur), server_deadline(v));",
     "\treturn !cur->sched.server.active;"),
    ("a budget ends a tick late", "sched.c",
     "end = now + (u64)v->sched.server.left;",
     "end = now + (u64)v->sched.server.left + 1;"),
    ("a lone server's budget never ends", "sched.c",
     "if (contended || until != TIME_NEVER || !v->sched.server.extra)",
     "if (contended)"),
    ("WFI of a lone server is not trapped", "sched.c",
     "contended || sched_is_server(&v->sched) ||", "contended ||"),
    ("who wakes beside a lone one is not told", "sched.c",
     "server_preempts(v, cur) ||\n\t\t\t       !c->slice_until;",
     "server_preempts(v, cur);"),
    ("shares are not as the weights", "rr.c",
     "v->sched.vtime += ran / v->sched.weight;",
     "v->sched.vtime += ran / (v->sched.weight + 10);"),
]


def is_seen(number, mutant):
    folder = os.path.join(OUT, str(number))
    os.makedirs(folder, exist_ok=True)
    try:
        for name in FILES:
            with open(os.path.join(TOP, "sched", name),
                      encoding="utf-8") as f:
                text = f.read()
            if mutant and name == mutant[1]:
                assert text.count(mutant[2]) == 1, mutant[0]
                text = text.replace(mutant[2], mutant[3])
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(text)
        with open(os.path.join(OUT, "flags"), encoding="utf-8") as f:
            flags = f.read().splitlines()
        program = os.path.join(folder, "test")
        subprocess.run(["gcc", *flags, "-o", program,
                        *(os.path.join(folder, f) for f in FILES[:3]),
                        os.path.join(OUT, "rest.o"), "-lcmocka"],
                       check=True, cwd=TOP)
        try:
            return subprocess.run([program], cwd=TOP, timeout=TIMEOUT,
                                  check=False, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL).returncode != 0
        except subprocess.TimeoutExpired:
            return True
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module", autouse=True)
def rest():
    with open(os.path.join(TOP, "build/.test-lock"), "w",
              encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", TOP, "sched-mutant"], check=True)


def test_each_rule_is_seen():
    assert not is_seen("none", None)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = list(pool.map(is_seen, range(len(MUTANTS)), MUTANTS))
    alive = [m[0] for m, is_dead in zip(MUTANTS, seen) if not is_dead]
    assert not alive, "\n".join(["survivors:"] + alive)
