# SPDX-License-Identifier: Apache-2.0
"""Guests end, start again, and are ordered to, beside others that go on."""
import os
import re

import pytest

from harness import (ALL_STARTED, Boot, build, Guest, bare, expect,
                     expect_not, expect_status, expect_tap, report, systest)

SWITCH = "\x01\x01\x01"
PROMPT = "skerry> "
# And, as what is said of memory is compared: the boot keeps nothing any more.
BOOTED = rf"\A(?=[\s\S]*{ALL_STARTED})[\s\S]*"


def restart(policy):
    return f'skerry,restart = "{policy}";'


def life(name, lives, policy="on-crash", **more):
    """A guest whose n-th life ends by the n-th word."""
    return systest(f"life lives={lives}", name, mib=4, extra=restart(policy),
                   **more)


def starts(result, d, reasons):
    """Its starts, each for its reason, in fresh memory."""
    found = result.matching(rf"^\(d{d}\) # start \d+ after ")
    want = [f"(d{d}) # start {n} after {r}" for n, r in enumerate(reasons, 1)]
    assert [f.rsplit(", ends", 1)[0] for f in found] == want, \
        report(result, f"{found}")
    expect(result, rf"^\(d{d}\) ok \d+ - memory is as before the first",
           len(reasons))
    expect_not(result, rf"^\(d{d}\) not ok")


@pytest.mark.parametrize("policy, lives, reasons, last", [
    ("never", "reset", ["power-on"], "reset"),
    ("never", "crash", ["power-on"], None),
    ("on-crash", "reset:crash:off", ["power-on", "reset", "crashed"], "off"),
    ("on-crash", "off:off", ["power-on"], "off"),
])
def test_policies(policy, lives, reasons, last):
    """What ends a life, and what comes after it; a loop beside that does not
    notice."""
    guest = life("phoenix", lives, policy)
    result = Boot(f"life-{policy}-{lives.replace(':', '-')}",
                  [guest, loop(400)], cpus=1).run()
    starts(result, 1, reasons)
    expect(result, r"^\(sk\) d1 phoenix: started, 1 vCPU", len(reasons))
    expect(result, r"^\(sk\) d1 phoenix: starts again", len(reasons) - 1)
    if last:
        expect(result, rf"^\(sk\) d1 phoenix: {last}$",
               1 + reasons.count(last))
    expect(result, r"^\(sk\) all guests are off$", 1)
    expect_tap(result, 2)
    expect_status(result, 2 if "crash" in lives else 0)


def test_watchdog_restarts():
    guest = life("phoenix", "hang:off")
    guest.extra += "skerry,watchdog-ms = <50>;"
    result = Boot("life-watchdog", [guest, loop(200)], cpus=1).run()
    starts(result, 1, ["power-on", "watchdog"])
    expect(result, r"^\(sk\) d1 phoenix: off$", 1)
    expect_tap(result, 2)


# What follows is typed: in the machine's own time, as counted instructions
# race ahead while all wait for input.

def bystander(name="by"):
    return life(name, "sleep", "never")


def test_always():
    """Off is a reason too; an order ends it."""
    result = Boot("life-always", [
        life("phoenix", "off:reset:crash:sleep", "always"), bystander()],
        icount=False, typed=(
            (r"start 4 after[\s\S]*ok 2", SWITCH * 2),
            (PROMPT, "destroy 1\rdestroy 2\r"))).run()
    starts(result, 1, ["power-on", "off", "reset", "crashed"])
    expect(result, r"^\(sk\) d1 phoenix: destroyed$", 1)
    expect(result, r"^\(sk\) all guests are off$", 1)


def test_crash_loop():
    """It is left down with its reason; back-off in between."""
    result = Boot("life-loop", [
        life("doomed", ":".join(["crash"] * 6 + ["sleep"])), bystander()],
        icount=False, typed=(
            (r"left down[\s\S]*input: d2", SWITCH),
            (PROMPT, "list\rrestart 1\r"),
            (r"start 7 after crashed[\s\S]*ok 2", "list\rdestroy 1\rdestroy 2\r"))).run()
    expect(result, r"^\(sk\) d1 doomed: left down: 6 crashes in a row, each "
           "within 60 s of its start$", 1)
    expect(result, r"^\(sk\) d1 +doomed +crashed +1 vCPUs +4 MiB, left down "
           "after 6 crashes in a row$")
    expect(result, r"^\(sk\) d1 doomed: starts again$", 1)
    expect(result, r"^\(sk\) d1 doomed: starts again, after a while$", 4)
    expect(result, r"^\(sk\) d1 +doomed +running .*, start 7 after: crashed$",
           1)
    starts(result, 1, ["power-on"] + ["crashed"] * 6)


def test_shell_orders():
    """restart, destroy, start; memory balances to the KiB."""
    result = Boot("life-orders", [
        life("a", "sleep:sleep:sleep:sleep"),
        life("b", "sleep:off", "never"), bystander()],
        icount=False, typed=(
            (rf"{BOOTED}d3\) # start 1", SWITCH * 3),
            (PROMPT, "memory\rrestart 1\r"),
            (r"start 2 after restarted[\s\S]*ok 2", "destroy 1\rstart 2\rrestart 2\r"),
            (r"d1 a: destroyed", "destroy 1\rlist\rmemory\rstart 1\r"),
            (r"start 3 after destroyed[\s\S]*ok 2", "start 1\rlist\rmemory\r"),
            (r"start 3 after: destroyed[\s\S]*" + PROMPT,
             "destroy 1\rdestroy 2\rdestroy 3\r"))).run()
    starts(result, 1, ["power-on", "restarted", "destroyed"])
    expect(result, r"^\(sk\) d2 is not down$", 1)
    expect(result, r"^\(sk\) d2: its image was not kept", 1)
    expect(result, r"^\(sk\) d1 is down$", 1)
    expect(result, r"^\(sk\) d1 is not down$", 1)
    balance = result.matching(r"^\(sk\) free \d+ KiB")
    assert len(balance) == 3 and balance[0] == balance[2] != balance[1], \
        report(result, f"{balance}")
    numbers = [[int(n) for n in re.findall(r"\d+", b)] for b in balance]
    for free, hyp, _, _, guests, whole in numbers:
        assert free + hyp + guests == whole == numbers[0][5], balance
    # 4 MiB of RAM and the pool.
    assert numbers[1][0] - numbers[0][0] == 4096 + 128, balance
    expect_not(result, "does not balance")


def test_created():
    """Descriptions for later: any number of guests from one, each refused
    with nothing left when it cannot be."""
    later = life("spare", "sleep:off")
    later.extra += 'skerry,start = "later";'
    huge = life("huge", "off")
    huge.extra += 'skerry,start = "later";'
    huge.mib = 4096
    result = Boot("life-created", [bystander(), later, huge], mem=512,
                  icount=False, typed=(
            (rf"{BOOTED}d1\) # start", SWITCH),
            (PROMPT, "list\rmemory\rcreate nobody\r"),
            (r"refused: nobody", "create spare\r"),
            (r"d2\) # start 1[\s\S]*ok 2", "create spare\r"),
            (r"d3\) # start 1[\s\S]*ok 2", "create huge\r"),
            (r"refused: huge", "create\rlist\rdestroy 3\r"),
            (r"d3 spare: destroyed", "destroy 2\r"),
            (r"d2 spare: destroyed",
             "list\rmemory\rdestroy 2\rdestroy 1\r"))).run()
    expect(result, r"^\(sk\) d[23] spare: started", 2)
    expect(result, r"^\(sk\) refused: huge: memory: 4096 MiB, but \d+ are free$", 1)
    expect(result, r"^\(sk\) refused: nobody: no such description", 1)
    expect(result, r"^\(sk\) create: no name of a guest", 1)
    expect(result, r"^\(sk\) destroy: no guest `2`", 1)
    expect(result, r"^\(sk\) d[23] +spare +running ", 2)
    balance = result.matching(r"^\(sk\) free \d+ KiB")
    assert len(balance) == 2 and balance[0] == balance[1], balance
    starts(result, 2, ["power-on"])
    expect(result, r"^\(sk\) all guests are off$", 1)


@pytest.fixture(scope="module")
def stressed():
    return build("stress", "STRESS=y")


def churn(name, seed, cpus=2, ends=0, **more):
    return systest(f"churn seed={seed} ends={ends}", name, cpus=cpus, mib=4,
                   extra=restart("on-crash"), **more)


def loop(periods, period_us=1000, late_us=100):
    """A bystander on all this, which must not miss anything."""
    return Guest("rt", bare("rt"), bootargs=f"period_us={period_us} "
                 f"periods={periods} max_late_us={late_us}",
                 extra="skerry,weight = <16384>;")


def expect_balance(result, lives, swept=0):
    found = result.matching(r"^\(sk\) stress: \d+ lives, \d+ failed "
                            r"allocations swept, memory balances")
    assert len(found) == 1, report(result, "no balance")
    numbers = [int(n) for n in re.findall(r"\d+", found[0])]
    assert numbers[0] >= lives and numbers[1] >= swept, found[0]
    expect_not(result, r"^\(sk\) panic")


def stress(name, hyp, seed, cpus, lives, periods, level="error"):
    return Boot(name, [churn("a", seed), churn("b", seed + 1, ends=50),
                       churn("c", seed + 2, cpus=1),
                       loop(periods, late_us=200)],
                cpus=cpus, hyp=hyp, timeout=400,
                bootargs=f"stress={seed} lives={lives} loglevel={level}"
                ).run()


def test_thousand_lives(stressed):
    """In random order, with failing allocations; a loop on the same CPU."""
    result = stress("life-thousand", stressed, 1, 1, 1000, 16000, "warning")
    expect_balance(result, 1000)
    assert len(result.matching(r"^\(sk\) refused: [abc]: ")) > 20, \
        report(result, "hardly an allocation has failed")
    expect_tap(result, 4)


# make soak has more of them.
@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get(
    "STRESS_SEEDS", "3"))))
@pytest.mark.parametrize("cpus", (2, 4))
def test_stress(stressed, seed, cpus):
    """Orders at random times from every CPU. QEMU runs CPUs in turn, so the
    loop's times say nothing here."""
    result = stress(f"life-stress-{cpus}-{seed}", stressed, seed, cpus, 100,
                    2000)
    expect_balance(result, 100)


def test_stress_checked():
    """Lock ranks, and the second map of who owns which page."""
    result = stress("life-stress-debug",
                    build("stress-debug", "STRESS=y DEBUG=y"), 7, 2, 60, 1500)
    expect_balance(result, 60)


def test_failing_allocations(stressed):
    """Each allocation of a start and of a restart fails once: one line, all
    is undone to the byte, and the next order works. A loop beside misses
    nothing."""
    result = Boot("life-faults",
                  [churn("a", 1), churn("b", 2), churn("c", 3, cpus=1),
                   loop(2500)],
                  cpus=1, hyp=stressed, timeout=300,
                  bootargs="faults=1 loglevel=warning").run()
    expect_balance(result, 6, 30)
    for d in "123":
        for what in ("start", "restart"):
            expect(result, rf"^\(sk\) stress: d{d}: every one of [1-9]\d* "
                   rf"allocations of a {what} has failed$", 1)
    expect_tap(result, 4)
