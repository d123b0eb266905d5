# SPDX-License-Identifier: Apache-2.0
"""Guests end, start again, and are ordered to, beside others that go on."""
import re

import pytest

from harness import (Boot, Guest, bare, expect, expect_not, expect_status,
                     report, systest)

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
