# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: writing descriptions, building variants of the
hypervisor, booting it, and the rules that every run must satisfy."""
import contextlib
import fcntl
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
# pylint: disable=wrong-import-position
from skerry_pack import pack, qemu, sign  # noqa: E402

BUILD = os.path.join(TOP, "build")
LOGS = os.path.join(BUILD, "test-logs")
WORK = os.path.join(BUILD, "test-run")
HYP = os.path.join(BUILD, "skerry.bin")
INITRAMFS = os.path.join(BUILD, "guests/linux/initramfs.cpio.gz")
TAIL = 40
# Logged after the last start at boot: all guests can be given input.
ALL_STARTED = r"\(sk\) memory: "
GIC = 3			# conftest.py sets it for each test


def bare(name):
    return os.path.join(BUILD, "guests", name, f"{name}.bin")


def kernel(version):
    return os.path.join(TOP, "third_party/guest", f"linux-{version}/vmlinuz")


def of_round(name):
    """Tests run at the same time as the same ones with the other GIC."""
    return name if GIC == 3 else f"{name}-gicv{GIC}"


@contextlib.contextmanager
def one_at_a_time():
    """Around what changes files of the build."""
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, ".test-lock"), "w", encoding="utf-8") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


@dataclass
class Guest:
    """One xen,domain node. `extra` are more lines of its body."""
    name: str
    kernel: str
    cpus: int = 1
    mib: int = 32
    bootargs: str = ""
    ramdisk: str = None
    extra: str = ""

    def dts(self):
        ramdisk = "" if not self.ramdisk else (
            "ramdisk { compatible = \"multiboot,ramdisk\"; "
            f"skerry,file = \"{self.ramdisk}\"; }};")
        kib = self.mib * 1024
        return f"""
		{self.name} {{
			compatible = "xen,domain";
			#address-cells = <2>;
			#size-cells = <2>;
			memory = <{kib >> 32:#x} {kib & 0xffffffff:#x}>;
			cpus = <{self.cpus}>;
			vpl011;
			{self.extra}
			kernel {{
				compatible = "multiboot,kernel";
				skerry,file = "{self.kernel}";
				bootargs = "{self.bootargs}";
			}};
			{ramdisk}
		}};"""


def hello(name="hello", **more):
    return Guest(name, bare("hello"), **more)


def systest(tests, name="systest", **more):
    return Guest(name, bare("systest"), bootargs=f"tests={tests}", **more)


def linux(name="linux", version="6.1", cpus=2, mib=256, args="", **more):
    return Guest(name, kernel(version), cpus=cpus, mib=mib,
                 ramdisk=INITRAMFS, bootargs=" ".join(
                     ["console=ttyAMA0 quiet", f"selfcheck.cpus={cpus}",
                      args]).strip(), **more)


def description(guests, chosen=""):
    body = "".join(g.dts() for g in guests)
    return f"/dts-v1/;\n/ {{\n\tchosen {{\n\t\t{chosen}{body}\n\t}};\n}};\n"


@dataclass
class Boot:
    """A machine, a description and how to start it."""
    name: str
    guests: list = field(default_factory=list)
    cpus: int = 0
    gic: int = 0			# 0: that of this round, see conftest.py
    cpu: str = "cortex-a53"
    mem: int = 0
    mode: str = "direct"
    timeout: int = 180
    icount: bool = True
    icount_shift: int = 0
    chosen: str = ""
    bootargs: str = None
    force: bool = False
    hyp: str = HYP
    typed: tuple = ()
    extra: list = field(default_factory=list)	# more arguments for QEMU
    text: str = None		# the whole description instead of guests
    virtualization: bool = True
    board: str = "virt"
    tree: tuple = ()		# node, property and hex cells to change
    signer: object = None	# sign.Policy; None: the development key
    reboots: bool = False	# a reset begins the next boot

    def run(self):
        name = of_round(self.name)
        out = os.path.join(WORK, name)
        os.makedirs(out, exist_ok=True)
        os.makedirs(LOGS, exist_ok=True)
        dts = os.path.join(out, "guests.dts")
        with open(dts, "w", encoding="utf-8") as f:
            f.write(self.text or description(self.guests, self.chosen))
        first = pack.Pack(dts, TOP, self.signer)
        first.read()
        cpus, mem = first.needs()
        machine = qemu.Machine(cpus=self.cpus or cpus, mem=self.mem or mem,
                               gic=self.gic or GIC, cpu=self.cpu,
                               icount=self.icount,
                               icount_shift=self.icount_shift,
                               virtualization=self.virtualization,
                               board=self.board,
                               reboots=self.reboots, extra=self.extra)
        path = os.path.join(out, "board.dtb")
        blob = machine.device_tree(path)
        if self.tree:
            subprocess.run(["fdtput", "-t", "x", path, *self.tree],
                           check=True)
            with open(path, "rb") as f:
                blob = f.read()
        with open(self.hyp, "rb") as f:
            image = f.read()
        packed = pack.prepare(dts, image, pack.Board(blob), TOP, self.force,
                              self.bootargs, signer=self.signer)
        if self.mode == "uboot":
            done = pack.write_uboot(packed, out, image)
            args = qemu.uboot_args(done["disk"])
        else:
            args = pack.write_direct(packed, out, self.hyp)["qemu"]
        return qemu.run(machine, args, timeout=self.timeout,
                        log=os.path.join(LOGS, f"{name}.log"),
                        typed=self.typed, all_off_ends="stay" in self.chosen)


def image_of(guest, signer=None):
    """The signed image that the guest's files make."""
    with tempfile.NamedTemporaryFile("w", suffix=".dts") as f:
        f.write(description([guest]))
        f.flush()
        made = pack.Pack(f.name, TOP, signer)
        made.read()
        made.raise_errors()
        made.sign()
    return made.guests()[0].parts["fit"].data


def report(result, why):
    tail = "\n".join(result.lines[-TAIL:])
    return f"{why} (status {result.status}, {result.reason})\n{tail}"


def expect(result, pattern, times=None):
    """The pattern is in the console's lines (as often as said)."""
    found = len(result.matching(pattern))
    assert found if times is None else found == times, \
        report(result, f"{found} lines match /{pattern}/")


def expect_not(result, pattern):
    assert not result.matching(pattern), \
        report(result, f"a line matches /{pattern}/")


def expect_status(result, status):
    assert result.status == status, report(result, f"status {status} expected")


def expect_tap(result, prefix):
    """A complete, clean TAP stream from the guest with that prefix."""
    head = rf"^\(d{prefix}\) "
    bad = result.matching(head + "not ok")
    assert not bad, report(result, "\n".join(bad))
    plan = result.matching(head + r"1\.\.\d+$")
    assert len(plan) == 1, report(result, f"no plan from d{prefix}")
    count = int(plan[0].rsplit(".", 1)[1])
    good = len(result.matching(head + r"ok \d+ - "))
    assert good == count > 0, \
        report(result, f"{good} of {count} tests from d{prefix}")


def expect_selfcheck(result, prefix):
    expect(result, rf"^\(d{prefix}\) SELFCHECK ok", 1)


def wakes(result, d):
    """EL2's record of guest d at its end: wake-ups, the longest until it ran,
    and how many by the power of two below which that was (both in ns). These
    may take more than a line."""
    head = rf"^\(sk\) d{d} \S+: woken"
    first = result.matching(rf"{head} \d+ times, at worst in \d+ ns: ")
    assert len(first) == 1, report(result, f"d{d}: {first}")
    woken, worst = map(int, re.findall(r" (\d+) ", first[0])[:2])
    within = {int(ns): int(nr)
              for line in first + result.matching(head + ": ")
              for nr, ns in re.findall(r" (\d+) within (\d+) ns", line)}
    assert sum(within.values()) == woken, report(result, f"d{d}: {within}")
    return woken, worst, within


def expect_clean(result):
    expect_status(result, 0)
    expect_not(result, r"panic|guest fault|SELFCHECK failed|unexpected")


def build(folder, settings):
    """Another configuration of the hypervisor in build/<folder>."""
    with one_at_a_time():
        done = subprocess.run(
            ["make", f"O=build/{folder}", f"KCONFIG_SET={settings}", "all"],
            cwd=TOP, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return os.path.join(BUILD, folder, "skerry.bin")


def make_env(**changes):
    """The environment without what an outer make put there."""
    env = {k: v for k, v in os.environ.items()
           if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CONFIG", "CPUS",
                        "MEM", "GIC", "CPU", "BOARD", "BOOT", "ICOUNT",
                        "TIMEOUT", "QEMU_EXTRA", "HYP", "KEY", "UNSIGNED",
                        "BOOT_KEY")}
    env.update({"GIC": str(GIC)} | changes)
    return env
