# SPDX-License-Identifier: Apache-2.0
"""Guests that mean harm or are broken. The hypervisor and the guest beside
them, whose interrupts must all arrive, may not notice."""
import pytest

from harness import (Boot, Guest, bare, expect, expect_not, expect_status,
                     expect_tap, systest)


def victim(**more):
    """A bystander that needs its interrupts for a while."""
    return Guest("victim", bare("hello"), bootargs="ticks=200", **more)


@pytest.mark.parametrize("what, cpus", [
    ("sweep", 1), ("sweep", 4), ("storm", 1), ("storm", 4)])
def test_survives(what, cpus):
    result = Boot(f"hostile-{what}-{cpus}",
                  [systest(what, "hostile", cpus=cpus), victim()],
                  timeout=120).run()
    expect_not(result, r"\(sk\) panic")
    expect_tap(result, 2)
    expect_status(result, 0)


def test_jump():
    """A jump to nowhere is an abort of the guest's own."""
    result = Boot("hostile-jump", [systest("jump", "lost"), victim()]).run()
    expect_not(result, r"\(sk\) panic")
    expect(result, r"^\(d1\) guest fault: cpu 0 esr 86000010 far 30000000")
    expect_tap(result, 2)
    expect_status(result, 0)


def test_crash():
    """Without vectors in memory nothing is left to run: the guest is crashed
    with its registers shown, the other one ends well, the status is 2."""
    result = Boot("hostile-vectors",
                  [systest("vectors", "lost"), victim()]).run()
    expect_not(result, r"\(sk\) panic")
    expect(result, r"^\(sk\) d1 lost: crashed: .+", 1)
    expect(result, r"^\(sk\) d1 vcpu0: pc 0x0*30000[0-9a-f]+ ")
    expect(result, r"^\(sk\) d1 vcpu0: stage 1: 0x30000[0-9a-f]+ is IPA "
           r"0x30000[0-9a-f]+$", 1)
    expect(result, r"^\(sk\) d1 vcpu0: stage 2: nothing at 0x30000", 1)
    expect(result, r"^\(sk\) d1 vcpu0: exit \d+: esr 0x8[0-9a-f]+ pc 0x30000")
    expect_tap(result, 2)
    expect(result, r"^\(sk\) d2 victim: off$", 1)
    expect(result, r"^\(sk\) all guests are off$", 1)
    expect_status(result, 2)


def test_reset_is_off():
    """SYSTEM_RESET of one guest never ends the board."""
    result = Boot("hostile-reset", [systest("reset", "again"), victim()]).run()
    expect(result, r"^\(sk\) d1 again: reset$", 1)
    expect_not(result, "came back")
    expect_tap(result, 2)
    expect_status(result, 0)
