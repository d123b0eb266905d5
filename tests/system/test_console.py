# SPDX-License-Identifier: Apache-2.0
"""One console for several guests and the shell: who gets what is typed, what
the commands do, and that nobody's flood keeps others' lines."""
import re

from harness import (Boot, Guest, bare, expect, expect_clean, expect_not,
                     expect_selfcheck, expect_tap, hello, linux, systest)

SWITCH = "\x01\x01\x01"
PROMPT = r"skerry> "


def lines(name, count, us=0, **more):
    return Guest(name, bare("bench"),
                 bootargs=f"lines={count} every_us={us}", **more)


def test_switch():
    """Two guests that wait for two lines each; then it is the first's turn
    again, as the shell is passed and the second one is off."""
    result = Boot("console-switch", [systest("input", "a"),
                                     systest("input", "b")], typed=(
        (r"d1\) TYPE 1[\s\S]*d2\) TYPE 1|d2\) TYPE 1[\s\S]*d1\) TYPE 1",
         "first\r"),
        (r"d1\) TYPE 2", SWITCH),
        (r"input: d2 b", "one\r"),
        (r"d2\) TYPE 2", SWITCH),
        (PROMPT, SWITCH + SWITCH + "two\r"),
        (r"d2 b: off[\s\S]*" + PROMPT, "list\r" + SWITCH + "second\r"))).run()
    expect_clean(result)
    for text in ("d1) TYPED first", "d1) TYPED second",
                 "d2) TYPED one", "d2) TYPED two"):
        expect(result, rf"^\({re.escape(text)}$", 1)
    expect(result, r"^\(sk\) input: d1 a$", 2)
    expect(result, r"^\(sk\) input: d2 b$", 2)
    expect(result, r"^\(sk\) input: shell$", 2)
    expect(result, r"^\(sk\) d2 +b +(shutting down|off) ", 1)
    expect_tap(result, 1)
    expect_tap(result, 2)


def test_pause_and_destroy():
    result = Boot("console-shell", [lines("ticker", 1000000, 500),
                                    hello()], typed=(
        (r"d2 hello: off", SWITCH),
        (PROMPT, "help\rlist\rvcpus\rmemory\rirq\r"),
        (r"CPU 1: timer[\s\S]*" + PROMPT, "pause 1\r"),
        (r"d1 +ticker +paused[\s\S]*" + PROMPT, "vcpus\rlog\rlog x\r"),
        (r"takes no argument[\s\S]*" + PROMPT, "resume 1\r"),
        (r"BENCH_LINE", "pause 2\rpause 7\rfoo\rrexx\b\bsume 1\r"),
        (r"d1 +ticker +running[\s\S]*BENCH_LINE", "destroy 1\r"))).run()
    expect_clean(result)
    text = "\n".join(result.lines)
    between = re.search(r"d1 +ticker +paused.*?\n(.*?)resume 1\n"
                        r"(.*)\(sk\) d1 ticker: destroyed", text, re.S)
    assert between and "BENCH_LINE" not in between[1], text
    assert "BENCH_LINE" in between[2], text
    expect(result, r"^\(sk\) d1 +ticker +running +1 vCPUs +32 MiB$")
    expect(result, r"^\(sk\) d2 +hello +off +1 vCPUs +32 MiB$", 1)
    expect(result, r"^\(sk\) d1\.0 ticker CPU \d (running|ready  ) weight 256, ",
           1)
    expect(result, r"^\(sk\) d1\.0 ticker CPU \d paused  weight 256, ", 1)
    expect(result, r"^\(sk\)      ran [1-9]\d+ us, waited \d+ us, woken ", 2)
    expect(result, r"^\(sk\) d2\.0 ", 0)	# it has none any more
    expect(result, r"^\(sk\) d1: RAM 32768 KiB, pool \d+ KiB", 1)
    expect(result, r"^\(sk\) free \d+ KiB, hypervisor", 1)
    expect_not(result, "does not balance")
    expect(result, r"^\(sk\) +\d+ ms info: d2 hello: started", 1)
    expect(result, r"^\(sk\) log: takes no argument$", 1)
    expect(result, r"^\(sk\) d2 is not running$", 1)
    expect(result, r"^\(sk\) pause: no guest `7`", 1)
    expect(result, r"^\(sk\) foo: unknown command", 1)
    expect(result, r"^\(sk\) all guests are off$", 1)


def test_flood():
    """Lines that are due every 20 ms come in time, while another guest on
    the CPU prints as fast as it can: late by no more than a slice or two."""
    result = Boot("console-flood", [lines("flood", 20000),
                                    lines("calm", 20, 20000)], cpus=1,
                  timeout=120).run()
    expect_clean(result)
    expect_not(result, "lost")
    expect(result, r"^\(d1\) BENCH_LINE \d+ 0$", 20000)
    late = [int(l.split()[-1]) for l in result.lines
            if l.startswith("(d2) BENCH_LINE")]
    assert len(late) == 20 and max(late) < 11000, late
    order = [l for l in result.lines if "BENCH_LINE" in l]
    assert any(l.startswith("(d1)") for l in order[order.index(
        next(l for l in order if l.startswith("(d2)"))):]), "not beside it"


def test_linux():
    """Ctrl-A once and twice is the guest's; three times in Linux's shell."""
    result = Boot("console-linux", [linux(args="interactive")],
                  bootargs="rawcon", typed=(
        (r"[~/] # ", "x=$(head -c 4|od -An -tx1);echo got $x\r\x01"
                     "\x01a\x01b\r"),
        (r"got 01 01 61 01[\s\S]*# ", SWITCH),
        (PROMPT, "pause 1\r"),
        (r"paused[\s\S]*" + PROMPT, "resume 1\r"),
        (r"running[\s\S]*" + PROMPT, SWITCH + "poweroff -f\r")),
        timeout=60).run()
    expect_clean(result)
    expect_selfcheck(result, 1)
