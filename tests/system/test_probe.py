# SPDX-License-Identifier: Apache-2.0
"""The measuring guest that Xen and Bao are measured with: it runs on Skerry as it
is, and its control loop keeps the aim beside two that never wait."""
import os
import re
import subprocess

import pytest

from harness import (ALL_STARTED, BUILD, Boot, Guest, expect, expect_clean,
                     one_at_a_time, report)

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


def test_rt():
    """Ten seconds of a deadline vCPU on the CPU of two hogs: to the instruction,
    whatever the hogs are at when its timer is due."""
    guests = [probe(f"hog{n}", "probe=hog", mib=16) for n in range(2)]
    guests.append(probe("rt", "probe=rt period_us=1000 run_ms=10000", mib=16,
                        extra="skerry,period-us = <1000>; "
                        "skerry,budget-us = <300>;"))
    # The hogs never end.
    result = Boot("probe-rt", guests, cpus=1, timeout=300, icount_shift=0,
                  cpu=CPU, typed=(
                      (r"d3 rt: off", SWITCH * 2),
                      (PROMPT, "destroy 1\rdestroy 2\r"))).run()
    expect_clean(result)
    found = result.matching(r"^\(d3\) PROBE rt_latency ")
    assert len(found) == 1, report(result, f"{found}")
    assert int(found[0].split()[5]) <= AIM, report(result, found[0])
    assert " missed=0 periods=10000 " in found[0], report(result, found[0])


def test_trace_cost():
    """What an exit and an interrupt cost while the trace is on, to the
    instruction: a record is some 43, and there are three at most."""
    pin = 'v0 {{ compatible = "xen,vcpu"; id = <0>; hard-affinity = "{}"; }};'
    guests = [probe("busy", "probe=hog", mib=16, extra=pin.format(1)),
              probe("probe", "probe=micro", mib=16,
                    extra='skerry,start = "later";' + pin.format(0))]
    result = Boot("probe-traced", guests, cpus=2, timeout=100, icount_shift=0,
                  cpu=CPU, typed=(
                      (ALL_STARTED, SWITCH),
                      (PROMPT, "trace on\r"),
                      (PROMPT, "create probe\r"),
                      (r"d2 probe: off", "destroy 1\r"))).run()
    expect_clean(result)
    cost = {m[1]: int(m[2]) for m in
            (re.match(r"\(d2\) PROBE (\w+) .* med=(\d+)", l)
             for l in result.lines) if m}
    for name, most in (("hypercall", 180), ("mmio_gicd", 290),
                       ("timer_irq", 270), ("timer_irq_wfi", 270)):
        assert 0.8 * most < cost[name] <= most, report(result, f"{name} {cost}")
