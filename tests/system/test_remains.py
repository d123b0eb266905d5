# SPDX-License-Identifier: Apache-2.0
"""What a dead guest's memory, registers and translations are to those that
live on: nothing. All of the board's RAM is searched."""
import mmap
import os
import re

import pytest

from harness import (WORK, Boot, expect, expect_not, expect_status, expect_tap,
                     of_round, report, systest)
from test_zero import MIB, RAM, save_memory

SWITCH = "\x01\x01\x01"
PROMPT = "skerry> "
SEED = 1237
MARK = SEED * 0x9e3779b97f4a7c15 % 2**64
IN_MEMORY = MARK.to_bytes(8, "little")
IN_REGISTERS = (~MARK % 2**64 >> 16).to_bytes(6, "little")
# As guests/systest/remains.c numbers x19 to x28, v0 to v31, and two TPIDRs.
GENERAL = range(10)
REGISTERS = {*GENERAL, *range(0x100, 0x120), 0x200, 0x201}
EL2_STACK_SIZE = 0x3000


class Ram:
    """The board's, searched."""

    def __init__(self, path):
        with open(path, "rb") as f, \
                mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as data:
            self.memory = [m.start() + RAM for m in
                           re.finditer(re.escape(IN_MEMORY), data)]
            found = [m.start() - 2 for m in
                     re.finditer(re.escape(IN_REGISTERS), data)]
            self.registers = [(int.from_bytes(data[at:at + 2], "little"),
                               at + RAM) for at in found if at >= 0]
        os.remove(path)

    def has_all_registers(self):
        return REGISTERS <= {n for n, _ in self.registers}


class Monitor:
    """QEMU's, in a socket with a short path."""

    def __init__(self, name):
        os.makedirs(WORK, exist_ok=True)
        self.path = os.path.relpath(
            os.path.join(WORK, of_round(f"qmp-{name}")))
        self.out = os.path.join(WORK, of_round(f"ram-{name}"))
        if os.path.exists(self.path):
            os.remove(self.path)

    def option(self):
        return ["-qmp", f"unix:{self.path},server=on,wait=off"]

    def ram(self):
        save_memory(self.path, self.out)
        return Ram(self.out)


def witness():
    """Uses the FP registers for a second, then waits to be told to end."""
    return systest("fplong,input", "witness", mib=8)


def boot(name, guests, typed, extra=(), cpus=1):
    return Boot(name, guests, cpus=cpus, mem=MIB, icount=False, timeout=120,
                extra=list(extra), typed=typed).run()


def expect_stack_only(was, now):
    """What is left of the registers is in none of the guest's memory, not
    where a context was saved, and as close together as a stack."""
    text = " ".join(f"{n:#x} at {a:#x}" for n, a in now.registers[:40])
    at = [a for _, a in now.registers]
    saved = [a for n, a in was.registers if n not in GENERAL]
    assert all(n in GENERAL for n, _ in now.registers), text
    assert not any(min(was.memory) <= a <= max(was.memory) for a in at), text
    assert not any(abs(a - s) < 4096 for a in at for s in saved), text
    assert not at or max(at) - min(at) < EL2_STACK_SIZE, text


@pytest.mark.parametrize("cpus", (1, 2))
def test_nothing_is_left(cpus):
    """Memory, general, FP and thread registers of a guest that the shell
    destroys: all are found before, and after that nothing, but for x19 to x28
    on the EL2 stack of its CPU. There its traps have pushed them; no guest is
    ever given that page. One with a CPU to itself is hardly ever saved, and
    nobody else's traps come there."""
    monitor, seen = Monitor(f"remains-{cpus}"), {}

    def before():
        for _ in range(20 if cpus == 1 else 1):	# until it was saved once
            seen["before"] = monitor.ram()
            if seen["before"].has_all_registers():
                break
        return "destroy 1\r"

    def after():
        seen["after"] = monitor.ram()
        return SWITCH

    gone = systest(f"remains mark={SEED}", "gone", mib=16, extra="vcpu0 { "
                   "compatible = \"xen,vcpu\"; id = <0>; "
                   f"hard-affinity = \"{cpus - 1}\"; }};")
    result = boot(f"remains-{cpus}", [gone, witness()], (
        (r"(?s)(?=.*PLANTED)(?=.*TYPE 1)", SWITCH + SWITCH),
        (PROMPT, before),
        (r"d1 gone: destroyed", after),
        (r"input: d2 witness", "one\r"),
        (r"TYPE 2", "two\r")), monitor.option(), cpus)
    planted = result.matching(r"PLANTED (\d+)")
    assert len(planted) == 1, report(result, "nothing planted")
    was, now = seen["before"], seen["after"]
    assert len(was.memory) >= int(planted[0].split()[-1]) > 14 << 17
    assert cpus > 1 or was.has_all_registers(), sorted(was.registers)
    assert not now.memory, [hex(a) for a in now.memory[:20]]
    expect_stack_only(was, now)
    expect_tap(result, 2)
    expect_status(result, 0)


def test_heir():
    """A guest in the slot and the frames of a larger one that is gone has
    nothing of its contents, and what lies behind its own end faults. That the
    TLBs are emptied is stage2_test's: QEMU does it with each new VMID."""
    later = 'skerry,start = "later";'
    result = boot("remains-heir", [
        witness(),
        systest(f"remains mark={SEED}", "former", mib=64, extra=later),
        systest("heir former_mib=64", "heir", mib=8, extra=later)], (
        (r"TYPE 1", SWITCH),
        (PROMPT, "create former\r"),
        (r"PLANTED", "destroy 2\r"),
        (r"d2 former: destroyed", "create heir\r"),
        (r"d2 heir: off", SWITCH),
        (r"input: d1 witness", "one\r"),
        (r"TYPE 2", "two\r")))
    expect(result, r"^\(sk\) d2 former: started, 1 vCPU, 64 MiB$", 1)
    expect(result, r"^\(sk\) d2 heir: started, 1 vCPU, 8 MiB$", 1)
    expect_tap(result, 2)
    expect(result, r"^\(d2\) ok 1 - memory is zero: (\d+) of \1 words$", 1)
    expect(result, r"^\(d2\) ok 2 - nothing behind it: 896 of 896 accesses", 1)
    expect_not(result, r"does not balance|^\(sk\) panic")
    expect_tap(result, 1)
    expect_status(result, 0)
