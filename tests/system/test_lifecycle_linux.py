# SPDX-License-Identifier: Apache-2.0
"""Stock Linux ends in each of its ways and starts again, beside a control loop
on the same CPU, and one that is hardly ever there."""
import re

import pytest

from harness import (Boot, Guest, bare, expect, expect_not, expect_status,
                     expect_tap, linux, report)

# 16 ns for an instruction: a Linux that panics, or waits to be ended, spins for
# seconds. All other times are as many instructions as elsewhere.
SHIFT = 4
SECONDS = 128
PERIODS = {"rt": 5000 << SHIFT, "calm": 100000 << SHIFT}


def loop(name):
    """Must not miss anything. A restart takes as long as 20 periods of rt;
    shorter ones make QEMU slow, as every switch empties its TLB. Round-robin,
    it may find Linux in a slice of 5 ms that began while it waited alone."""
    return Guest(name, bare("rt"), bootargs=f"period_us={PERIODS[name]} "
                 f"periods={SECONDS * 1000000 // PERIODS[name]} "
                 f"work_us={50 << SHIFT} max_late_us={5000 + (100 << SHIFT)}",
                 extra="skerry,weight = <16384>;")


def line_of(result, pattern):
    found = [n for n, line in enumerate(result.lines)
             if re.search(pattern, line)]
    assert found, report(result, f"no line matches /{pattern}/")
    return found[-1]


def expect_lives(result, reasons):
    """A fresh Linux for each of these reasons, and then it is off."""
    for n, reason in enumerate(reasons, 1):
        expect(result, rf"^\(d1\) SELFCHECK start {n} after {reason}$", 1)
    expect(result, r"^\(d1\) SELFCHECK ok$", len(reasons))
    expect(result, r"^\(d1\) SELFCHECK start ", len(reasons))
    expect(result, r"^\(sk\) d1 linux: started, 1 vCPU,", len(reasons))
    expect(result, r"^\(sk\) d1 linux: off$", 1)
    expect_not(result, r"SELFCHECK failed|^\(sk\) panic|refused")


def expect_cost(result):
    """The first restart, which is not delayed, with all that the loops have
    of the CPU meanwhile. A tick of QEMU's 62.5 MHz is one instruction."""
    head = r"^\(sk\) d1 linux: was away for "
    found = result.matching(head + r"\d+ ticks, ")
    assert len(found) == 2, report(result, f"{found}")
    away, *parts = (int(n) for n in re.findall(r"\d+", found[0])[1:])
    assert all(n > 1000000 for n in parts), found[0]
    assert 0 < away - sum(parts) < 1000000, found[0]


def expect_others(result):
    """They had one life, and the loop's was longer than those of Linux."""
    last = line_of(result, r"^\(d1\) SELFCHECK ok")
    for d, (name, period) in enumerate(PERIODS.items(), 2):
        expect(result, rf"^\(d{d}\) ok 1 - rt: 0 of "
               rf"{SECONDS * 1000000 // period} periods missed$", 1)
        expect_tap(result, d)
        expect(result, rf"^\(sk\) d{d} {name}: started", 1)
        expect(result, rf"^\(sk\) d{d} {name}: off$", 1)
        assert last < line_of(result, rf"^\(sk\) d{d} {name}: off$"), \
            report(result, f"{name} has not seen the last start")


def run(name, version, ends, args, more=""):
    return Boot(name, [
        linux(version=version, cpus=1, args=f"selfcheck.ends={ends} {args}",
              extra='skerry,restart = "on-crash";' + more),
        *map(loop, PERIODS)],
        cpus=1, icount_shift=SHIFT, timeout=400).run()


@pytest.mark.parametrize("version", ("6.1", "6.12"))
def test_reset(version):
    """reboot -f, and a panic that ends in SYSTEM_RESET too."""
    result = run(f"life-linux-{version}", version, "reset:panic", "panic=1")
    expect_lives(result, ["power-on", "reset", "reset"])
    expect(result, r"^\(sk\) d1 linux: reset$", 2)
    expect(result, r"^\(d1\) \[[ .\d]+\] Kernel panic - not syncing: sysrq", 1)
    expect_cost(result)
    expect_others(result)
    expect_status(result, 0)


def test_watchdog():
    """A panic that goes round for ever, and a kernel without interrupts."""
    result = run("life-linux-watchdog", "6.1", "panic:hang",
                 "panic=0 selfcheck.fed=1 iomem=relaxed",
                 "skerry,watchdog-ms = <30000>;")
    expect_lives(result, ["power-on", "watchdog", "watchdog"])
    expect(result, r"^\(sk\) d1 linux: watchdog: not refreshed for 400[01] ms$",
           2)
    expect(result, r"^\(sk\) d1 vcpu\d: pc 0x[0-9a-f]{16} pstate", 2)
    expect(result, r"^\(d1\) \[[ .\d]+\] Kernel panic - not syncing: sysrq", 1)
    expect_cost(result)
    expect_others(result)
    expect_status(result, 2)
