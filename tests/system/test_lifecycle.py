# SPDX-License-Identifier: Apache-2.0
"""Guests end, start again, and are ordered to, beside others that go on."""
import re

import pytest

from harness import (Boot, build, Guest, bare, expect, expect_not, expect_status,
                     expect_tap, report, systest)

SWITCH = "\x01\x01\x01"
PROMPT = "skerry> "


def restart(policy):
    return f'skerry,restart = "{policy}";'


def test_reset():
    """SYSTEM_RESET starts it again from its image, and it learns why."""
    result = Boot("life-reset", [
        systest("life lives=reset:reset:off", extra=restart("on-crash"))]).run()
    expect(result, r"^\(sk\) d1 systest: started, 1 vCPU", 3)
    expect(result, r"^\(sk\) d1 systest: reset$", 2)
    expect(result, r"^\(sk\) d1 systest: off$", 1)
    expect_status(result, 0)


@pytest.fixture(scope="module")
def stressed():
    return build("stress", "STRESS=y")


def churn(name, seed, cpus=2, ends=0, **more):
    return systest(f"churn seed={seed} ends={ends}", name, cpus=cpus, mib=4,
                   extra=restart("on-crash"), **more)


def loop(periods, period_us=1000, late_us=100):
    """A bystander on all this, which must not miss anything."""
    return Guest("rt", bare("rt"), bootargs=f"period_us={period_us} "
                 f"periods={periods} max_late_us={late_us}",
                 extra="skerry,weight = <16384>;")


def expect_balance(result, lives, swept=0):
    found = result.matching(r"^\(sk\) stress: \d+ lives, \d+ failed "
                            r"allocations swept, memory balances")
    assert len(found) == 1, report(result, "no balance")
    numbers = [int(n) for n in re.findall(r"\d+", found[0])]
    assert numbers[0] >= lives and numbers[1] >= swept, found[0]
    expect_not(result, r"^\(sk\) panic")


@pytest.mark.parametrize("seed", (1, 2, 3, 4))
@pytest.mark.parametrize("cpus", (1, 2, 4))
def test_stress(stressed, seed, cpus):
    """Orders at random times from every CPU; a control loop beside."""
    result = Boot(f"life-stress-{cpus}-{seed}",
                  [churn("a", seed), churn("b", seed + 1, ends=50),
                   churn("c", seed + 2, cpus=1), loop(4000)],
                  cpus=cpus, hyp=stressed, timeout=300,
                  bootargs=f"stress={seed} lives=250 loglevel=error").run()
    expect_balance(result, 250)
    if cpus == 1:
        expect_tap(result, 4)


def test_failing_allocations(stressed):
    """Each allocation of a start and of a restart fails once: one line, all
    is undone to the byte, and the next order works. A loop beside misses
    nothing."""
    result = Boot("life-faults",
                  [churn("a", 1), churn("b", 2), churn("c", 3, cpus=1),
                   loop(2500)],
                  cpus=1, hyp=stressed, timeout=300,
                  bootargs="faults=1 loglevel=warning").run()
    expect_balance(result, 6, 30)
    for d in "123":
        for what in ("start", "restart"):
            expect(result, rf"^\(sk\) stress: d{d}: every one of [1-9]\d* "
                   rf"allocations of a {what} has failed$", 1)
    expect_tap(result, 4)
