# SPDX-License-Identifier: Apache-2.0
"""Deadline vCPUs share a CPU only where all deadlines can be kept: at boot, and
when the shell changes them."""
import os

from harness import (ALL_STARTED, TOP, WORK, Boot, Guest, bare, expect,
                     expect_clean, expect_not, expect_status, expect_tap,
                     hello, of_round)
from skerry_pack import pack

SWITCH = "\x01\x01\x01"
PROMPT = r"skerry> "


def share(budget, period, cpu, deadline=None):
    """Lines of a guest's node; vCPU 0 on that CPU."""
    within = f"skerry,deadline-us = <{deadline}>; " if deadline else ""
    return (f"skerry,budget-us = <{budget}>; skerry,period-us = <{period}>; "
            f"{within}v0 {{ compatible = \"xen,vcpu\"; id = <0>; "
            f"hard-affinity = \"{cpu}\"; }};")


def pin(cpu):
    return (f"v0 {{ compatible = \"xen,vcpu\"; id = <0>; "
            f"hard-affinity = \"{cpu}\"; }};")


def lines(name, extra):
    return Guest(name, bare("bench"), bootargs="lines=1000000 every_us=20000",
                 extra=extra)


def host_says(name):
    """Of the last boot, what tools/mkboot has against its description."""
    out = os.path.join(WORK, of_round(name))
    packed = pack.Pack(os.path.join(out, "guests.dts"), TOP)
    with open(os.path.join(out, "board.dtb"), "rb") as f:
        board = pack.Board(f.read())
    packed.read(board.nr_cpus)
    packed.fits_board(board)
    return [e.removeprefix(f"{packed.dts}: ").replace("/chosen/", "refused: ")
            for e in packed.errors]


def test_refused():
    """The sum, and the demand; the others run, and so does a guest after
    them. The host says the same."""
    result = Boot("admission-refused", [
        hello("loop", extra=share(300, 1000, 1)),
        hello("motor", extra=share(850, 1000, 1)),
        hello("early", extra=share(300, 2000, 1, 400)),
        hello("sensor", extra=share(200, 4000, 1, 450)),
        hello("other")], cpus=2, force=True).run()
    expect_status(result, 2)
    text = "\n".join(line for line in result.lines if "(sk)" in line)
    assert ("(sk) refused: motor: skerry,budget-us: CPU 1 would need "
            "115.0000 % of its time:\n"
            "(sk)   d1.0 loop 300 of every 1000 us: 30.0000 %\n"
            "(sk)   d2.0 motor 850 of every 1000 us: 85.0000 %\n") in text
    assert ("(sk) refused: sensor: skerry,deadline-us: CPU 1 needs 500 us by "
            "450 us after a start of all:\n"
            "(sk)   d1.0 loop 300 of every 1000 us within 1000: 0 us\n"
            "(sk)   d3.0 early 300 of every 2000 us within 400: 300 us\n"
            "(sk)   d4.0 sensor 200 of every 4000 us within 450: 200 us\n"
            ) in text
    expect(result, r"^\(sk\) refused: ", 2)
    said = [line.removeprefix("(sk) ") for line in result.lines
            if line.startswith(("(sk) refused: ", "(sk)   d"))]
    assert said == host_says("admission-refused")
    for guest in 1, 3, 5:
        expect_tap(result, guest)
    expect_not(result, r"panic|\(d[24]\)")


def test_whole():
    """A third three times is 1, and by no part of a millionth more; all of
    the worker's CPU is worth a warning."""
    result = Boot("admission-whole", [
        *[lines(f"third{n}", share(1000, 3000, 1)) for n in range(3)],
        hello("more", extra=share(10, 10000000, 1)),
        hello("all", extra=share(5000, 5000, 0))],
        cpus=2, timeout=60, force=True, typed=(
            (r"d5 all: off", SWITCH * 3),
            (PROMPT, "sched\r"),
            (r"CPU 1: [\s\S]*" + PROMPT,
             "destroy 1\rdestroy 2\rdestroy 3\r"))).run()
    expect_status(result, 2)
    expect(result, r"^\(sk\) refused: ", 1)
    expect(result, r"^\(sk\) refused: more: skerry,budget-us: CPU 1 would need "
           r"100\.0001 % of its time:$", 1)
    expect(result, r"^\(sk\)   d3\.0 third2 1000 of every 3000 us: 33\.3334 %$",
           1)
    expect(result, r"^\(sk\) CPU 0: deadline vCPUs leave 0\.0000 % for "
           "EL2's worker, ", 1)
    expect(result, r"^\(sk\) d2\.0 third1 CPU 1 deadline 1000/3000 us$", 1)
    expect(result, r"^\(sk\) d4\.0 more refused: deadline 10/10000000 us$", 1)
    expect(result, r"^\(sk\) CPU 1: 100\.0000 % reserved$", 1)
    expect_tap(result, 5)
    expect_not(result, "panic")


def test_change():
    result = Boot("admission-change", [
        lines("ticker", share(300, 1000, 1)),
        lines("second", share(500, 1000, 1, 900)),
        hello("third")], cpus=2, timeout=60, typed=(
            (r"d3 third: off", SWITCH * 2),
            (PROMPT, "sched 1 period=2000 budget=1000\r"),
            # The log comes after the prompt.
            (r"d1\.0 ticker: deadline 1000/2000 us", "sched 2 budget=501\r"),
            (r"d2\.0 second 501", "sched\rsched 2.1 weight=1\r"
             "sched 2 budget=950\rsched 2 foo=1\r"),
            (r"foo=1`[\s\S]*" + PROMPT, "sched 1 budget=0 weight=300\r"),
            (r"d1\.0 ticker: weight 300", "sched 2 budget=800\r"),
            (r"d2\.0 second: deadline 800", "sched\r"),
            (r"CPU 1: 80[\s\S]*" + PROMPT, "destroy 1\rdestroy 2\r"))).run()
    # A change that was refused is no guest that was.
    expect_status(result, 0)
    expect_not(result, "panic|unexpected")
    expect(result, r"^\(sk\) sched: not changed: second: "
           r"skerry,(budget|deadline)-us: CPU 1 ",
           1)
    expect(result, r"^\(sk\)   d2\.0 second 501 of every 1000 us", 1)
    expect(result, r"^\(sk\) CPU 1: 100\.0000 % reserved$", 1)
    expect(result, r"^\(sk\) CPU 1: 80\.0000 % reserved$", 1)
    expect(result, r"^\(sk\) CPU 0: 0\.0000 % reserved$", 2)
    expect(result, r"^\(sk\) d2\.0 second CPU 1 deadline 500/1000 us \(deadline 900\)$",
           1)
    expect(result, r"^\(sk\) d2\.0 second CPU 1 deadline 800/1000 us \(deadline 900\)$",
           1)
    expect(result, r"^\(sk\) d1\.0 ticker CPU 1 weight 300, slice 5000 us$", 1)
    expect(result, r"^\(sk\)      ran [1-9]\d* us, waited \d+ us, woken ")
    expect(result, r"^\(sk\) sched: no guest or vCPU `2\.1`", 1)
    expect(result, r"^\(sk\) sched: d2\.0: skerry,budget-us: 950: must be at "
           r"most the deadline of 900 us$", 1)
    expect(result, r"^\(sk\) sched: `foo=1`: not weight", 1)
    expect_tap(result, 3)


def test_all_start():
    """One that leaves EL2's worker no time, and was described first, keeps no
    other one from its start."""
    pin = 'v0 { compatible = "xen,vcpu"; id = <0>; hard-affinity = "1"; };'
    result = Boot("admission-held", [
        Guest("all", bare("bench"), bootargs="spin_ms=500",
              extra=share(1000, 1000, 0)),
        hello("late", extra=pin)], cpus=2, timeout=60).run()
    expect_status(result, 0)
    expect_tap(result, 2)
    order = [line for line in result.lines if ": off" in line]
    assert ["late" in line for line in order] == [True, False], order


def test_quiet():
    """Answers and the end are shown at any level, and nothing else is."""
    result = Boot("admission-quiet", [
        lines("ticker", share(300, 1000, 1))], cpus=2, timeout=60,
        bootargs="loglevel=error", typed=(
            (r"BENCH_LINE", SWITCH),
            (r"BENCH_LINE", "sched 1 weight=5\r"),
            (r"weight 5", "sched 1 budget=1000\r"),
            (r"deadline 1000/1000", "pause 1\rresume 1\r"),
            (r"running +1 vCPUs", "sched 1 budget=500 period=400\r"),
            (r"at most the deadline", "destroy 1\r"))).run()
    expect_clean(result)
    expect(result, r"^\(sk\) d1\.0 ticker: deadline 300/1000 us$", 1)
    expect(result, r"^\(sk\)   weight 5, slice 5000 us: of no effect without "
           r"extra=1$", 1)
    expect(result, r"^\(sk\) d1\.0 ticker: deadline 1000/1000 us$", 1)
    expect(result, r"^\(sk\) all guests are off$", 1)
    expect_not(result, r"started|d1 ticker: (destroyed|ran)")


def test_no_time_for_the_worker():
    """A guest that spins with all of CPU 0: an order says what it waits for,
    `pause` is what lets it go on, and who is starved with it is named."""
    spin = Guest("spin", bare("bench"), bootargs="spin_ms=1000000",
                 extra=share(1000, 1000, 0))
    result = Boot("admission-worker", [
        lines("ticker", pin(0)), spin], cpus=2, timeout=100, icount=False,
        typed=(
            (ALL_STARTED, SWITCH * 2),
            (PROMPT, "sched 1 weight=300\r"),
            (r"reserved to 100 %[\s\S]*" + PROMPT, "pause 2\r"),
            (r"d2 +spin +paused", "destroy 1\rdestroy 2\r"))).run()
    expect_clean(result)
    expect(result, r"^\(sk\) d1\.0 ticker: weight 300", 1)
    expect(result, r"^\(sk\) CPU 0: deadline vCPUs leave 0\.0000 % for EL2's "
           r"worker, ", 1)
    # Again for more weight, which is of no use there.
    expect(result, r"^\(sk\) CPU 0: d1\.0 ticker gets only what ", 2)
    expect(result, r"^\(sk\) d2 +spin +paused", 1)
