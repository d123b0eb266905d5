# SPDX-License-Identifier: Apache-2.0
"""The boards' own watchdogs, as QEMU has them. The i.MX 8M Plus has no console
that Skerry drives: what it says is read from its memory, where the log is
kept, and resets are QEMU's events."""
import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import threading
import time
import zlib

import pytest

from harness import (HYP, TOP, WORK, Boot, Guest, bare, build, description,
                     expect, expect_clean, expect_not, expect_tap, hello, pack,
                     qemu)

pytestmark = pytest.mark.one_gic

PM_RSTS = 0xfe100020
KEPT, KEPT_SIZE = 0x50000000, 0x10000
IMX_DTS = f"""/dts-v1/;
/ {{
	model = "i.MX 8M Plus";
	compatible = "fsl,imx8mp";
	#address-cells = <2>;
	#size-cells = <2>;
	interrupt-parent = <&gic>;
	memory@40000000 {{
		device_type = "memory";
		reg = <0 0x40000000 0 0x40000000>;
	}};
	reserved-memory {{
		#address-cells = <2>;
		#size-cells = <2>;
		ranges;
		ramoops@{KEPT:x} {{
			compatible = "ramoops";
			reg = <0 {KEPT:#x} 0 {KEPT_SIZE:#x}>;
		}};
	}};
	cpus {{
		#address-cells = <1>;
		#size-cells = <0>;
		cpu@0 {{
			device_type = "cpu";
			compatible = "arm,cortex-a53";
			reg = <0>;
			enable-method = "psci";
		}};
		cpu@1 {{
			device_type = "cpu";
			compatible = "arm,cortex-a53";
			reg = <1>;
			enable-method = "psci";
		}};
	}};
	psci {{
		compatible = "arm,psci-1.0";
		method = "smc";
	}};
	timer {{
		compatible = "arm,armv8-timer";
		interrupts = <1 13 8>, <1 14 8>, <1 11 8>, <1 10 8>;
		clock-frequency = <8000000>;
	}};
	soc@0 {{
		compatible = "simple-bus";
		#address-cells = <1>;
		#size-cells = <1>;
		ranges = <0 0 0 0x3e000000>;
		bus@30000000 {{
			compatible = "simple-bus";
			#address-cells = <1>;
			#size-cells = <1>;
			ranges = <0x400000 0x30000000 0x400000>;
			watchdog@680000 {{
				compatible = "fsl,imx8mp-wdt", "fsl,imx21-wdt";
				reg = <0x680000 0x10000>;
				fsl,ext-reset-output;
			}};
			watchdog@690000 {{
				compatible = "fsl,imx8mp-wdt", "fsl,imx21-wdt";
				reg = <0x690000 0x10000>;
				status = "disabled";
			}};
		}};
		gic: interrupt-controller@38800000 {{
			compatible = "arm,gic-v3";
			reg = <0x38800000 0x10000>, <0x38880000 0xc0000>;
			interrupt-controller;
			#interrupt-cells = <3>;
			interrupts = <1 9 4>;
		}};
	}};
}};
"""


def lines_of(half):
    """The boot's number and its lines, as docs/panic.md has the format."""
    boot, crc = struct.unpack_from("<II", half, 16)
    if half[:8] != b"SKERRYK\0" or crc != zlib.crc32(half[:20]):
        return 0, []
    slots = {}
    for at in range(64, len(half), 64):
        slot = half[at:at + 64]
        crc, seq, size, flags = struct.unpack_from("<IIBB", slot)
        if size and crc == zlib.crc32(slot[4:], boot):
            slots[seq] = (flags, slot[10:10 + size].decode())
    lines = []
    for seq in sorted(slots):
        flags, text = slots[seq]
        if flags & 1:
            lines.append("")
        lines[-1] += text
    return boot, lines


class Board:
    """A board without a console: QEMU's events, and what its memory has."""

    def __init__(self, args):
        # 16 ns for an instruction: the board's seconds are soon over.
        machine = qemu.Machine(board="imx8mp-evk", icount_shift=4,
                               reboots=True)
        self.proc = subprocess.Popen(
            [machine.qemu] + machine.options() + args + [
                "-smp", "2", "-m", "1024", "-serial", "none", "-monitor",
                "none", "-action", "shutdown=pause", "-qmp", "stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.watch = threading.Timer(120, self.proc.kill)
        self.watch.start()
        self.events = []
        self.command("qmp_capabilities")

    def end(self):
        self.watch.cancel()
        qemu.end(self.proc)

    def read_until(self, what):
        """A message with this member, or the event of this name."""
        for line in self.proc.stdout:
            message = json.loads(line)
            assert "error" not in message, message
            if "event" in message:
                self.events.append((message["event"], message.get("data")))
                assert len(resets(self.events)) < 6, "it resets for ever"
            if what in message or message.get("event") == what:
                return
        raise AssertionError(f"QEMU has ended after {self.events}")

    def command(self, name, **args):
        json.dump({"execute": name, "arguments": args}, self.proc.stdin)
        self.proc.stdin.flush()
        self.read_until("return")

    def kept(self, path):
        """{number: lines} of the boots whose log is in memory."""
        self.command("pmemsave", val=KEPT, size=KEPT_SIZE, filename=path)
        with open(path, "rb") as f:
            data = f.read()
        return dict(lines_of(data[n:n + len(data) // 2])
                    for n in (0, len(data) // 2))


def run_imx(name, guests, bootargs, hyp):
    """Until the board turns itself off: QEMU's events, and the boots' lines."""
    out = os.path.join(WORK, name)
    os.makedirs(out, exist_ok=True)
    dts = os.path.join(out, "guests.dts")
    with open(dts, "w", encoding="utf-8") as f:
        f.write(description(guests))
    blob = subprocess.run(["dtc", "-q", "-O", "dtb"], check=True,
                          input=IMX_DTS.encode(), capture_output=True).stdout
    with open(hyp, "rb") as f:
        packed = pack.prepare(dts, f.read(), pack.Board(blob), TOP,
                              bootargs=bootargs)
    board = Board(pack.write_direct(packed, out, hyp)["qemu"])
    try:
        board.read_until("SHUTDOWN")
        return board.events, board.kept(os.path.join(out, "kept"))
    finally:
        board.end()


def having(lines, pattern):
    return [l for l in lines if re.search(pattern, l)]


def expect_line(lines, pattern):
    found = having(lines, pattern)
    assert len(found) == 1, "\n".join([f"/{pattern}/: {found}", *lines])
    return found[0]


def stamp(line):
    """Milliseconds, behind the level (docs/panic.md)."""
    return int(line[1:13])


def spin(milliseconds):
    """Guests get no interrupts on this machine of QEMU's."""
    return [Guest("spin", bare("bench"), bootargs=f"spin_ms={milliseconds}")]


def resets(events):
    return [name for name, _ in events if name in ("WATCHDOG", "RESET")]


def test_imx_runs():
    """A guest has a CPU for longer than two timeouts, then the board is off."""
    events, boots = run_imx("wdog-imx-runs", spin(2500), "watchdog=1", HYP)
    assert resets(events) == []
    assert ("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"}) in events
    start = expect_line(boots[1], r"watchdog: resets the board after 1 s ")
    end = expect_line(boots[1], r"d1 spin: off$")
    assert stamp(end) - stamp(start) > 2000
    expect_line(boots[1], r"reset: cold or unknown$")


def test_imx_resets():
    """Boot 1 panics, and all of its CPUs are parked."""
    hyp = build("watchdog", "SELFTEST=y PANIC_POWEROFF=n")
    events, boots = run_imx("wdog-imx-resets", spin(1),
                            "watchdog=2 selftest=panic-once", hyp)
    assert resets(events) == ["WATCHDOG", "RESET"]
    assert ("WATCHDOG", {"action": "reset"}) in events
    assert sorted(boots) == [1, 2]
    # QEMU's model forgets the reason in the reset; WRSR has none then.
    expect_line(boots[2], r"reset: warm, boot 2$")
    expect_line(boots[2], r"last boot panicked:$")
    expect_line(boots[2], r"d1 spin: off$")
    panic = expect_line(boots[1], r"panic: selftest$")
    again = expect_line(boots[2], r"Skerry \S+ on ")
    assert 1900 < stamp(again) - stamp(panic) < 2100


class Stub:
    """QEMU's GDB stub, before the machine starts."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        deadline = time.monotonic() + 60
        while self.sock.connect_ex(path):
            assert time.monotonic() < deadline, "no stub of QEMU's"
            time.sleep(0.1)

    def send(self, text):
        self.sock.sendall(f"${text}#{sum(text.encode()) & 255:02x}".encode())

    def call(self, text, answer):
        self.send(text)
        got = b""
        while b"#" not in got[:-2]:
            more = self.sock.recv(100)
            assert more, f"{text}: no answer"
            got += more
        self.sock.sendall(b"+")
        assert answer in got, (text, got)


def set_register(path, address, value):
    """A device's, by its physical address; then the machine starts."""
    stub = Stub(path)
    stub.call("Qqemu.PhyMemMode:1", b"OK")
    stub.call(f"M{address:x},4:{value.to_bytes(4, 'little').hex()}", b"OK")
    stub.send("D")
    stub.sock.recv(100)


@pytest.mark.parametrize("rsts, reason", [
    (None, "power on"),		# what QEMU resets it to
    (0x1020, "watchdog"),
    (0x1200, "software"),
    (0x555, None),		# a partition, no reason
])
def test_pi4_reason(rsts, reason):
    extra = []
    # A socket's path has to be short.
    with tempfile.TemporaryDirectory() as folder:
        if rsts is not None:
            path = os.path.join(folder, "gdb")
            extra = ["-S", "-gdb", f"unix:{path},server=on,wait=off"]
            threading.Thread(target=set_register, daemon=True, args=(
                path, PM_RSTS, 0x5a000000 | rsts)).start()
        result = Boot(f"wdog-pi4-{rsts}", [hello()], board="raspi4b",
                      extra=extra).run()
    if reason:
        expect(result, rf"^\(sk\) reset: {reason}$", 1)
    else:
        expect_not(result, r"^\(sk\) reset: ")
    expect_tap(result, 1)
    expect_clean(result)


def test_pi4_resets():
    """The first refresh resets QEMU's model at once: it does not count."""
    result = Boot("wdog-pi4-resets", [hello()], board="raspi4b",
                  bootargs="watchdog=16").run()
    expect(result, r"^\(sk\) options: watchdog=16: 15 is the most$", 1)
    expect(result, r"^\(sk\) watchdog: resets the board after 15 s ", 1)
    expect_not(result, r"CPUs, GICv2")
    assert result.reason == "QEMU ended before the guests did"
