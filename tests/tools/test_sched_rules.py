# SPDX-License-Identifier: Apache-2.0
"""Unit tests see it when a rule of the scheduler is another one: each of these
changes has to make one of them fail, or the simulation of random task sets."""
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
BASE = [os.path.join(OUT, "none", name + ".o") for name in FILES[:3]]
SIMULATION = "sched_sim_test"
# All that have a say, the quick ones first.
TESTS = ("deadline_life_test", "deadline_toll_test", "deadline_jitter_test",
         "deadline_test", "deadline_books_test", "sched_life_test",
         "deadline_random_test",
         "sched_test", "sched_random_test", SIMULATION)
# What is wrong, where, what stands there, and what instead. The simulation
# alone has to see it:
SIMULATED = [
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
     "c->nr_constrained += s->server.deadline < s->server.period;",
     "c->nr_constrained = 0;"),
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


# Any of them has to:
SEEN = [
    ("one that is placed is not constrained", "sched.c",
     "c->nr_constrained += s->server.deadline < s->server.period;", ";"),
    ("between two lives nobody is constrained", "sched.c",
     "c->nr_constrained = c->nr_reserved;", "c->nr_constrained = 0;"),
    ("no wake costs anything", "deadline.c",
     "\ts->left -= (s64)server_toll;\n\ts->spent += server_toll;\n", ""),
    ("each wake costs", "deadline.c",
     "if (!is_later(s->free, now + jitter)) {", "if (false) {"),
    ("a wake that is a little early costs", "deadline.c",
     "if (!is_later(s->free, now + jitter)) {",
     "if (!is_later(s->free, now)) {"),
    ("free wakes may be saved up", "deadline.c",
     "s->free = later(s->free, now) + s->period;", "s->free += s->period;"),
    ("each early wake brings the next free one forward", "deadline.c",
     "s->free = later(s->free, now) + s->period;",
     "s->free = now + s->period;"),
    ("what returns after an early wake costs", "deadline.c",
     "if (returns && !is_later(now + s->period, s->free + jitter))",
     "if (false)"),
    ("nothing that returns costs", "deadline.c",
     "if (returns && !is_later(now + s->period, s->free + jitter))",
     "if (returns)"),
    ("what returns does not pay", "deadline.c",
     "\tpay(&v->sched.server, true, now);\n", ""),
    ("the free wake moves with each release", "deadline.c",
     "if (!s->free)\n\t\ts->free = s->release",
     "s->free = s->release"),
    ("the free wake moves with what returns", "deadline.c",
     "\tkeep_free(&v->sched.server);\n", "\tv->sched.server.free = 0;\n"),
    ("when the next wake is free is forgotten", "deadline.c",
     "if (s->free - (s->release + s->period) <= server_toll)\n\t\ts->free",
     "s->free"),
    ("what EL2 was late makes the next wake early", "deadline.c",
     "(s->release + s->period) <= server_toll)",
     "(s->release + s->period) <= 0)"),
    ("the next wake is free too soon", "deadline.c",
     "(s->release + s->period) <= server_toll)",
     "(s->release + s->period) <= s->period)"),
    ("what one paid before is given later", "sched.c",
     "\t\tv->sched.server.paid = false;\n", ""),
    ("what one paid while it ran is given later", "sched.c",
     "\t\tprev->sched.server.paid = false;\n", ""),
    ("what came of a budget alone is used at the end", "deadline.c",
     "at = later(at, s->refills[0].when);", "at = now;"),
    ("a budget that came alone has an old release", "deadline.c",
     "s->release += gone;", ";"),
    ("what comes of a budget alone is not used", "deadline.c",
     "used = min(now - at, (u64)s->left);", "used = 0;\n\t\tat = now;"),
    ("the slice of one that makes place for a server goes on", "rr.c",
     "if (v && (prev || !v->sched.left))", "if (v && prev)"),
    ("without a budget it pays twice", "deadline.c",
     "if (s->left > 0)\n\t\tpay(s, false, now);", "pay(s, false, now);"),
    ("more is credited than was used", "deadline.c",
     "min(server_toll, s->spent);", "server_toll;"),
    ("a payment outlives its wake", "deadline.c",
     "\ts->job = 0;\n\ts->paid = false;\n", "\ts->job = 0;\n"),
    ("all who preempt credit", "sched.c",
     "if (unlikely(by->sched.server.paid))", "if (true)"),
    ("nobody is credited", "sched.c",
     "if (unlikely(by->sched.server.paid))", "if (false)"),
    ("the toll is more", "deadline.c", "TOLL_US 5", "TOLL_US 6"),
    ("close parts stay apart", "deadline.c",
     "(last->when - at->when > s->deadline / JITTER &&\n"
     "\t\t\t\t  s->nr_refills < SCHED_REFILLS)",
     "s->nr_refills < SCHED_REFILLS"),
    ("the last two parts become one, not the closest", "deadline.c",
     "\t\t\t\tat = i;\n", "\t\t\t\t;\n"),
    ("the two parts farthest apart become one", "deadline.c",
     "i[1].when - i->when < at[1].when", "i[1].when - i->when > at[1].when"),
    ("a part that was late has the release of the last", "deadline.c",
     "s->release = later(s->release, s->refills[0].when);",
     "s->release = s->refills[0].when;"),
    ("what is left has its release when it wakes", "deadline.c",
     "\t\t\t;\n\t\ts->release = later(s->release, now);\n",
     "\t\t\t;\n\t\ts->release = now;\n"),
    ("an old deadline is kept", "deadline.c",
     "is_later(server_deadline(v), now)))\n\t\ts->release = now;",
     "is_later(server_deadline(v), now)))\n\t\t;"),
    ("what was promised before does not count", "deadline.c",
     "u64 start = later(now, s->release + s->period);", "u64 start = now;"),
    ("other parameters forgive overrun", "deadline.c",
     "s->left = min(s->left, (s64)0);", "s->left = 0;"),
    ("other parameters keep the free wake", "deadline.c",
     "\ts->free = 0;\n\ts->refills", "\ts->refills"),
    ("a new period forgives overrun", "deadline.c",
     "\ts->spent = (u64)-min(s->left, (s64)0);\n\ts->left = (s64)(s->b",
     "\ts->spent = 0;\n\ts->left = (s64)(s->b"),
    ("alone it saves up what returns", "deadline.c",
     "s->refills[i].when += gone;", ";"),
    ("each wait for a budget is counted as long", "deadline.c",
     "+= is_later(when, now + s->deadline / JITTER);", "+= true;"),
    ("a deadline counts from when it was told", "deadline.c",
     "s->job = since + s->deadline;", "s->job = now + s->deadline;"),
    ("who preempts by weight does not pay", "rr.c",
     "\trr_charge(by, server_toll);\n", ""),
    ("nobody is credited by weight", "rr.c",
     "prev->sched.vtime -= server_toll * SCHED_WEIGHT / prev->sched.weight;",
     ";"),
    ("all who follow by weight pay", "sched.c",
     "if (!by_active && by->sched.woken)", "if (!by_active)"),
    ("deadlines pay by weight", "sched.c",
     "if (!by_active && by->sched.woken)", "if (by->sched.woken)"),
    ("no slack", "sched.c",
     "c->slice_until + rr_slack", "c->slice_until"),
    ("the slack is more", "rr.c", "SLACK_US 2", "SLACK_US 3"),
    ("all that return do so under one lock", "sched.c",
     "MAX_RETURNS 8", "MAX_RETURNS 1000"),
    ("the wait before it ran is charged", "sched.c",
     "\tv->sched.since = now;\n}\n\n/* Ready, and not", "}\n\n/* Ready, and not"),
    ("time on the budget is credit by weight", "sched.c",
     "\tif (v->sched.server.active)\n"
     "\t\tv->sched.vtime = later(v->sched.vtime, c->vtime);\n\trr_set",
     "\trr_set"),
    ("a rest of a budget is one of a slice", "sched.c",
     "\t\tc->slice_until = now; /* of what it was */\n", ""),
    ("a server without an end has none", "sched.c",
     "cur->sched.server.active && c->slice_until", "cur->sched.server.active"),
]


def link(folder, mutant):
    """Objects of the scheduler with that change."""
    with open(os.path.join(OUT, "flags"), encoding="utf-8") as f:
        flags = f.read().splitlines()
    changed = []
    for name in FILES:
        with open(os.path.join(TOP, "sched", name), encoding="utf-8") as f:
            text = f.read()
        if mutant and name == mutant[1]:
            assert text.count(mutant[2]) == 1, mutant[0]
            text = text.replace(mutant[2], mutant[3])
            changed.append(name)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
            f.write(text)
    out = []
    for name, base in zip(FILES, BASE):
        if mutant and not {name, FILES[3]} & set(changed):
            out.append(base)
            continue
        out.append(os.path.join(folder, name + ".o"))
        subprocess.run(["gcc", *flags, "-c", "-o", out[-1],
                        os.path.join(folder, name)], check=True, cwd=TOP)
    return out


def fails(folder, objects, test):
    flags = []
    if os.path.exists(os.path.join(OUT, test + ".flags")):
        with open(os.path.join(OUT, test + ".flags"), encoding="utf-8") as f:
            flags = f.read().splitlines()
    program = os.path.join(folder, test)
    subprocess.run(["gcc", *flags, "-o", program, *objects,
                    os.path.join(OUT, test + ".o"), "-lcmocka"],
                   check=True, cwd=TOP)
    done = subprocess.run([program], cwd=TOP, timeout=TIMEOUT, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return done.returncode != 0


def verdict(name, mutant, tests):
    """What is wrong with that, or None. No end in time is no answer."""
    folder = os.path.join(OUT, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    try:
        objects = link(folder, mutant) if mutant else BASE
        for test in tests:
            if fails(folder, objects, test):
                return None if mutant else f"{test} fails without a change"
        return f"survives: {mutant[0]}" if mutant else None
    except subprocess.TimeoutExpired as e:
        return f"no end of {e.cmd[0]}: {mutant and mutant[0]}"
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module", autouse=True)
def tests():
    with open(os.path.join(TOP, "build/.test-lock"), "w",
              encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", TOP, "sched-mutant"], check=True)


def test_each_rule_is_seen():
    folder = os.path.join(OUT, "none")
    os.makedirs(folder, exist_ok=True)
    link(folder, None)
    jobs = [(None, TESTS)]
    jobs += [(m, (SIMULATION,)) for m in SIMULATED] + [(m, TESTS) for m in SEEN]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda n: verdict(str(n), *jobs[n]),
                             range(len(jobs))))
    assert not any(said), "\n".join(filter(None, said))
