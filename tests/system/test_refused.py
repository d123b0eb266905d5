# SPDX-License-Identifier: Apache-2.0
"""Descriptions that the hypervisor itself must refuse, packed in spite of
tools/mkboot's errors: one line with node, property and reason, the other
guests run, the status is 2."""
import pytest

from harness import (Boot, bare, description, expect, expect_not,
                     expect_status, expect_tap, hello)

GOOD = hello()


def bad(**changes):
    return hello("bad", **changes)


# name, a change to the text of a good guest, the line's end after "refused: "
TABLE = [
    ("memory-odd", ("memory = <0x0 0x8000>;", "memory = <0x0 0x8001>;"),
     r"bad: memory: 32769 KiB: must be a multiple of 4 KiB and not zero"),
    ("memory-short", ("memory = <0x0 0x8000>;", "memory = <0x8000>;"),
     r"bad: memory: must be two cells \(KiB\)"),
    ("memory-missing", ("memory = <0x0 0x8000>;", ""), r"bad: memory: missing"),
    ("memory-huge", ("memory = <0x0 0x8000>;", "memory = <0x0 0x40000000>;"),
     r"bad: memory: .+"),
    ("memory-tiny", ("memory = <0x0 0x8000>;", "memory = <0x0 0x40>;"),
     r"bad: memory: 64 KiB is too small.*"),
    ("cpus-zero", ("cpus = <1>;", "cpus = <0>;"),
     r"bad: cpus: 0: must be 1 to 8"),
    ("cpus-many", ("cpus = <1>;", "cpus = <9>;"),
     r"bad: cpus: 9: must be 1 to 8"),
    ("cpus-missing", ("cpus = <1>;", ""), r"bad: cpus: missing"),
    ("enhanced", ("vpl011;", "xen,enhanced;"),
     r"bad: xen,enhanced: not supported .*"),
    ("unknown-xen", ("vpl011;", "xen,nonsense = <1>;"),
     r"bad: xen,nonsense: unknown property"),
    ("unknown-skerry", ("vpl011;", "skerry,nonsense;"),
     r"bad: skerry,nonsense: unknown property"),
    ("static-mem", ("vpl011;", "xen,static-mem = <0 0 0 0>;"),
     r"bad: xen,static-mem: not supported"),
    ("direct-map", ("vpl011;", "direct-map;"),
     r"bad: direct-map: not supported"),
    ("budget-missing", ("vpl011;", "skerry,period-us = <100>;"),
     r"bad: skerry,budget-us: missing"),
    ("deadline", ("vpl011;", "v0 { compatible = \"xen,vcpu\"; id = <0>; "
                  "skerry,period-us = <1000>; skerry,deadline-us = <500>; "
                  "skerry,budget-us = <501>; };"),
     r"bad/v0: skerry,budget-us: 501: must be at most the deadline of 500 us"),
    ("role", ("vpl011;", "skerry,role = \"control\";"),
     r"bad: skerry,role: not supported"),
    ("wfi", ("vpl011;", "skerry,wfi = \"sleep\";"),
     r"bad: skerry,wfi: must be \"trap\" or \"native\""),
    ("spis", ("vpl011;", "vpl011; nr_spis = <2000>;"),
     r"bad: nr_spis: 2000: .+"),
    ("affinity", ("vpl011;", "v0 { compatible = \"xen,vcpu\"; id = <0>; "
                  "hard-affinity = \"x\"; };"),
     r"bad/v0: hard-affinity: .+"),
    ("partial-dtb", ("vpl011;", "d { compatible = "
                     "\"multiboot,device-tree\"; };"),
     r"bad/d: reg: missing"),
    ("min-version", ("vpl011;", "skerry,min-version = <1>;"),
     r"bad: image: /configurations/bad: skerry,version: 0 is older than 1, .*"),
    ("no-kernel", ("multiboot,kernel", "nothing,known"), r"bad.*: .+"),
    # mkboot does not pack what is no Image, and EL2 takes only packed modules.
    ("not-an-image", (bare("hello"), __file__),
     r"bad: image: kernel: is not an arm64 Image .*"),
]


@pytest.mark.parametrize("name, change, line", TABLE,
                         ids=[line[0] for line in TABLE])
def test_refused(name, change, line):
    body = bad().dts()
    assert change[0] in body
    # What stands before vpl011 must come first where sub-nodes are added.
    if change[1].endswith("};"):
        body = body.replace(change[0], "vpl011; " + change[1])
    else:
        body = body.replace(*change)
    text = description([GOOD]).replace("\n\t};\n};", body + "\n\t};\n};")
    result = Boot(f"refused-{name}", text=text, force=True, cpus=4,
                  mem=512).run()
    expect_status(result, 2)
    expect(result, rf"^\(sk\) refused: {line}$", 1)
    expect(result, r"^\(sk\) refused: ", 1)
    expect_not(result, "panic")
    expect_tap(result, 1)


def test_affinity_without_cpu():
    pin = "v { compatible = \"xen,vcpu\"; id = <0>; hard-affinity = \"5\"; };"
    result = Boot("refused-pin", [GOOD, bad(extra=pin)], cpus=4,
                  force=True).run()
    expect(result, r"^\(sk\) refused: bad: hard-affinity: no physical CPU for "
           r"vCPU 0 \(4 CPUs, affinity 0x20\)", 1)
    expect_tap(result, 1)
    expect_status(result, 2)


def test_nothing_left():
    result = Boot("refused-all", [bad(extra="direct-map;")], force=True).run()
    expect(result, r"^\(sk\) refused: bad: direct-map: not supported$", 1)
    expect(result, r"^\(sk\) boot: chosen: no guest to start$", 1)
    expect_status(result, 2)


def test_chosen():
    result = Boot("refused-chosen", [GOOD], chosen="skerry,nonsense;",
                  force=True).run()
    expect(result, r"^\(sk\) boot: .*chosen: skerry,nonsense: unknown", 1)
    expect_status(result, 1)
