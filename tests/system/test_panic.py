# SPDX-License-Identifier: Apache-2.0
"""What a panic leaves: the next boot tells of it, the one after does not, and
`lastlog` has the lines of before, through U-Boot and without it."""
import re

import pytest

from harness import Boot, build, expect, expect_not, expect_status, expect_tap, \
    hello, qemu, report

pytestmark = pytest.mark.one_gic
SWITCH = "\x01\x01\x01"
PROMPT = r"skerry> "
STAY = 'skerry,when-all-off = "stay";'
KEPT = 0x41000000


@pytest.fixture(scope="module")
def selftest_build():
    return build("selftest", "SELFTEST=y")


def boots(result):
    """The console's lines, boot by boot."""
    out = []
    for line in result.lines:
        if re.match(r"\(sk\) Skerry ", line):
            out.append([])
        if out:
            out[-1].append(line)
    return out


def having(lines, pattern):
    return [l for l in lines if re.search(pattern, l)]


@pytest.mark.parametrize("mode", ["direct", "uboot"])
def test_panic_then_two_boots(selftest_build, mode):
    """Boot 1 panics and resets the board, boot 2 tells of it and is rebooted
    from the shell, boot 3 does not tell of it."""
    again = list(qemu.UBOOT_KEYS) if mode == "uboot" else []
    result = Boot(f"panic-{mode}", [hello()], hyp=selftest_build, mode=mode,
                  bootargs="selftest=panic-once panic=1", chosen=STAY,
                  reboots=True, timeout=300, typed=again + [
                      (r"boot 2[\s\S]*d1 hello: off", SWITCH),
                      (PROMPT, "lastlog\rreboot\r")] + again + [
                      (r"boot 3[\s\S]*d1 hello: off", SWITCH),
                      (PROMPT, "lastlog\rdestroy 7\r"),
                      (r"no guest `7`", lambda: None)]).run()
    seen = boots(result)
    assert len(seen) == 3, report(result, f"{len(seen)} boots")
    dump = [l for l in seen[0] if re.search(
        r"panic: selftest|CPU 0$|backtrace:|  0x[0-9a-f]{16} ", l)]
    assert len(dump) >= 4, report(result, "no dump")
    assert having(seen[0], r"^\(sk\) reset: cold or unknown$")
    assert having(seen[0], r"^\(sk\) rebooting in 1 s$")
    # The same lines, and nothing else of that boot.
    at = seen[1].index("(sk) last boot panicked:")
    told = [l[len("(sk) | "):] for l in seen[1] if l.startswith("(sk) | ")]
    assert told == [l[len("(sk) "):] for l in dump] + ["rebooting in 1 s"], \
        report(result, "another dump")
    assert seen[1][at - 1] == "(sk) reset: warm, boot 2"
    assert having(seen[1], r"error: panic: selftest$")	# lastlog
    assert having(seen[1], r"info: reset: cold or unknown$")
    assert not having(seen[2], r"^\(sk\) (\| |last boot panicked)")
    assert having(seen[2], r"^\(sk\) reset: warm, boot 3$")
    assert having(seen[2],
                  r"^\(sk\) last boot: \d+ lines kept, see `lastlog`$")
    assert having(seen[2], r"warning: \| panic: selftest$")	# boot 2's own
    assert having(seen[2], r"info: d1 hello: off")
    assert not having(seen[2], r"error: panic")
    expect_tap_twice(result)
    expect_status(result, 0)


def expect_tap_twice(result):
    for lines in boots(result)[1:]:
        part = qemu.Result(0, "", lines, 0, [])
        expect_tap(part, 1)


def test_without_a_region():
    """A tree without the node: nothing is kept, which is no fault."""
    result = Boot("panic-no-region", [hello()], bootargs="loglevel=debug",
                  tree=("/", "compatible", "0")).run()
    expect(result, r"^\(sk\) reserved-memory: no \"ramoops\": no log is kept$",
           1)
    expect_not(result, r"reset: ")
    expect_tap(result, 1)
    expect_status(result, 0)


def test_options():
    """What is wrong with an option is told by its name."""
    result = Boot("panic-options", [hello()],
                  bootargs="panic=3601 watchdog=10").run()
    expect(result, r"^\(sk\) options: panic= must be a number from 0 to 3600$",
           1)
    expect(result, r"^\(sk\) options: watchdog=10: the board has none "
           r"that we know$", 1)
    expect_tap(result, 1)
    expect_status(result, 0)
