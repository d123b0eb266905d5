# SPDX-License-Identifier: Apache-2.0
"""QEMU's `virt` and `raspi4b` machines: options, device tree, and a run whose
console is read line by line and judged by the hypervisor's own lines."""
import os
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

from . import fdt

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PI4_DTB = os.path.join(TOP, "third_party/guest/dtb/bcm2711-rpi-4-b.dtb")
PI4_RAM = 0x3c000000		# what QEMU tells of its 2 GiB

EXIT_OK, EXIT_BROKEN, EXIT_GUEST, EXIT_TIMEOUT = 0, 1, 2, 124
UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"

# U-Boot counts two seconds down by polling: minutes under instruction
# counting. A key stops it, and `boot` goes on as the countdown would have.
UBOOT_KEYS = ((r"Hit any key", " "), (r"=> ", "boot\r"))

PANIC = re.compile(r"\(sk\) (panic|boot): (?!\d+ ticks)(.*)")
STARTED = re.compile(r"\(sk\) Skerry \S+ on ")
GUEST = re.compile(r"\(sk\) (d\d+ \S+: (?:crashed|watchdog): .*|refused: .*)")
ALL_OFF = re.compile(r"\(sk\) all guests are off")
PARKED = re.compile(r"\(sk\) no PSCI to end with")
NO_GUEST = "no guest to start"	# follows when all were refused
GRACE_PANIC = 2			# seconds for the backtrace
GRACE_OFF = 10			# seconds to power off


class QemuError(Exception):
    """QEMU could not be run at all."""


@dataclass
class Machine:
    cpus: int = 4
    mem: int = 1024			# MiB
    gic: int = 3
    cpu: str = "cortex-a53"
    virtualization: bool = True
    secure: bool = False
    icount: bool = True
    icount_shift: int = 0		# an instruction takes 2^shift ns
    board: str = "virt"			# or raspi4b: 4 CPUs, 2 GiB, GIC-400
    extra: list = field(default_factory=list)
    reboots: bool = False		# a reset does not end the run
    qemu: str = "qemu-system-aarch64"

    def machine(self):
        if self.board != "virt":
            return self.board
        return (f"virt,dtb-randomness=off,gic-version={self.gic}"
                + (",virtualization=on" if self.virtualization else "")
                + (",secure=on" if self.secure else ""))

    def options(self):
        out = ["-machine", self.machine(), "-display", "none"]
        if not self.reboots:
            out += ["-no-reboot"]
        if self.board == "virt":
            out += ["-cpu", self.cpu, "-smp", str(self.cpus), "-m",
                    str(self.mem), "-nic", "none"]
        if self.icount:
            out += ["-icount", f"shift={self.icount_shift},sleep=off", "-rtc",
                    "base=2026-01-01T00:00:00,clock=vm"]
        return out + self.extra

    def device_tree(self, path):
        """The tree that this machine has; also written to path."""
        if self.board == "raspi4b":
            return self._pi4_tree(path)
        args = [self.qemu, "-machine", f"{self.machine()},dumpdtb={path}",
                "-cpu", self.cpu, "-smp", str(self.cpus), "-m",
                str(self.mem), "-nic", "none", "-display", "none"]
        try:
            done = subprocess.run(args + self.extra, capture_output=True,
                                  stdin=subprocess.DEVNULL, check=False)
        except FileNotFoundError:
            raise QemuError(f"{self.qemu} is not installed") from None
        if done.returncode:
            raise QemuError(done.stderr.decode(errors="replace").strip())
        with open(path, "rb") as f:
            return f.read()


    @staticmethod
    def _pi4_tree(path):
        """The upstream tree, the console on the PL011, which QEMU shows
        first, and the RAM that QEMU writes into it."""
        try:
            with open(PI4_DTB, "rb") as f:
                blob = f.read()
        except FileNotFoundError:
            raise QemuError(f"{PI4_DTB}: not there; scripts/setup fetches "
                            "it") from None
        root = fdt.parse(blob)
        root.add("chosen").props["stdout-path"] = fdt.text("serial0:115200n8")
        root.nodes["memory@0"].props["reg"] = \
            fdt.cells(0, 2) + fdt.cells(PI4_RAM, 1)
        blob = fdt.build(root, fdt.reserve_map(blob))
        with open(path, "wb") as f:
            f.write(blob)
        return blob


class Verdict:
    """What the hypervisor said so far, as an exit status."""

    def __init__(self):
        self.panic = None
        self.guests = []
        self.all_off = self.parked = False

    def see(self, line):
        match = PANIC.match(line)
        if match and not self.panic:
            self.panic = f"{match[1]}: {match[2]}"
        match = GUEST.match(line)
        if match:
            self.guests.append(match[1])
        self.all_off |= bool(ALL_OFF.match(line))
        self.parked |= bool(PARKED.match(line))

    def status(self):
        if self.panic and not (self.guests and NO_GUEST in self.panic):
            return EXIT_BROKEN, self.panic
        if self.guests:
            return EXIT_GUEST, self.guests[0]
        if self.all_off:
            return EXIT_OK, "all guests are off"
        return EXIT_BROKEN, "QEMU ended before the guests did"


@dataclass
class Result:
    status: int
    reason: str
    lines: list
    seconds: float
    command: list

    def matching(self, pattern):
        return [l for l in self.lines if re.search(pattern, l)]


class Console:
    """Bytes of a pipe as lines; partial ones can be looked at."""

    def __init__(self, fd):
        self.fd = fd
        self.rest = ""
        self.closed = False

    def read(self, timeout):
        """New complete lines, within timeout seconds."""
        ready, _, _ = select.select([self.fd], [], [], max(0, timeout))
        if not ready:
            return []
        data = os.read(self.fd, 65536)
        self.closed = not data
        got = self.rest + data.decode(errors="replace")
        lines = re.split(r"\r*\n", got)
        self.rest = lines.pop()
        if self.closed and self.rest:
            lines.append(self.rest)
            self.rest = ""
        return [l.lstrip("\r") for l in lines]


def end(proc):
    if proc.poll() is None:
        proc.terminate()
        try:
            proc.wait(5)
        except subprocess.TimeoutExpired:
            proc.kill()
            proc.wait()


def run(machine, args, timeout=300, echo=None, typed=(), until=None,
        log=None, all_off_ends=False):
    """Runs QEMU to the end of the guests (or to a line that matches `until`).

    typed: (pattern, text) pairs; when the console shows the pattern, the text
    is typed, or a function called that may return it, each pair once and in
    order. log: a file for
    the console. On a machine that reboots the last boot is judged,
    and the run does not end before all is typed.
    """
    command = [machine.qemu] + machine.options() + args + [
        "-monitor", "none", "-serial", "stdio"]
    try:
        proc = subprocess.Popen(command, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)
    except FileNotFoundError:
        raise QemuError(f"{machine.qemu} is not installed") from None
    out = open(log, "w", encoding="utf-8") if log else None
    start = time.monotonic()
    deadline = start + timeout
    typed = list(UBOOT_KEYS if "-bios" in args else ()) + list(typed)
    verdict, lines = Verdict(), []
    console = Console(proc.stdout.fileno())
    stop, seen = None, ""
    try:
        while not console.closed:
            now = time.monotonic()
            if now >= min(deadline, stop or deadline):
                break
            new = console.read(min(deadline, stop or deadline) - now)
            for line in new:
                if machine.reboots and STARTED.match(line):
                    verdict, stop = Verdict(), None
                verdict.see(line)
                lines.append(line)
                if echo:
                    print(line, file=echo, flush=True)
                if out:
                    print(line, file=out, flush=True)
                if until and re.search(until, line) and not stop:
                    stop = time.monotonic()
            # The rest is not kept: it comes again when its line is complete.
            seen += "".join(line + "\n" for line in new)
            if typed and re.search(typed[0][0], seen + console.rest):
                what = typed.pop(0)[1]
                if callable(what):
                    what = what() or ""
                proc.stdin.write(what.encode())
                proc.stdin.flush()
                seen = ""
            if verdict.parked:		# QEMU does not end by itself
                break
            if not stop and verdict.panic and not machine.reboots:
                stop = time.monotonic() + GRACE_PANIC
            if not stop and verdict.all_off and \
                    not (machine.reboots and typed):
                stop = time.monotonic() + (0.3 if all_off_ends else GRACE_OFF)
        timed_out = not console.closed and not stop and not verdict.parked
    finally:
        end(proc)
        if out:
            out.close()
    if timed_out:
        status, reason = EXIT_TIMEOUT, f"no end within {timeout} s"
    elif until and any(re.search(until, l) for l in lines):
        status, reason = EXIT_OK, "as awaited"
    else:
        status, reason = verdict.status()
    return Result(status, reason, lines, time.monotonic() - start, command)


def interact(machine, args, log):
    """QEMU on this terminal (Ctrl-A x leaves it); judged by its log."""
    command = [machine.qemu] + machine.options() + args + [
        "-chardev", f"stdio,id=con,mux=on,signal=off,logfile={log}",
        "-serial", "chardev:con", "-mon", "chardev=con,mode=readline"]
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = subprocess.call(command)
    finally:
        signal.signal(signal.SIGINT, old)
    verdict = Verdict()
    with open(log, encoding="utf-8", errors="replace") as f:
        for line in f:
            verdict.see(line.strip("\r\n"))
    status, reason = verdict.status()
    if code:
        status, reason = EXIT_BROKEN, f"QEMU ended with status {code}"
    elif status == EXIT_BROKEN and not verdict.panic:
        status, reason = EXIT_OK, "left before the guests were off"
    print(f"run: {reason}", file=sys.stderr)
    return status


def uboot_args(disk):
    if not os.path.exists(UBOOT):
        raise QemuError(f"{UBOOT}: not there; scripts/setup installs "
                        "u-boot-qemu")
    return ["-bios", UBOOT, "-drive", f"if=none,id=boot,format=raw,file={disk}",
            "-device", "virtio-blk-device,drive=boot"]
