# SPDX-License-Identifier: Apache-2.0
"""Guests whose watchdog is not fed are ended by it, and no others: not one
that feeds it, not one beside, not one that is paused."""
import re

import pytest

from harness import (Boot, Guest, bare, expect, expect_clean, expect_not,
                     expect_selfcheck, expect_status, expect_tap, linux,
                     report, systest)

SWITCH = "\x01\x01\x01"
PROMPT = "skerry> "
BITES = r"^\(sk\) d1 \S+: watchdog: not refreshed for (\d+) ms$"


def watched(ms):
    return f"skerry,watchdog-ms = <{ms}>;"


def loop(periods, period_us=1000, late_us=100, weight=4096):
    """A neighbour that must not miss anything."""
    return Guest("rt", bare("rt"), bootargs=f"period_us={period_us} "
                 f"periods={periods} max_late_us={late_us}",
                 extra=f"skerry,weight = <{weight}>;")


def expect_bite(result, low, high, vcpus=1):
    """Ended once, in time, with the registers of each vCPU in the log."""
    expect(result, BITES, 1)
    ms = int(re.search(BITES, result.matching(BITES)[0])[1])
    assert low <= ms <= high, report(result, f"{ms} ms")
    expect(result, r"^\(sk\) d1 vcpu\d: pc 0x[0-9a-f]{16} pstate", vcpus)
    expect(result, r"^\(sk\) d1 \S+: (off|crashed|reset)", 0)
    expect_not(result, r"^\(sk\) panic")
    expect(result, r"^\(sk\) all guests are off$", 1)
    expect_status(result, 2)


def expect_loop(result, periods):
    expect(result, rf"^\(d2\) ok 1 - rt: 0 of {periods} periods missed$", 1)
    expect_tap(result, 2)
    expect(result, r"^\(sk\) d2 rt: off$", 1)


@pytest.mark.parametrize("cpus", (1, 2))
def test_driver(cpus):
    result = Boot(f"watchdog-driver-{cpus}",
                  [systest("watchdog", cpus=cpus, extra=watched(10000))]).run()
    expect_clean(result)
    expect_tap(result, 1)


@pytest.mark.parametrize("group, low, high", [
    ("undriven", 100, 101),	# the description's, in one stage
    ("unfed", 79, 80),		# WOR twice, by the guest's rounded ticks
])
def test_bites(group, low, high):
    """A control loop on the same CPU does not notice."""
    result = Boot(f"watchdog-{group}",
                  [systest(group, extra=watched(100)), loop(200)],
                  cpus=1).run()
    expect_bite(result, low, high)
    expect_loop(result, 200)


@pytest.mark.parametrize("group, low, high", [
    ("undriven", 100, 101), ("unfed", 79, 80)])
def test_bites_elsewhere(group, low, high):
    """Two CPUs, which QEMU runs in turn: no demands on time here."""
    result = Boot(f"watchdog-{group}-2",
                  [systest(group, cpus=2, extra=watched(100)),
                   systest("timer", "neighbour", cpus=2)], cpus=2).run()
    expect_bite(result, low, high)
    expect_tap(result, 2)
    expect(result, r"^\(sk\) d2 neighbour: off$", 1)


def test_no_driver():
    """The guest never knows of it."""
    result = Boot("watchdog-spin",
                  [Guest("spin", bare("bench"), bootargs="spin_ms=10000",
                         extra=watched(100)), loop(150)], cpus=1).run()
    expect_bite(result, 100, 101)
    expect_loop(result, 150)


def test_pause():
    """Paused for longer than the timeout, it is there still; what was left of
    the timeout counts when it goes on. In the time of the machine below, as counted
    instructions race ahead while all wait for what is typed."""
    result = Boot("watchdog-pause",
                  [systest("undriven", extra=watched(8000)),
                   loop(100, period_us=100000)], cpus=1, icount=False, typed=(
        (r"d2\) # rt: start", SWITCH + SWITCH),
        (PROMPT, "pause 1\r"),
        (r"d2 rt: off", "list\rresume 1\r"))).run()
    expect(result, r"^\(sk\) d1 +systest +paused ")
    # Real time: it bites later when the machine below has QEMU wait.
    expect_bite(result, 8000, 20000)
    seen = [n for n, line in enumerate(result.lines)
            if re.search(BITES + r"|d2 rt: off|d1 +systest +running", line)]
    assert len(seen) == 3 and "watchdog" in result.lines[seen[2]], \
        report(result, f"{seen}")


def test_flood():
    periods = 100
    result = Boot("watchdog-flood",
                  [systest("flood", cpus=2, extra=watched(60000)),
                   loop(periods)], cpus=1).run()
    expect_not(result, r"^\(sk\) panic")
    expect_tap(result, 1)
    expect_loop(result, periods)
    expect_status(result, 0)


def test_flood_two_cpus():
    """The one that hurries the timer is not on its CPU: IPIs."""
    result = Boot("watchdog-flood-2",
                  [systest("flood", cpus=2, extra=watched(60000)),
                   systest("timer", "neighbour")], cpus=2).run()
    expect_not(result, r"^\(sk\) panic")
    expect_tap(result, 1)
    expect_tap(result, 2)
    expect_status(result, 0)


@pytest.mark.parametrize("version", ("6.1", "6.12"))
def test_linux(version):
    """Debian's driver and busybox' daemon; then that is killed."""
    result = Boot(f"watchdog-linux-{version}",
                  [linux(version=version, args="selfcheck.watchdog=9",
                         extra=watched(30000)),
                   loop(400, period_us=50000, late_us=2000)],
                  cpus=3, timeout=180).run()
    expect_selfcheck(result, 1)
    expect(result, r"^\(d1\) SBSA Generic Watchdog$", 1)
    expect(result, r"^\(d1\) WATCHDOG fed for 9 s, active, timeout 4 s$", 1)
    expect_not(result, r"WATCHDOG did not bite")
    expect_bite(result, 4000, 4001, vcpus=2)
    expect_loop(result, 400)


def test_storm():
    """A vCPU elsewhere changes the time at which it is due as often as it can:
    vCPU 0's CPU is told of that once a millisecond at most."""
    pins = "".join(f'v{i} {{ compatible = "xen,vcpu"; id = <{i}>; '
                   f'hard-affinity = "{i}"; }};' for i in range(2))
    result = Boot("watchdog-storm", [
        Guest("hostile", bare("hostile"), cpus=2, extra=watched(3600000) + pins,
              bootargs="what=watchdog seed=3 ms=300 rounds=1"),
        systest("clock every_us=100000", "clock",
                extra=pins[:pins.index("};") + 2])], cpus=2,
        typed=((r"d1 hostile: off[\s\S]*CLOCK", SWITCH),
               (PROMPT, "irq\r"), ("CPU 1: timer", "destroy 2\r"))).run()
    expect_clean(result)
    expect(result, r"^\(d1\) ok 1 - watchdog: \d+ operations$", 1)
    ops = int(result.matching(r"^\(d1\) ok 1 - watchdog")[0].split()[-2])
    line = result.matching(r"CPU 0: timer")[0]
    ipis = int(re.search(r"IPIs (\d+)", line)[1])
    # Some more are of its own life.
    assert ops > 20000 and ipis < 400, report(result, f"{ops} {line}")
