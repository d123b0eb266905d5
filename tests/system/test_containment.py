# SPDX-License-Identifier: Apache-2.0
"""A guest that means harm shares physical CPUs with a control loop of 1 kHz.
Whatever the one does, the other starts each period in time, both end, and the
hypervisor has nothing to say but that. See guests/hostile and guests/rt.

Virtual time is instructions executed, so that what is demanded does not
depend on the machine below. An attack goes on for some milliseconds of it;
the periods of the loop lie within, as the order of the console's lines shows.
"""
import re

import pytest

from harness import (Boot, Guest, bare, expect, expect_not, expect_status,
                     report, systest, wakes)

WEIGHT = 4096			# of the control loop; hostile has 256
SETTLE = 15000			# us; an attack begins after its vCPUs' slices
UNKNOWN, ILLEGAL, SVC, BRK = 0x00, 0x0e, 0x15, 0x3c
IABT_LOW, IABT, PC_ALIGN, DABT_LOW, DABT = 0x20, 0x21, 0x22, 0x24, 0x25

# what: milliseconds, fewest operations, classes of exceptions it must bring.
ATTACKS = {
    # Devices, holes, page ends, bad addresses; decoding and its absence. The
    # guest takes an abort for each access that no device can take.
    "access": (100, 20000, [DABT]),
    # No code at the target: the abort, or the PC's alignment, is the guest's.
    # Undefined with a stack pointer that is none; states that EL1 has not.
    "jump": (100, 20000, [UNKNOWN, ILLEGAL, IABT, PC_ALIGN, BRK]),
    # Random words as code at EL0, A64, A32 and T32: nothing gets by EL1.
    "user": (100, 10000, [UNKNOWN, SVC, IABT_LOW, DABT_LOW]),
    # Each register is emulated, the guest's own or undefined; switching
    # between vCPUs keeps those of rt, or it would not go on.
    "sysreg": (100, 50000, [UNKNOWN]),
    # All of the guest's memory cleaned again and again, in steps that leave
    # room for interrupts; TLB operations of EL2 are undefined.
    "cache": (100, 1000, [UNKNOWN]),
    # Unknown functions and immediates, random arguments.
    "call": (100, 20000, [UNKNOWN]),
    # CPU_ON and its like from all vCPUs, while one goes off and on.
    "psci": (100, 10000, []),
    # Random distributor, redistributors and CPU interface, SGI storms: work
    # in EL2 with its locks held, and IPIs to the CPU of rt.
    "gic": (100, 20000, []),
    # The guest's timer interrupt stays active, or pending, on the CPU where
    # rt needs its own; the emulated timer is set all the time.
    "timer": (100, 2000, []),
    # Stage-1 walks that end in holes and devices; aborts of walks.
    "table": (100, 10000, [IABT, DABT]),
    # No exit and all masked: the CPU is taken away. WFE and yield storms.
    "hog": (100, 100000, []),
    # Thousands of lines, control characters among them.
    "flood": (100, 1000, []),
}


def rt(name="rt", weight=WEIGHT, cpu=None, **args):
    words = " ".join(f"{key}={value}" for key, value in args.items())
    # Every wait ends in EL2, so that its record has each period.
    extra = f"skerry,weight = <{weight}>; skerry,wfi = \"trap\";"
    if cpu is not None:
        extra += (" v0 { compatible = \"xen,vcpu\"; id = <0>; "
                  f"hard-affinity = \"{cpu}\"; }};")
    return Guest(name, bare("rt"), bootargs=words, extra=extra)


def spin(name, ms, weight=256, **more):
    return Guest(name, bare("bench"), bootargs=f"spin_ms={ms}",
                 extra=f"skerry,weight = <{weight}>;", **more)


def line_of(result, pattern):
    """The number of the first line that matches."""
    for number, line in enumerate(result.lines):
        if re.search(pattern, line):
            return number
    raise AssertionError(report(result, f"no line matches /{pattern}/"))


def expect_attack(result, what):
    """The attack's own figures: it took place, and to some effect."""
    _, fewest, classes = ATTACKS[what]
    done = line_of(result, rf"^\(d1\) ok 1 - {what}: \d+ operations$")
    count = int(re.search(r": (\d+) operations", result.lines[done])[1])
    assert count >= fewest, report(result, f"{count} operations")
    for number in classes:
        expect(result, rf"^\(d1\) # {what}: class {number:02x}: \d+$", 1)
    expect(result, r"^\(d1\) 1\.\.1$", 1)
    expect_not(result, r"^\(d1\) not ok")


def expect_undisturbed(result, periods):
    """The control loop missed nothing."""
    expect(result, rf"^\(d2\) ok 1 - rt: 0 of {periods} periods missed$", 1)
    expect_not(result, r"^\(d2\) not ok")
    expect(result, r"^\(d2\) 1\.\.2$", 1)


def expect_within(result, what):
    """All its periods were during the attack."""
    order = [line_of(result, p) for p in (
        rf"^\(d1\) # {what}: start$", r"^\(d2\) # rt: start",
        r"^\(d2\) 1\.\.2$", rf"^\(d1\) # {what}: \d+ rounds")]
    assert order == sorted(order), report(result, f"order {order}")


def expect_record(result, periods, late_us):
    """It was woken for each period, and ran before that was missed. An
    interrupt that EL2 was late to take counts from when the timer was due."""
    woken, worst, _ = wakes(result, 2)
    assert woken >= periods, report(result, f"{woken} wakes")
    assert worst < 1000 * late_us, report(result, f"{worst} ns")


def expect_end(result, what, periods):
    expect_not(result, r"^\(sk\) panic")
    expect_attack(result, what)
    expect_undisturbed(result, periods)
    expect_within(result, what)
    for number in (1, 2):
        expect(result, rf"^\(sk\) d{number} \S+: off$", 1)
    expect_status(result, 0)


def hostile(what, ms, seed=1, wait=0):
    return Guest("hostile", bare("hostile"), cpus=2,
                 bootargs=f"what={what} seed={seed} ms={ms} rounds=2 "
                 f"wait_ms={wait}")


@pytest.mark.parametrize("what", ATTACKS)
def test_one_cpu(what):
    """Three vCPUs on one physical CPU: all that the hostile ones do, they do
    between two periods of the loop. Each period begins within 100 us."""
    ms = ATTACKS[what][0]
    periods = ms // 2
    result = Boot(f"contain-{what}-1",
                  [hostile(what, ms), rt(periods=periods, settle_us=SETTLE)],
                  cpus=1, timeout=90).run()
    expect_end(result, what, periods)
    expect_record(result, periods, 100)


@pytest.mark.parametrize("what", ATTACKS)
def test_two_cpus(what):
    """A hostile vCPU on each CPU, that beside the loop and one from which
    IPIs come. With counted instructions QEMU runs its CPUs in turn, each up
    to half of the time to the next timer: rt would have to wait for a turn
    even on a CPU of its own. So another guest, which is no witness, sets a
    timer on the other CPU every 100 us. The attack waits until all are built,
    for the same reason."""
    ms = ATTACKS[what][0]
    periods = ms // 2
    beat = rt("beat", cpu=0, period_us=100, work_us=1, periods=24 * ms,
              max_late_us=1000000)
    result = Boot(f"contain-{what}-2",
                  [hostile(what, ms + 50, wait=40),
                   rt(cpu=1, periods=periods, settle_us=45000 + SETTLE,
                      max_late_us=500), beat],
                  cpus=2, timeout=90).run()
    expect_end(result, what, periods)
    expect_record(result, periods, 500)


@pytest.mark.parametrize("what, cpu", [
    ("sysreg", "max"), ("access", "max"), ("sysreg", "cortex-a76")])
def test_newer_cpu(what, cpu):
    """More registers and more forms of accesses are there to be abused."""
    ms = ATTACKS[what][0]
    periods = ms // 2
    result = Boot(f"contain-{what}-{cpu}",
                  [hostile(what, ms, seed=2),
                   rt(periods=periods, settle_us=SETTLE)],
                  cpus=1, cpu=cpu, timeout=90).run()
    expect_end(result, what, periods)
    expect_record(result, periods, 100)


def test_neighbours_end():
    """Guests that end, and one that crashes, while the loop runs: letting go
    of their vCPUs and memory takes no time that it needs."""
    periods = 160
    guests = [systest("vectors", "lost"), rt(periods=periods, max_late_us=200)]
    guests += [spin(f"spin{i}", 5 * i, mib=64) for i in range(1, 5)]
    result = Boot("contain-end", guests, cpus=1, timeout=90).run()
    expect_not(result, r"^\(sk\) panic")
    expect_undisturbed(result, periods)
    expect_record(result, 20, 200) # as long as it is not alone
    expect(result, r"^\(sk\) d1 lost: crashed: ", 1)
    begin = line_of(result, r"^\(d2\) # rt: start")
    end = line_of(result, r"^\(d2\) 1\.\.2$")
    for number in range(3, 7):
        off = line_of(result, rf"^\(sk\) d{number} spin\d: off$")
        assert begin < off < end, report(result, f"order, d{number}")
    expect_status(result, 2)


def test_can_fail():
    """The same loop, with the least weight beside guests of the greatest:
    it reports what it missed, so that `0 missed` above means something."""
    result = Boot("contain-can-fail",
                  [spin("a", 60, weight=65535),
                   rt(weight=1, periods=50, settle_us=0), spin("b", 60, weight=65535)],
                  cpus=1, timeout=90).run()
    expect_not(result, r"^\(sk\) panic")
    expect(result, r"^\(d2\) not ok 1 - rt: [1-9]\d* of 50 periods missed$", 1)
    expect(result, r"^\(d2\) not ok 2 - rt: latest start \d+ ns", 1)
    # EL2 says the same: ready for more than a period, or not even woken.
    woken, worst, within = wakes(result, 2)
    assert worst > 1000000, report(result, f"{worst} ns")
    late = sum(nr for ns, nr in within.items() if ns >= 2000000)
    assert late + max(0, 50 - woken) >= 10, report(result, f"{within}")
    expect(result, r"^\(d2\) 1\.\.2$", 1)
    expect_status(result, 0)
