# SPDX-License-Identifier: Apache-2.0
"""The measuring guest that Xen and Bao are measured with: it runs on Skerry as it
is, and its control loop keeps the aim beside two that never wait."""
import os
import re
import subprocess

import pytest

from harness import (BUILD, Boot, Guest, expect, expect_clean, one_at_a_time,
                     report)

PROBE_DIR = os.environ.get("PROBE_DIR") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))), "shared/bench/probe")
pytestmark = pytest.mark.skipif(
    not os.path.isdir(PROBE_DIR),
    reason=f"no probe sources in PROBE_DIR ({PROBE_DIR})")
SWITCH = "\x01\x01\x01"
CPU = "cortex-a53,cntfrq=1000000000"
PROMPT = r"skerry> "
# Instructions from when the timer is due to the guest's vector.
AIM = 900


def probe(name, args="", **more):
    out = os.path.join(BUILD, "guests/probe")
    with one_at_a_time():
        subprocess.run(["make", "-s", "-C", PROBE_DIR, f"O={out}"],
                       check=True, stdout=subprocess.DEVNULL)
    return Guest(name, os.path.join(out, "probe.bin"), bootargs=args, **more)


@pytest.mark.parametrize("cpus", (1, 2))
def test_probe(cpus):
    result = Boot(f"probe-{cpus}", [probe("probe", cpus=cpus, mib=64)]).run()
    expect_clean(result)
    expect(result, r"^\(d1\) PROBE_DONE$", 1)


def rt(name, run_ms, shift):
    """The third guest is a deadline vCPU on the CPU of two hogs; its line."""
    guests = [probe(f"hog{n}", "probe=hog", mib=16) for n in range(2)]
    guests.append(probe("rt", f"probe=rt period_us=1000 run_ms={run_ms}",
                        mib=16, extra="skerry,period-us = <1000>; "
                        "skerry,budget-us = <300>;"))
    # The hogs never end.
    result = Boot(f"probe-{name}", guests, cpus=1, timeout=300,
                  icount_shift=shift, cpu=CPU, typed=(
                      (r"d3 rt: off", SWITCH * 2),
                      (PROMPT, "destroy 1\rdestroy 2\r"))).run()
    expect_clean(result)
    found = result.matching(r"^\(d3\) PROBE rt_latency ")
    assert len(found) == 1, report(result, f"{found}")
    return result, found[0]


def test_rt_worst():
    """To the instruction, in two seconds; one that comes due while EL2 is at
    the end of a slice waits for what is left of that."""
    result, line = rt("rt", 2000, 0)
    worst, most = int(line.split()[5]), int(re.search(r" p99=(\d+)", line)[1])
    assert most <= AIM and worst <= AIM + 600, report(result, line)
    assert "missed=0 periods=2000 " in line, report(result, line)


def test_rt_long():
    """Ten seconds of virtual time."""
    result, line = rt("rt-long", 10000, 4)
    assert re.search(r" missed=0 periods=10000 ", line), report(result, line)
