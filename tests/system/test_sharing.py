# SPDX-License-Identifier: Apache-2.0
"""More vCPUs than physical CPUs."""
import re

import pytest

from harness import (Boot, Guest, bare, expect, expect_clean, expect_selfcheck,
                     expect_tap, hello, linux, systest)


def spin(name, weight, ms, **more):
    # All at once, although they are built one after another; the one that
    # waits alone does not run meanwhile.
    return Guest(name, bare("bench"), bootargs=f"spin_ms={ms} at_ms=1500",
                 extra=f"skerry,weight = <{weight}>; "
                 "skerry,wfi = \"trap\";", **more)


def test_linux_on_half_the_cpus():
    result = Boot("share-linux4", [linux(cpus=4)], cpus=2, timeout=400).run()
    expect_clean(result)
    expect_selfcheck(result, 1)


def test_three_linux():
    guests = [linux(f"linux{i}", mib=200) for i in range(3)]
    result = Boot("share-linux3", guests, cpus=2, mem=1024, timeout=500).run()
    expect_clean(result)
    for i in range(3):
        expect_selfcheck(result, i + 1)


def test_sixteen_on_one():
    guests = [hello(f"h{i}", mib=2) for i in range(16)]
    result = Boot("share-16", guests, cpus=1, mem=512).run()
    expect_clean(result)
    for i in range(16):
        expect_tap(result, i + 1)


def test_pinned_together():
    """Two guests that may only be on CPU 1, with two CPUs idle."""
    pin = "v { compatible = \"xen,vcpu\"; id = <0>; hard-affinity = \"1\"; };"
    result = Boot("share-pin", [hello("a", extra=pin), hello("b", extra=pin)],
                  cpus=3).run()
    expect_clean(result)
    expect_tap(result, 1)
    expect_tap(result, 2)


@pytest.mark.parametrize("weights, ms", [
    ((256, 256), 1000),
    ((100, 200, 400), 10000),
])
def test_shares(weights, ms):
    """
    What each guest counted, and for how long EL2 says that it ran, while all
    were ready all the time, are in proportion to the weights within 1 %. One
    instruction takes 16 ns here, so that 10 s are not too long to wait for.
    """
    guests = [spin(f"s{i}", w, ms) for i, w in enumerate(weights)]
    # What is charged to the last one while all sleep is not of interest.
    guests.append(Guest("last", bare("bench"), bootargs="sleep_ms=1300"))
    result = Boot(f"share-weights-{len(weights)}-{ms}", guests, cpus=1,
                  mem=512, timeout=120, icount_shift=4).run()
    expect_clean(result)
    counts, ran = [], []
    for i in range(len(weights)):
        count = re.search(rf"^\(d{i + 1}\) BENCH_SPIN (\d+)$",
                          "\n".join(result.lines), re.M)
        time = re.search(rf"^\(sk\) d{i + 1} s{i}: ran (\d+) us$",
                         "\n".join(result.lines), re.M)
        counts.append(int(count[1]))
        ran.append(int(time[1]))
    total = sum(counts)
    for count, weight in zip(counts, weights):
        share = weight / sum(weights)
        assert abs(count / total - share) < 0.01 * max(share, 0.1), counts
    # The first to end counts the rest of its guest's life in, which is short.
    for us, weight in zip(ran, weights):
        share = weight / sum(weights)
        assert abs(us / sum(ran) - share) < 0.01, ran


def stolen_of(result):
    """Nanoseconds when the guest began to look, and of what followed."""
    found = re.search(r"^\(d1\) # STOLEN (\d+) first, then (\d+),",
                      "\n".join(result.lines), re.M)
    return int(found[1]), int(found[2])


def on_cpu(vcpu, cpu):
    return (f"v{vcpu} {{ compatible = \"xen,vcpu\"; id = <{vcpu}>; "
            f"hard-affinity = \"{cpu}\"; }};")


def test_stolen_time():
    """Half of the time is the neighbour's while that is busy for 150 ms: so
    EL2 says, and the guest finds that time missing."""
    result = Boot("share-stolen", [
        systest("stolen ms=200"),
        Guest("spin", bare("bench"), bootargs="spin_ms=150")], cpus=1).run()
    expect_clean(result)
    expect_tap(result, 1)
    _, ns = stolen_of(result)
    assert 70e6 < ns < 90e6, ns


def test_nothing_stolen():
    """Alone on its CPU, awake and asleep, with a busy guest on the other."""
    result = Boot("share-alone", [
        systest("stolen ms=50", extra=on_cpu(0, 1)),
        Guest("spin", bare("bench"), bootargs="spin_ms=100",
              extra=on_cpu(0, 0))], cpus=2).run()
    expect_clean(result)
    expect_tap(result, 1)
    first, ns = stolen_of(result)
    # From when it was first woken, by an IPI, until it ran.
    assert first < 20000 and ns == 0, (first, ns)


@pytest.mark.parametrize("version", ("6.1", "6.12"))
def test_linux_steal(version):
    """Linux's own account: the CPU that a busy guest shares for 1.2 s has
    lost half of that, the other one nothing."""
    guest = linux(version=version, args="selfcheck.steal=2",
                  extra=on_cpu(0, 0) + on_cpu(1, 1))
    result = Boot(f"share-steal-{version}", [
        guest, Guest("spin", bare("bench"), bootargs="spin_ms=1200 at_ms=1500",
                     extra=on_cpu(0, 0))], cpus=2, timeout=300).run()
    expect_clean(result)
    expect_selfcheck(result, 1)
    expect(result, r"^\(d1\) STEAL .*: using stolen time PV", 1)
    text = "\n".join(result.lines)
    first, second = (int(n) for n in re.findall(
        r"^\(d1\) STEAL cpu\d (\d+)$", text, re.M))
    assert 50 <= first <= 70 and second == 0, (first, second)
