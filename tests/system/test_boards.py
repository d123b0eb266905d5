# SPDX-License-Identifier: Apache-2.0
"""Boards with a GICv2: `virt` with one, and a Raspberry Pi 4 whose CPUs wait in
a spin table and whose firmware has no PSCI, so that any SMC would hang it."""
import pytest

from harness import (Boot, build, expect, expect_clean, expect_selfcheck,
                     expect_status, expect_tap, hello, linux, systest)
from test_boot import tools_run, write_dts

# Not rtc: the board has no clock.
ALL = "psci,smccc,gic,smp,timer,idregs,sysregs,memory,fp"

pytestmark = pytest.mark.one_gic


def test_pi4():
    """All of systest on four CPUs, and an end without a way to turn off."""
    result = Boot("pi4", [systest(ALL, cpus=4), hello("other")],
                  board="raspi4b").run()
    expect(result, r"^\(sk\) 4 CPUs, GICv2 with 4 list registers", 1)
    expect_tap(result, 1)
    expect_tap(result, 2)
    expect(result, r"^\(sk\) no PSCI to end with: CPU \d is parked", 1)
    expect_clean(result)


def test_pi4_stays():
    """The last guest is off, and nobody asks for anything: no SMC either."""
    result = Boot("pi4-stay", [hello()], board="raspi4b",
                  chosen="skerry,when-all-off = \"stay\";").run()
    expect_tap(result, 1)
    expect_clean(result)


@pytest.mark.parametrize("cpu", ("cortex-a72", "cortex-a76", "max"))
def test_linux(cpu):
    """`max` has the system registers of GICv3 where the board has them."""
    result = Boot(f"gicv2-linux-{cpu}", [linux(cpus=4), hello()], gic=2,
                  cpu=cpu, timeout=150).run()
    expect_selfcheck(result, 1)
    expect_tap(result, 2)
    expect_clean(result)


def test_run():
    """`make run GIC=2`, through U-Boot."""
    dts = write_dts("gicv2-run", """/dts-v1/;
/ { chosen { h { compatible = "xen,domain"; #address-cells = <2>;
	#size-cells = <2>; memory = <0 0x8000>; cpus = <2>; vpl011;
	kernel { compatible = "multiboot,kernel";
		skerry,file = "build/guests/hello/hello.bin"; bootargs = ""; };
}; }; };
""")
    result = tools_run("gicv2-run", CONFIG=dts, GIC="2")
    expect(result, r"^\(sk\) 2 CPUs, GICv2 ", 1)
    expect_tap(result, 1)
    expect_clean(result)


def test_debug():
    """The ghost map accepts GICV in a guest's stage 2."""
    result = Boot("gicv2-debug", [hello(cpus=2), systest("gic,smp", cpus=2)],
                  gic=2, hyp=build("debug", "DEBUG=y")).run()
    expect_tap(result, 1)
    expect_tap(result, 2)
    expect_clean(result)


SHARED = [("virt", "/intc@8000000", "0 8000000 0 10000 0 8010000 0 10000 "
           "0 8041000 0 10000 0 8040000 0 10000"),
          ("raspi4b", "/soc/interrupt-controller@40041000", "40041000 1000 "
           "40042000 2000 40047000 2000 40046000 2000")]


@pytest.mark.parametrize("board, node, reg", SHARED)
def test_shared_gicv(board, node, reg):
    """A frame of which guests would get more than GICV; said before the
    console is set up."""
    result = Boot(f"gicv2-shared-{board}", [hello()], gic=2, board=board,
                  tree=(node, "reg", *reg.split())).run()
    expect(result, r"^\(sk\) boot: \S+: reg: GICV shares a page with GICD, "
           "GICC or GICH$", 1)
    assert not result.matching("Skerry")
    expect_status(result, 1)
