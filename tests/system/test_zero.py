# SPDX-License-Identifier: Apache-2.0
"""What a guest leaves behind in memory, as QEMU's monitor sees it."""
import json
import os
import socket

from harness import (WORK, Boot, Guest, bare, expect, expect_clean,
                     of_round)

SEED = 977
PATTERN = (SEED * 0x9e3779b97f4a7c15 % 2**64).to_bytes(8, "little")
RAM, MIB = 0x40000000, 256


def save_memory(path, out):
    """All of the board's RAM into the file `out`."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        f = s.makefile("rw", encoding="utf-8")
        f.readline()
        for command, args in (("qmp_capabilities", {}),
                              ("pmemsave", {"val": RAM, "size": MIB << 20,
                                            "filename": out})):
            f.write(json.dumps({"execute": command, "arguments": args}) + "\n")
            f.flush()
            while "return" not in (answer := json.loads(f.readline())):
                assert "error" not in answer, answer


def count(path):
    with open(path, "rb") as f:
        found = f.read().count(PATTERN)
    os.remove(path)
    return found


def test_destroyed_guest_leaves_zeroes():
    """
    The pattern is all over the guest's memory while it lives and nowhere in the
    board's RAM once it is off, while another guest goes on.
    """
    os.makedirs(WORK, exist_ok=True)
    # Short: a socket's path has at most 107 characters.
    path = os.path.relpath(os.path.join(WORK, of_round("qmp")))
    alive, dead = (os.path.join(WORK, of_round(f"ram-{n}")) for n in ("alive", "dead"))
    if os.path.exists(path):
        os.remove(path)
    guests = [Guest("plant", bare("bench"), mib=16,
                    bootargs=f"plant={SEED} sleep_ms=3000"),
              Guest("other", bare("bench"), mib=16, bootargs="sleep_ms=9000")]
    result = Boot("zero", guests, cpus=1, mem=MIB, icount=False, timeout=60,
                  extra=["-qmp", f"unix:{path},server=on,wait=off"],
                  typed=((r"BENCH_PLANTED", lambda: save_memory(path, alive)),
                         (r"d1 plant: off", lambda: save_memory(path, dead)))
                  ).run()
    expect_clean(result)
    expect(result, r"^\(d1\) BENCH_PLANTED 32768$", 1)
    assert count(alive) >= 32768
    assert count(dead) == 0
