# SPDX-License-Identifier: Apache-2.0
"""Guests on boards: the table of what must boot and end well. Each line is
one QEMU run; silence, a panic, a missing plan or another exit status fails."""

import pytest

from harness import (Boot, bare, expect, expect_clean, expect_selfcheck,
                     expect_tap, hello, linux, systest)

GROUPS = ("psci", "smccc", "gic", "smp", "timer", "idregs", "sysregs",
          "memory", "fp", "rtc", "pvtime")

# name, guests, more of Boot, what is expected: a letter per guest,
# T for a TAP stream, L for Linux's self-check.
TABLE = [
    ("hello-1", [hello()], {}, "T"),
    ("hello-uboot", [hello()], {"mode": "uboot"}, "T"),
    ("hello-4-vcpus", [hello(cpus=4)], {}, "T"),
    ("hello-8-vcpus", [hello(cpus=8)], {}, "T"),
    ("hello-a72", [hello(cpus=2)], {"cpu": "cortex-a72"}, "T"),
    ("hello-a76", [hello(cpus=2)], {"cpu": "cortex-a76"}, "T"),
    ("hello-max", [hello(cpus=2)], {"cpu": "max"}, "T"),
    ("hello-mttcg", [hello(cpus=2)], {"icount": False}, "T"),
    ("hello-4-guests", [hello(f"h{i}") for i in range(4)], {}, "TTTT"),
    ("hello-pinned", [hello(cpus=2, extra="""
        v0 { compatible = "xen,vcpu"; id = <0>; hard-affinity = "3"; };
        v1 { compatible = "xen,vcpu"; id = <1>; hard-affinity = "0-1"; };
    """), hello("other")], {"cpus": 4}, "TT"),
    ("hello-wfi-trap", [hello(cpus=2, extra="skerry,wfi = \"trap\";")], {},
     "T"),
    ("linux-6.1", [linux()], {}, "L"),
    ("linux-6.12", [linux(version="6.12")], {"timeout": 120}, "L"),
    ("linux-4-vcpus", [linux(cpus=4)], {}, "L"),
    ("linux-twice", [linux("a"), linux("b")], {"cpus": 4, "timeout": 150},
     "LL"),
    ("linux-wfi-trap", [linux(extra="skerry,wfi = \"trap\";")], {}, "L"),
    ("linux-uboot", [linux(), hello()], {"mode": "uboot", "timeout": 150},
     "LT"),
    ("linux-max", [linux()], {"cpu": "max", "timeout": 150}, "L"),
    ("systest-4-wfi-trap", [systest("psci,smp,timer,fp", cpus=4,
                                    extra="skerry,wfi = \"trap\";")], {},
     "T"),
    ("systest-8", [systest("gic,smp", cpus=8)], {}, "T"),
    ("systest-max", [systest("idregs,sysregs,memory", cpus=1)],
     {"cpu": "max"}, "T"),
    ("systest-beside", [systest("smp,timer,gic", "x", cpus=2),
                        systest("smp,timer,gic", "y", cpus=2)], {}, "TT"),
] + [(f"systest-{group}-{cpus}", [systest(group, cpus=cpus)], {}, "T")
     for group in GROUPS for cpus in (1, 4)
     if cpus == 1 or group in ("psci", "gic", "smp", "fp", "pvtime")]


@pytest.mark.parametrize("name, guests, more, expected", TABLE,
                         ids=[line[0] for line in TABLE])
def test_guests(name, guests, more, expected):
    result = Boot(name, guests, **more).run()
    expect_clean(result)
    for number, kind in enumerate(expected, 1):
        if kind == "T":
            expect_tap(result, number)
        else:
            expect_selfcheck(result, number)
        expect(result, rf"^\(sk\) d{number} \S+: off$", 1)
    expect(result, r"^\(sk\) all guests are off$", 1)


def test_big_guest():
    """RAM in both banks of the guest: 5 GiB, of which few pages are touched
    by the host (the hypervisor zeroes all of it)."""
    result = Boot("big", [hello(mib=5 * 1024)], mem=5632, timeout=120).run()
    expect_clean(result)
    expect(result, r"Hello from EL1: 1 CPU, 5120 MiB")
    expect_tap(result, 1)


def test_input():
    result = Boot("input", [systest("input")], typed=(
        (r"TYPE 1", "first\r"), (r"TYPE 2", "second\r"))).run()
    expect_clean(result)
    expect(result, r"^\(d1\) TYPED first$", 1)
    expect(result, r"^\(d1\) TYPED second$", 1)
    expect_tap(result, 1)


def test_linux_input():
    result = Boot("linux-input", [linux(args="selfcheck.echo=1")], typed=(
        (r"SELFCHECK ok", "some words\r"),)).run()
    expect_clean(result)
    expect(result, r"ECHO some words")


def test_interactive_shell():
    """What `make run` on a terminal gives: a shell in Linux, raw console."""
    result = Boot("shell", [linux(args="interactive")], bootargs="rawcon",
                  typed=((r"[~/] # ", "echo $((6 * 7)) > /tmp/x; cat /tmp/x\r"),
                         (r"42[\s\S]*# ", "poweroff -f\r")), timeout=40).run()
    expect_clean(result)


def test_bench_guest(gic):
    """The guest of `make bench` still measures all it should; a GICv2 has no
    redistributor."""
    from harness import Guest
    result = Boot("bench", [Guest("bench", bare("bench"), cpus=2)]).run()
    expect_clean(result)
    expect(result, r"^\(d1\) PROBE \S+ [\d.]+ \d+ \d+ \d+$",
           6 if gic == 3 else 5)
