# SPDX-License-Identifier: Apache-2.0
"""The trace over the console: two guests that share a CPU, seen from outside
by tools/sktrace."""
import json
import os
import subprocess
import time

from harness import (ALL_STARTED, LOGS, TOP, WORK, Boot, Guest, bare, expect,
                     expect_clean, of_round, report)

SWITCH = "\x01\x01\x01"
PROMPT = r"[\s\S]*skerry> "
END = r"trace: end \d+ records"
SLICE = 1000		# us


def spins(name):
    return Guest(name, bare("bench"), bootargs="spin_ms=3000",
                 extra=f"skerry,slice-us = <{SLICE}>;")


def sktrace(log, *args):
    return subprocess.run([os.path.join(TOP, "tools/sktrace"), log, *args],
                          capture_output=True, text=True, check=False)


def a_while_later(text):
    """Some dozens of slices, on a slow machine too."""
    def wait():
        time.sleep(1.5)
        return text
    return wait


def dumps(result):
    """The lines of each dump, as a log with just this one."""
    found = []
    for line in result.lines:
        if line.startswith("(sk) trace: begin "):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def spans_of(events, pid):
    return [e for e in events if e["ph"] == "X" and e["pid"] == pid]


def check_turns(events):
    """Two that never sleep: each waits for the other's slice, and no more."""
    cpu = [e for e in spans_of(events, 0) if e["name"] in
           ("first.0", "second.0")]
    assert len(cpu) > 12, cpu
    whole = cpu[1:-1]
    for a, b in zip(whole, whole[1:]):
        assert a["ts"] + a["dur"] <= b["ts"] + 0.002, (a, b)
        assert b["ts"] - a["ts"] - a["dur"] < SLICE, (a, b)
    turns = [e["name"] for e in whole]
    assert 0.8 < turns.count("first.0") / turns.count("second.0") < 1.25
    # What came between, as the shell on the UART, cuts a slice in two.
    assert sum(0.9 * SLICE < e["dur"] < 1.1 * SLICE for e in whole) > \
        0.8 * len(whole), whole
    for pid, name in ((1, "first"), (2, "second")):
        mine = [e for e in spans_of(events, pid) if e["name"] == "running"]
        seen = [e for e in cpu if e["name"] == f"{name}.0"]
        assert [(e["ts"], e["dur"]) for e in mine] == \
            [(e["ts"], e["dur"]) for e in seen]
    assert any(e["ph"] == "i" and e["name"].startswith("irq ")
               for e in events)


def test_two_guests():
    """Off, a dump is empty. On, both vCPUs take turns of a slice each, and
    time never goes backwards, which sktrace checks. It stops while a dump is
    printed and goes on afterwards, until it is turned off; what it has then
    is there as often as it is asked for."""
    result = Boot("trace", [spins("first"), spins("second")], cpus=1, typed=(
        (ALL_STARTED, SWITCH + SWITCH),
        (PROMPT, "trace dump\r"),
        (END, "trace on\r"),
        (r"trace on" + PROMPT, a_while_later("vcpus\r")),
        (r"d2\.0 second CPU 0" + PROMPT, "trace dump\r"),
        (END, "trace off\r"),
        (r"trace off" + PROMPT, "trace dump\r"),
        (END, "trace dump\r"),
        (END, "destroy 1\rdestroy 2\r")), timeout=120).run()
    expect_clean(result)
    logs = dumps(result)
    assert len(logs) == 4, report(result, "four dumps")
    expect(result, r"^\(sk\) trace: begin .* was on$", 1)
    expect(result, r"^\(sk\) trace: begin .* was off$", 3)
    expect(result, r"^\(sk\) trace: end 0 records, 0 overwritten$", 1)
    kept = [[l for l in lines if l.startswith("(sk) trace: c")]
            for lines in logs]
    assert not kept[0] and kept[1] and kept[2] == kept[3] != kept[1]

    folder = os.path.join(WORK, of_round("trace"))
    for n, lines in enumerate(logs):
        log = os.path.join(folder, f"dump{n}.log")
        with open(log, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
        out = os.path.join(folder, f"dump{n}.json")
        done = sktrace(log, "--json", out, "--summary")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") >= (4 if n == 1 else 2), done.stdout
    with open(os.path.join(folder, "dump1.json"), encoding="utf-8") as f:
        check_turns(json.load(f)["traceEvents"])
    # And the log as a whole, guests' lines and all, for the last one.
    done = sktrace(os.path.join(LOGS, of_round("trace") + ".log"))
    assert done.returncode == 0 and ".0 " in done.stdout, done


def test_beside_flood():
    """A dump of larger rings while a guest on the other CPU prints: no record
    is lost or torn, which sktrace checks, and the guest's lines go on."""
    flood = Guest("flood", bare("bench"), bootargs="lines=1000000 every_us=200")
    result = Boot("trace-flood", [spins("calm"), flood], cpus=2,
                  icount=False, bootargs="trace=64", typed=(
        (ALL_STARTED, SWITCH + SWITCH),
        (PROMPT, "trace on\r"),
        # What is echoed is torn by the guest's lines.
        (PROMPT, a_while_later("trace dump\r")),
        (END, "destroy 1\rdestroy 2\r")), timeout=60).run()
    expect_clean(result)
    done = sktrace(os.path.join(LOGS, of_round("trace-flood") + ".log"))
    assert done.returncode == 0, done.stderr
    # The flood's CPU has filled its ring of 4096 records. The other one has
    # little to tell but that it ran: more the longer the machine takes.
    assert 4095 < int(done.stdout.split()[0]) < 6000, done.stdout
    calm, flood = [line.split() for line in done.stdout.splitlines()[2:]
                   if not line.startswith(("worker", "CPU"))]
    assert flood[0] == "flood.0" and calm[0] == "calm.0", done.stdout
    assert int(calm[1]) < 5, done.stdout		# the worker between
    assert float(calm[2]) >= float(flood[2]) > 100, done.stdout
    at = [n for n, line in enumerate(result.lines) if "trace: " in line]
    between = result.lines[at[0]:at[-1]]
    assert any("BENCH_LINE" in line for line in between)
