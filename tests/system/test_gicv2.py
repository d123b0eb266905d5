# SPDX-License-Identifier: Apache-2.0
"""Guests on a machine with a GICv2: they get a distributor of that version
and the hardware's own CPU interface. Each line is one QEMU run."""
import pytest

from harness import (Boot, Guest, bare, expect, expect_clean, expect_not,
                     expect_selfcheck, expect_status, expect_tap, hello, linux,
                     systest)
from test_containment import ATTACKS, SETTLE, expect_end
from test_containment import hostile, rt

# name, guests, more of Boot, what is expected: a letter per guest.
TABLE = [
    ("hello-8-vcpus", [hello(cpus=8)], {}, "T"),
    ("hello-mttcg", [hello(cpus=2)], {"icount": False}, "T"),
    ("hello-max", [hello(cpus=2)], {"cpu": "max"}, "T"),
    ("linux", [linux(cpus=4)], {}, "L"),
    ("linux-6.12-beside", [linux(version="6.12", cpus=1), hello()],
     {"timeout": 150}, "LT"),
    ("systest-1", [systest("gic,smp,timer,psci")], {}, "T"),
    ("systest-4", [systest("gic,smp,timer,psci", cpus=4)], {}, "T"),
    ("systest-8", [systest("gic,smp", cpus=8)], {}, "T"),
    ("systest-4-wfi-trap", [systest("psci,smp,timer", cpus=4,
                                    extra="skerry,wfi = \"trap\";")], {},
     "T"),
    ("systest-beside", [systest("smp,timer,gic", "x", cpus=2),
                        systest("smp,timer,gic", "y", cpus=2)], {}, "TT"),
    ("systest-rest", [systest("smccc,idregs,sysregs,memory,fp,rtc")], {}, "T"),
]


@pytest.mark.parametrize("name, guests, more, expected", TABLE,
                         ids=[line[0] for line in TABLE])
def test_guests(name, guests, more, expected):
    result = Boot(f"v2-{name}", guests, gic=2, **more).run()
    expect_clean(result)
    expect(result, r"^\(sk\) .*GICv2", 1)
    for number, kind in enumerate(expected, 1):
        if kind == "T":
            expect_tap(result, number)
        else:
            expect_selfcheck(result, number)
        expect(result, rf"^\(sk\) d{number} \S+: off$", 1)


@pytest.mark.parametrize("what", ["sweep", "storm"])
def test_survives(what):
    victim = Guest("victim", bare("hello"), bootargs="ticks=200")
    result = Boot(f"v2-{what}", [systest(what, "hostile", cpus=4), victim],
                  gic=2, timeout=120).run()
    expect_not(result, r"\(sk\) panic")
    expect_tap(result, 2)
    expect_status(result, 0)


@pytest.mark.parametrize("what", ["access", "psci", "gic", "timer"])
def test_contained(what):
    """Two hostile vCPUs and the control loop on one CPU: all its periods."""
    ms = ATTACKS[what][0]
    periods = ms // 2
    result = Boot(f"v2-contain-{what}",
                  [hostile(what, ms), rt(periods=periods, settle_us=SETTLE)],
                  cpus=1, gic=2, timeout=90).run()
    expect_end(result, what, periods)
