# SPDX-License-Identifier: Apache-2.0
"""tools/mkboot and its modules, without booting anything: what it accepts,
every error it must find, the addresses it plans and the files it writes."""
import gzip
import hashlib
import json
import os
import struct
import subprocess
import sys
import time

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import keys  # noqa: E402
from skerry_pack import describe, fdt, image, pack, plan  # noqa: E402

MKBOOT = os.path.join(TOP, "tools/mkboot")
MIB = 1 << 20
BASE = 0x40000000


def arm64_image(size=8192, need=0):
    head = struct.pack("<IIQQQQQQ", 0x14000010, 0, 0, need or size, 0xa, 0,
                       0, 0) + b"ARM\x64" + bytes(4)
    return head + bytes(i & 0xff for i in range(size - len(head)))


def board(cpus=4, mib=1024, reserved=()):
    root = fdt.Node()
    root.props.update({"#address-cells": fdt.cells(2, 1),
                       "#size-cells": fdt.cells(2, 1)})
    memory = root.add(f"memory@{BASE:x}")
    memory.props["device_type"] = b"memory\0"
    memory.props["reg"] = fdt.cells(BASE, 2) + fdt.cells(mib * MIB, 2)
    for number in range(cpus):
        cpu = root.add("cpus").add(f"cpu@{number}")
        cpu.props["device_type"] = b"cpu\0"
        cpu.props["reg"] = fdt.cells(number, 1)
    root.add("chosen").props.update({
        "stdout-path": b"/uart\0", "bootargs": b"of the loader\0",
        "linux,initrd-start": fdt.cells(1, 1)})
    return fdt.build(root, reserved)


GUEST = """
	g {{ compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>;
		memory = <0 0x10000>; cpus = <1>; vpl011; {body}
		k {{ compatible = "multiboot,kernel"; skerry,file = "{kernel}";
			{kernel_body} }};
	}};
"""


@pytest.fixture
def work(tmp_path):
    """A folder with a hypervisor, a board and a kernel."""
    (tmp_path / "hyp").write_bytes(arm64_image(0x20000, 0x60000))
    (tmp_path / "board.dtb").write_bytes(board())
    (tmp_path / "kernel").write_bytes(arm64_image())
    (tmp_path / "initrd").write_bytes(b"initrd")
    return tmp_path


def write(work, body="", chosen="", kernel="kernel", kernel_body="",
          text=None):
    path = work / "guests.dts"
    if text is None:
        text = GUEST.format(body=body, kernel=kernel, kernel_body=kernel_body)
    path.write_text("/dts-v1/;\n/ { chosen { " + chosen + text + " }; };\n")
    return path


def mkboot(work, mode="direct", *args):
    return subprocess.run(
        [MKBOOT, mode, str(work / "guests.dts"), "-k", str(work / "hyp"),
         "-d", str(work / "board.dtb"), "-o", str(work / "out"),
         "--top", str(work), "--key", keys.private("rsa2048"), *args],
        capture_output=True, text=True, check=False)


PLAIN = ("--unsigned", "all")		# modules as they are, none in a FIT


def refused(work, line, mode="direct"):
    done = mkboot(work, mode)
    lines = done.stderr.splitlines()
    assert done.returncode == 1, done.stdout + done.stderr
    want = f"mkboot: {work / 'guests.dts'}: {line}"
    assert want in lines, f"{want}\nis not in\n{done.stderr}"
    assert not (work / "out").exists()
    return lines


# --- the description --------------------------------------------------------

def test_accepted(work):
    write(work, body="""
        nr_spis = <64>; xen,enhanced = "disabled"; capabilities = <0>;
        passthrough = "disabled"; sve = <0>; max_grant_frames = <4>;
        skerry,wfi = "trap"; xen,domain-p2m-mem-mb = <1>;
        skerry,watchdog-ms = <3600000>;
        trap-unmapped-accesses = <1>; acme,note = "ours";
        v { compatible = "xen,vcpu"; id = <0>; hard-affinity = "0-1, 3"; };
        r { compatible = "multiboot,ramdisk"; skerry,file = "initrd"; };
        """, chosen="skerry,when-all-off = \"stay\"; "
          "xen,xen-bootargs = \"rawcon\";")
    done = mkboot(work, "check")
    assert (done.returncode, done.stderr) == (0, "")


# body of the guest, node below /chosen, the rest of the line
@pytest.mark.parametrize("body, line", [
    ("xen,nonsense;", "g: xen,nonsense: unknown property"),
    ("skerry,nonsense;", "g: skerry,nonsense: unknown property"),
    ("xen,static-mem = <1>;", "g: xen,static-mem: not supported"),
    ("direct-map;", "g: direct-map: not supported"),
    ("skerry,period-us = <99>; skerry,budget-us = <10>;",
     "g: skerry,period-us: 99: must be 100 to 10000000"),
    ("skerry,period-us = <1000>;", "g: skerry,budget-us: missing"),
    ("skerry,dma;", "g: skerry,dma: not supported"),
    ("xen,enhanced;", f"g: xen,enhanced: {describe.PV}"),
    ("xen,enhanced = \"enabled\";", f"g: xen,enhanced: {describe.PV}"),
    ("passthrough = \"enabled\";",
     "g: passthrough: not supported (only \"disabled\")"),
    ("sve = <128>;", "g: sve: not supported (only 0)"),
    ("trap-unmapped-accesses = <0>;",
     "g: trap-unmapped-accesses: not supported (only 1)"),
    ("xen,domain-p2m-mem-mb = <1025>;",
     "g: xen,domain-p2m-mem-mb: 1025: must be 1 to 1024"),
    ("sve = <0 0>;", "g: sve: not supported (only 0)"),
    ("capabilities = <4>;", "g: capabilities: not supported (only 0)"),
    ("skerry,wfi = \"x\";",
     "g: skerry,wfi: must be \"trap\" or \"native\""),
    ("skerry,restart = \"on-reset\";",
     "g: skerry,restart: must be \"never\", \"on-crash\" or \"always\""),
    ("skerry,restart = <1>;", "g: skerry,restart: must be a string"),
    ("skerry,restart = \"never\", \"always\";",
     "g: skerry,restart: must be one string"),
    ("skerry,start = \"Later\";",
     "g: skerry,start: must be \"boot\" or \"later\""),
    ("skerry,start;", "g: skerry,start: must be one string"),
    ("nr_spis = <0>;", "g: nr_spis: 0: vpl011 needs one"),
    ("skerry,watchdog-ms = <0>;",
     "g: skerry,watchdog-ms: 0: must be 1 to 3600000"),
    ("skerry,watchdog-ms = <3600001>;",
     "g: skerry,watchdog-ms: 3600001: must be 1 to 3600000"),
    ("skerry,watchdog-ms;", "g: skerry,watchdog-ms: must be one cell"),
    ("nr_spis = <961>;", "g: nr_spis: 961: must be 0 to 960"),
    ("v { compatible = \"xen,vcpu\"; };", "g/v: id: missing"),
    ("v { compatible = \"xen,vcpu\"; id = <1>; };",
     "g/v: id: 1: the guest has 1 vCPUs"),
    ("v { compatible = \"xen,vcpu\"; id = <0>; hard-affinity = \"3-1\"; };",
     "g/v: hard-affinity: \"3-1\" is not a list of CPUs"),
    ("v { compatible = \"xen,vcpu\"; id = <0>; hard-affinity = \"9\"; };",
     "g/v: hard-affinity: \"9\": the board has 4 CPUs"),
    ("d { compatible = \"skerry,vbd\"; };",
     "g/d: compatible: skerry,vbd: not supported"),
    ("d { };", "g/d: compatible: missing: unknown kind of sub-node"),
    ("r { compatible = \"multiboot,ramdisk\"; };",
     "g/r: reg: missing, and no skerry,file"),
    ("r { compatible = \"multiboot,ramdisk\"; skerry,file = \"initrd\"; "
     "bootargs = \"x\"; };", "g/r: bootargs: belongs in the kernel's node"),
    ("r { compatible = \"multiboot,ramdisk\"; skerry,file = \"initrd\"; "
     "reg = <0 0 0 1>; };", "g/r: reg: skerry,file has its reg written"),
    ("r { compatible = \"multiboot,ramdisk\"; reg = <0 1>; };",
     "g/r: reg: must be pairs of 2 and 2 cells, is 8 bytes"),
    ("r { compatible = \"multiboot,kernel\"; reg = <0 0 0 1>; };",
     "g/k: compatible: a second multiboot,kernel module"),
])
def test_refused(work, body, line):
    write(work, body=body)
    refused(work, f"/chosen/{line}")


def test_memory_and_cpus(work):
    write(work, text=GUEST.format(body="", kernel="kernel", kernel_body="")
          .replace("memory = <0 0x10000>;", "memory = <0 5>;")
          .replace("cpus = <1>;", "cpus = <9>;"))
    lines = refused(work, "/chosen/g: memory: 5 KiB: must be a multiple of "
                    "4 KiB and not zero")
    assert any(": /chosen/g: cpus: 9: must be 1 to 8" in l for l in lines), \
        "both errors of a file are reported"


def test_memory_in_one_cell(work):
    write(work, text=GUEST.format(body="", kernel="kernel", kernel_body="")
          .replace("memory = <0 0x10000>;", "memory = <0x10000>;"))
    refused(work, "/chosen/g: memory: must be two cells (KiB)")


def test_memory_missing(work):
    write(work, text=GUEST.format(body="", kernel="kernel", kernel_body="")
          .replace("memory = <0 0x10000>;", ""))
    refused(work, "/chosen/g: memory: missing")


def test_two_of_a_name(work):
    one = GUEST.format(body="", kernel="kernel", kernel_body="")
    write(work, text=one + one.replace("g {", "g@1 {"))
    refused(work, "/chosen/g@1: name: two guests have this name")


def test_chosen(work):
    write(work, chosen="skerry,when-all-off = \"x\"; xen,dom0-bootargs = "
          "\"y\";")
    lines = refused(work, "/chosen: skerry,when-all-off: must be "
                    "\"poweroff\", \"reboot\" or \"stay\"")
    assert any(": xen,dom0-bootargs: not supported" in l for l in lines)


def test_no_guest(work):
    write(work, text="")
    refused(work, "/chosen: xen,domain: no guest is described")


def test_too_large_for_the_board(work):
    (work / "board.dtb").write_bytes(board(mib=64))
    write(work)
    refused(work, "/chosen: memory: the guests want 64 MiB and the "
            f"hypervisor {pack.OWN_MIB}, the board has 64 MiB")


@pytest.mark.parametrize("restart", ["never", "on-crash", "always"])
@pytest.mark.parametrize("start", ["boot", "later"])
def test_lives(work, restart, start):
    write(work, body=f'skerry,restart = "{restart}"; '
          f'skerry,start = "{start}";')
    done = mkboot(work)
    assert done.returncode == 0, done.stdout + done.stderr
    tree = fdt.parse((work / "out/host.dtb").read_bytes())
    guest = tree.find("/chosen/g")
    assert guest.props["skerry,restart"] == restart.encode() + b"\0"
    assert guest.props["skerry,start"] == start.encode() + b"\0"


def test_later_needs_no_memory_yet(work):
    """It may be created when another guest is down."""
    (work / "board.dtb").write_bytes(board(mib=128))
    one = GUEST.format(body="{}", kernel="kernel", kernel_body="")
    more = [one.replace("g {", f"g{n} {{") for n in range(2)]
    text = one + "".join(more)
    write(work, text=text.replace("{}", 'skerry,start = "boot";'))
    refused(work, "/chosen: memory: the guests want 192 MiB and the "
            f"hypervisor {pack.OWN_MIB}, the board has 128 MiB")
    write(work, text=one.replace("{}", "") + "".join(more).replace(
        "{}", 'skerry,start = "later";'))
    done = mkboot(work, "check")
    assert (done.returncode, done.stderr) == (0, "")


def test_vcpus_share_cpus(work):
    (work / "board.dtb").write_bytes(board(cpus=2))
    pin = "v { compatible = \"xen,vcpu\"; id = <0>; hard-affinity = \"1\"; };"
    one = GUEST.format(body=pin, kernel="kernel", kernel_body="")
    write(work, text=one + one.replace("g {", "h {"))
    done = mkboot(work)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("body, line", [
    ("skerry,weight = <0>;", "g: skerry,weight: 0: must be 1 to 65535"),
    ("skerry,weight = <65536>;", "g: skerry,weight: 65536: must be 1 to 65535"),
    ("skerry,slice-us = <99>;",
     "g: skerry,slice-us: 99: must be 100 to 1000000"),
    ("skerry,period-us = <1000>; skerry,budget-us = <1001>;",
     "g: skerry,budget-us: 1001: must be at most the deadline of 1000 us"),
    ("skerry,wfi = \"native\"; v { compatible = \"xen,vcpu\"; id = <0>; "
     "skerry,period-us = <1000>; skerry,budget-us = <300>; };",
     "g: skerry,wfi: a deadline vCPU's WFI always traps"),
    ("v { compatible = \"xen,vcpu\"; id = <0>; skerry,extra-time; };",
     "g/v: skerry,extra-time: needs skerry,budget-us"),
    ("v { compatible = \"xen,vcpu\"; id = <0>; skerry,weight = <0>; };",
     "g/v: skerry,weight: 0: must be 1 to 65535"),
    ("v { compatible = \"xen,vcpu\"; id = <0>; }; "
     "w { compatible = \"xen,vcpu\"; id = <0>; };",
     "g/w: id: 0: described twice"),
])
def test_shares(work, body, line):
    write(work, body)
    refused(work, f"/chosen/{line}")


def test_control_loop(work):
    """Packed as it is written."""
    write(work, "skerry,period-us = <1000>; skerry,budget-us = <300>; "
          "v { compatible = \"xen,vcpu\"; id = <0>; skerry,extra-time; };")
    done = mkboot(work)
    assert done.returncode == 0, done.stdout + done.stderr
    tree = fdt.parse((work / "out/host.dtb").read_bytes())
    guest = tree.find("/chosen/g")
    assert guest.u32("skerry,period-us") == 1000
    assert guest.u32("skerry,budget-us") == 300
    assert guest.nodes["v"].props["skerry,extra-time"] == b""


def test_watchdog_needs_an_spi(work):
    text = GUEST.format(body="nr_spis = <0>; skerry,watchdog-ms = <5>;",
                        kernel="kernel", kernel_body="")
    write(work, text=text.replace("vpl011;", ""))
    refused(work, "/chosen/g: nr_spis: 0: skerry,watchdog-ms needs one")


def test_syntax_error_has_its_line(work):
    (work / "guests.dts").write_text("/dts-v1/;\n/ { chosen { x = ; }; };\n")
    done = mkboot(work)
    assert done.returncode == 1
    assert "guests.dts:2" in done.stderr


def test_force(work):
    write(work, body="direct-map;")
    done = mkboot(work, "direct", "--force")
    assert done.returncode == 0
    assert "warning" in done.stderr and "direct-map" in done.stderr
    assert (work / "out/host.dtb").exists()


def test_cpu_list():
    assert describe.cpu_list("0-3,5") == {0, 1, 2, 3, 5}
    assert describe.cpu_list("7") == {7}
    for bad in ("", "x", "3-1", "1,,2", "-1", "1-", "0x1"):
        assert not describe.cpu_list(bad), bad


# --- files ----------------------------------------------------------------------

@pytest.mark.parametrize("data, reason", [
    (b"", "empty"),
    (b"MZ\0\0zimg" + bytes(100), "a compressed EFI zboot image, unpack it "
     "first"),
    (bytes(0x24) + struct.pack("<I", 0x016F2818) + bytes(40),
     "an AArch32 kernel, only arm64 Images run"),
    (b"\x7fELF" + bytes(100),
     "not an arm64 Image (no magic at offset 56)"),
    (gzip.compress(arm64_image(), mtime=0)[:40], None),
])
def test_bad_kernel(work, data, reason):
    (work / "kernel").write_bytes(data)
    write(work)
    if reason:
        refused(work, f"/chosen/g/k: skerry,file: {work / 'kernel'}: "
                f"{reason}")
    else:
        done = mkboot(work)
        assert done.returncode == 1 and "damaged gzip" in done.stderr


def test_missing_file(work):
    write(work, kernel="absent")
    refused(work, "/chosen/g/k: skerry,file: \"absent\": no such file beside "
            f"the description or in {work}")


def test_kernel_larger_than_its_guest(work):
    (work / "kernel").write_bytes(arm64_image(need=65 * MIB))
    write(work)
    refused(work, "/chosen/g: memory: 65536 KiB: the kernel alone needs "
            "66560 KiB")


# --- addresses and outputs ------------------------------------------------------

def outputs(work):
    with open(work / "out/plan.json", encoding="utf-8") as f:
        return json.load(f)


def test_direct(work):
    (work / "kernel").write_bytes(gzip.compress(arm64_image(3 * MIB)))
    write(work, body="r { compatible = \"multiboot,ramdisk\"; "
          "skerry,file = \"initrd\"; };", kernel_body="bootargs = \"a b\";")
    assert mkboot(work, "direct", *PLAIN, "--bootargs",
                  "rawcon").returncode == 0
    modules = outputs(work)["modules"]
    assert [m["size"] for m in modules] == [3 * MIB, 6]
    assert (work / "out/g-kernel.bin").read_bytes() == arm64_image(3 * MIB)
    tree = fdt.parse((work / "out/host.dtb").read_bytes())
    chosen = tree.find("/chosen")
    assert chosen.string("stdout-path") == "/uart"
    assert chosen.string("xen,xen-bootargs") == "rawcon"
    assert "bootargs" not in chosen.props
    assert "linux,initrd-start" not in chosen.props
    kernel = tree.find("/chosen/g/k")
    assert "skerry,file" not in kernel.props
    assert kernel.string("bootargs") == "a b"
    for node, module in (("k", modules[0]), ("r", modules[1])):
        assert fdt.reg_pairs(tree.find(f"/chosen/g/{node}"), 2, 2) == \
            [(module["address"], module["size"])]
    used = [(BASE, BASE + plan.LOADER_LOW),
            (BASE + plan.DTB_OFFSET, BASE + plan.DTB_OFFSET + plan.DTB_ROOM)]
    for module in modules:
        first, end = module["address"], module["address"] + module["size"]
        assert first % plan.ALIGN == 0
        assert BASE <= first and end <= BASE + 1024 * MIB
        assert all(end <= a or first >= b for a, b in used), module
        used.append((first, end))


def test_shared_file(work):
    one = GUEST.format(body="", kernel="kernel", kernel_body="")
    write(work, text=one + one.replace("g {", "h {"))
    assert mkboot(work, "direct", *PLAIN).returncode == 0
    done = outputs(work)
    assert done["qemu"].count("-device") == 1
    tree = fdt.parse((work / "out/host.dtb").read_bytes())
    assert tree.find("/chosen/g/k").props["reg"] == \
        tree.find("/chosen/h/k").props["reg"]


def test_reserved_memory_is_avoided(work):
    hole = (BASE + 16 * MIB, 64 * MIB)
    (work / "board.dtb").write_bytes(board(reserved=[hole]))
    write(work)
    assert mkboot(work).returncode == 0
    assert outputs(work)["modules"][0]["address"] >= sum(hole)


def virt(kept=None):
    """The board as QEMU's virt, with a node that a log is kept in."""
    root = fdt.parse(board())
    root.props["compatible"] = fdt.text("linux,dummy-virt")
    if kept:
        node = root.add("reserved-memory")
        node.props.update({"#address-cells": fdt.cells(2, 1),
                           "#size-cells": fdt.cells(2, 1), "ranges": b""})
        node.add("cma").props.update({"size": fdt.cells(MIB, 2),
                                      "reusable": b""})
        node.add("log").props.update({
            "compatible": fdt.text("ramoops"),
            "reg": fdt.cells(kept, 2) + fdt.cells(MIB, 2)})
    return fdt.build(root)


@pytest.mark.parametrize("kept", [None, BASE + 18 * MIB])
def test_kept_log(work, kept):
    """One region, the tree's own or a new one, that nothing is put over."""
    (work / "board.dtb").write_bytes(virt(kept))
    write(work)
    assert mkboot(work, "direct", *PLAIN).returncode == 0
    tree = fdt.parse((work / "out/host.dtb").read_bytes())
    found = [n for n in tree.find("/reserved-memory").walk()
             if n.compatible("ramoops")]
    assert len(found) == 1
    at, size = fdt.reg_pairs(found[0], 2, 2)[0]
    assert (at, size) == ((kept, MIB) if kept else
                          (BASE + plan.LOADER_LOW, plan.KEPT))
    for module in outputs(work)["modules"]:
        assert module["address"] + module["size"] <= at or \
            module["address"] >= at + size


def test_plan():
    p = plan.Plan([(BASE, 256 * MIB)])
    p.reserve("low", BASE, 16 * MIB)
    p.reserve("mid", BASE + 20 * MIB, MIB + 1)
    assert p.place("a", 5 * MIB).address == BASE + 22 * MIB
    assert p.place("b", 3 * MIB).address == BASE + 16 * MIB
    assert p.place("c", 1).address == BASE + 28 * MIB
    with pytest.raises(plan.PlanError, match="no room for d"):
        p.place("d", 256 * MIB)


def test_uboot(work):
    write(work)
    assert mkboot(work, "uboot").returncode == 0
    listing = subprocess.run(["mkimage", "-l", work / "out/skerry.itb"],
                             capture_output=True, text=True,
                             check=True).stdout
    module = outputs(work)["modules"][0]
    assert f"Load Address: {module['address']:#010x}" in listing
    assert "Default Configuration: 'skerry'" in listing
    names = subprocess.run(
        ["mdir", "-b", "-i", f"{work / 'out/disk.img'}@@1M", "::"],
        capture_output=True, text=True, check=True).stdout.split()
    assert names == ["::/boot.scr", "::/skerry.itb"]
    mbr = (work / "out/disk.img").read_bytes()[:512]
    assert mbr[510:] == b"\x55\xaa" and mbr[450] == 0x0c


def test_outputs_repeat(work):
    """The same inputs make the same bytes."""
    write(work)
    sums = []
    for day in (0, 3):
        for name in ("kernel", "hyp"):
            os.utime(work / name, (86400 * day, 86400 * day))
        assert mkboot(work, "uboot").returncode == 0
        time.sleep(2.1)		# FAT counts in steps of two seconds
        sums.append([hashlib.sha256((work / "out" / name).read_bytes())
                     .hexdigest() for name in
                     ("boot.scr", "skerry.itb", "disk.img")])
    assert sums[0] == sums[1]


# --- device trees ------------------------------------------------------------------

def test_round_trip(work):
    source = "/dts-v1/;\n/memreserve/ 0x1000 0x2000;\n/ { a = <1 2>; " \
        "b { c; d = \"x\", \"y\"; e { }; }; b2 { a = [00 01 02]; }; };\n"
    (work / "t.dts").write_text(source)
    blob = subprocess.run(["dtc", "-q", "-O", "dtb", work / "t.dts"],
                          capture_output=True, check=True).stdout
    again = fdt.build(fdt.parse(blob), fdt.reserve_map(blob))

    def back(data):
        return subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts"],
                              input=data, capture_output=True,
                              check=True).stdout
    assert back(blob) == back(again)


@pytest.mark.parametrize("blob", [
    b"", bytes(64), board()[:100], board()[:56] + b"\xff" * 400])
def test_damaged_tree(blob):
    with pytest.raises(fdt.FdtError):
        fdt.parse(blob)


def with_prop(path, prop, value):
    root = fdt.parse(virt(BASE + 18 * MIB))
    root.find(path).props[prop] = value
    return fdt.build(root)


def with_reservations_at(offset):
    blob = bytearray(board())
    blob[16:20] = fdt.cells(offset, 1)
    return bytes(blob)


@pytest.mark.parametrize("blob, reason", [
    (bytes(64), "not a device tree (bad magic)"),
    (board(cpus=0), "no CPUs or no memory in it"),
    (with_reservations_at(1 << 30), "no end of the memory reservations"),
    (with_reservations_at(len(board()) - 8),
     "no end of the memory reservations"),
    (with_prop("/", "#address-cells", bytes(8)),
     "/: #address-cells: must be one cell"),
    (with_prop("/", "#size-cells", b""), "/: #size-cells: must be one cell"),
    (with_prop(f"/memory@{BASE:x}", "reg", bytes(20)),
     f"/memory@{BASE:x}: reg: must be pairs of 2 and 2 cells, is 20 bytes"),
    (with_prop("/reserved-memory", "#size-cells", bytes(8)),
     "/reserved-memory: #size-cells: must be one cell"),
    (with_prop("/reserved-memory/log", "reg", bytes(12)),
     "/reserved-memory/log: reg: must be pairs of 2 and 2 cells, is 12 bytes"),
], ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("mode", ["check", "direct"])
def test_damaged_board(work, mode, blob, reason):
    """A line with the file's name."""
    (work / "board.dtb").write_bytes(blob)
    write(work)
    done = mkboot(work, mode)
    assert (done.returncode, done.stderr) == \
        (1, f"mkboot: {work / 'board.dtb'}: {reason}\n")


def test_image_header():
    head = image.header(arm64_image(8192, 12345), "x")
    assert (head.text_offset, head.image_size) == (0, 12345)
