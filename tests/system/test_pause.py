# SPDX-License-Identifier: Apache-2.0
"""The time of guests that are paused: the virtual one stands still, on all of
their CPUs alike, the physical one and the clock go on."""
import re

import pytest

from harness import (Boot, Guest, bare, expect, expect_clean, expect_not,
                     expect_selfcheck, expect_tap, linux, report)

SWITCH = "\x01\x01\x01"
PROMPT = r"skerry> "
MANY = 20
# Guests run as soon as they are built, one after the other.
READY = r"PAUSE 1[\s\S]*\) memory: |\) memory: [\s\S]*PAUSE 1"


def paused_guest(group, pauses, **more):
    return Guest("paused", bare("systest"),
                 bootargs=f"tests={group} pauses={pauses}", **more)


def clock(us):
    """A neighbour whose lines tell the time, until it is destroyed."""
    return Guest("clock", bare("systest"),
                 bootargs=f"tests=clock every_us={us}")


def lines(count):
    """So many lines after the guest's state, all but three of them the clock's;
    counted by their ends, as what has none yet may be seen repeatedly."""
    return r"paused +\d+ vCPUs(?:[^\n]*\n){%d}" % (count + 3)


def to_shell(guests):
    """Input goes from the first guest to the shell."""
    return SWITCH * guests


@pytest.mark.parametrize("busy", (False, True), ids=("alone", "busy"))
@pytest.mark.parametrize("cpus", (1, 2))
def test_time(cpus, busy):
    """A second of the clock is ten lines; on a CPU that is busy the guest's
    WFI gives the CPU up, and EL2's timer stands in for the guest's own."""
    guests = [paused_guest("pause", 3, extra="skerry,weight = <4096>;"),
              clock(100000)]
    if busy:
        guests += [Guest(f"busy{i}", bare("bench"), bootargs="spin_ms=1000000")
                   for i in range(cpus)]
    typed = [(READY, to_shell(len(guests)))]
    for i in range(1, 4):
        typed += [(PROMPT if i == 1 else rf"PAUSE {i}", "pause 1\r"),
                  (lines(15 + 10 * i), "resume 1\r")]
    typed += [(r"d1 paused: off", "".join(
        f"destroy {n + 2}\r" for n in range(len(guests) - 1)))]
    result = Boot(f"pause-time-{cpus}-{busy}", guests, cpus=cpus,
                  icount_shift=4, timeout=120, typed=tuple(typed)).run()
    expect_clean(result)
    expect_tap(result, 1)
    lengths = [int(re.search(r"paused for (\d+) us", l)[1])
               for l in result.matching(r"paused for")]
    assert len(lengths) == 3 and all(
        l >= (14 + 10 * i) * 100000 for i, l in enumerate(lengths, 1)), \
        report(result, f"{lengths}")


@pytest.mark.parametrize("icount", (True, False), ids=("icount", "mttcg"))
def test_monotony(icount):
    """Pauses one by one, and, before and between them, pairs that are taken
    in one go, so that the guest has not left its CPUs when it is resumed."""
    burst = "pause 1\rresume 1\r" * 3
    typed = [(READY, to_shell(2)), (PROMPT, burst + "memory\r")]
    for _ in range(MANY):
        typed += [(r"free[\s\S]*" + PROMPT, "pause 1\r"),
                  (lines(3), "resume 1\r"),
                  (r"running", burst + "memory\r")]
    # To the guest, which ends, and from the clock to the shell.
    typed += [(r"free[\s\S]*" + PROMPT, SWITCH + "\r"),
              (r"d1 paused: off", SWITCH), (PROMPT, "destroy 2\r")]
    result = Boot(f"pause-monotony-{icount}",
                  [paused_guest("pausesmp", MANY, cpus=2), clock(10000)],
                  cpus=3, icount=icount, icount_shift=4, timeout=100,
                  typed=tuple(typed)).run()
    expect_clean(result)
    expect_tap(result, 1)


@pytest.mark.parametrize("version", ("6.1", "6.12"))
def test_linux(version):
    """Paused for a minute and more, it has seen nothing of that but by its
    clock: no lockups, no stalls, and its uptime is of the time it ran."""
    result = Boot(f"pause-linux-{version}",
                  [linux(version=version, args="selfcheck.pause=1"),
                   clock(5000000)], cpus=3, icount_shift=4, timeout=180, typed=(
        (r"CLOCKS up .*\n", to_shell(2)),
        (PROMPT, "pause 1\r"),
        (lines(14), "resume 1\r"),
        (r"running[\s\S]*" + PROMPT, SWITCH + "\r"),
        (r"d1 linux: off", SWITCH),
        (PROMPT, "destroy 2\r"))).run()
    expect_clean(result)
    expect_selfcheck(result, 1)
    expect(result, r"^\(d1\) CLOCKS up \d+ rtc \d+ complaints 0$", 2)
    expect_not(result, r"^\(d1\) .*(lockup|stall)")
    seen = [[int(n) for n in re.findall(r" (\d+)", l)]
            for l in result.matching(r"CLOCKS")]
    up, rtc, _ = (after - before for before, after in zip(*seen))
    # What the clock says and Linux has not lived through is the pause.
    assert up < 60 <= 64 <= rtc - up, report(result, f"{up} s, clock {rtc} s")
