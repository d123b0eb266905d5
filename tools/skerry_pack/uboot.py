# SPDX-License-Identifier: Apache-2.0
"""What U-Boot boots: boot.scr, a FIT with hypervisor, device tree and the
guests' parts, and a disk image (MBR, one FAT partition) that holds both."""
import os
import struct
import tempfile
import zlib
from dataclasses import dataclass

from .sign import Key
from .tool import run

MIB = 1 << 20
SECTOR = 512
PART_START = 2048			# sectors: 1 MiB
CONFIG = "skerry"

SCRIPT = """\
# Written by tools/mkboot. U-Boot's distro boot has set devtype, devnum and
# distro_bootpart to where it found this script. The device tree stays where
# it is loaded: at the top of RAM it would stand in the way of the guests.
setenv fdt_high 0xffffffffffffffff
echo Loading Skerry from ${{devtype}} ${{devnum}}:${{distro_bootpart}}
if load ${{devtype}} ${{devnum}}:${{distro_bootpart}} {fit:#x} ${{prefix}}skerry.itb; then
	bootm {fit:#x}#{config}
fi
echo Skerry could not be started
"""

FIT = """\
/dts-v1/;
/ {{
	description = "Skerry and its guests";
	#address-cells = <1>;
	images {{
		hypervisor {{
			description = "Skerry";
			data = /incbin/("{hyp}");
			type = "kernel";
			arch = "arm64";
			os = "linux";
			compression = "none";
			load = {hyp_at};
			entry = {hyp_at};
			hash-1 {{ algo = "sha256"; }};
		}};
		fdt {{
			description = "Board and guest descriptions";
			data = /incbin/("{dtb}");
			type = "flat_dt";
			arch = "arm64";
			compression = "none";
			load = {dtb_at};
			hash-1 {{ algo = "sha256"; }};
		}};
{parts}	}};
	configurations {{
		default = "{config}";
		{config} {{
			description = "Skerry";
			kernel = "hypervisor";
			fdt = "fdt";
{loadables}{signature}		}};
	}};
}};
"""

# Guests may be large and a boot loader's SHA-256 slow: where nothing is signed
# a CRC finds damage. A signature has to bind address, size and content of each
# part, or one could be made to land on what was verified before.
PART = """\
		{name} {{
			description = "{name}";
			data = /incbin/("{file}");
			type = "firmware";
			arch = "arm64";
			os = "linux";
			compression = "none";
			load = {at};
			hash-1 {{ algo = "{algo}"; }};
		}};
"""


@dataclass
class Part:
    name: str
    address: int
    data: bytes


@dataclass
class Boot:
    hypervisor: bytes
    hyp_address: int
    dtb: bytes
    dtb_address: int
    parts: list
    fit_address: int
    key: Key = None			# signs the configuration


def cell_pair(address):
    return f"<{address >> 32:#x} {address & 0xffffffff:#x}>" \
        if address >> 32 else f"<{address:#x}>"


def write_boot_dir(out, boot):
    with tempfile.TemporaryDirectory(dir=out) as tmp:
        fit = os.path.join(out, "skerry.itb")
        scr = os.path.join(out, "boot.scr")
        write_fit(fit, boot, tmp)
        source = os.path.join(out, "boot.cmd")
        with open(source, "w", encoding="ascii") as f:
            f.write(SCRIPT.format(fit=boot.fit_address, config=CONFIG))
        run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-n",
            "Skerry", "-d", source, scr)
    write_disk(os.path.join(out, "disk.img"), [scr, fit])


def write_fit(path, boot, tmp):
    def keep(name, data):
        file = os.path.join(tmp, name)
        with open(file, "wb") as f:
            f.write(data)
        return name			# dtc looks beside the source

    names = [p.name for p in boot.parts]
    parts = "".join(PART.format(
        name=p.name, file=keep(p.name, p.data), at=cell_pair(p.address),
        algo="sha256" if boot.key else "crc32") for p in boot.parts)
    listed = ", ".join(f'"{n}"' for n in names)
    signed = ["kernel", "fdt"] + ["loadables"] * bool(names)
    its = os.path.join(tmp, keep("skerry.its", FIT.format(
        hyp=keep("hypervisor", boot.hypervisor),
        hyp_at=cell_pair(boot.hyp_address),
        dtb=keep("fdt", boot.dtb), dtb_at=cell_pair(boot.dtb_address),
        parts=parts, config=CONFIG,
        loadables=f"\t\t\tloadables = {listed};\n" if names else "",
        signature=boot.key.signature("\t\t\t", signed) if boot.key else ""
    ).encode()))
    if boot.key:
        boot.key.mkimage(its, path, CONFIG, ["hypervisor", "fdt"] + names)
    else:
        run("mkimage", "-f", its, path)


def write_disk(path, files):
    """A disk with an MBR and a FAT32 partition from 1 MiB."""
    used = sum(os.path.getsize(f) for f in files)
    sectors = max(64 * MIB, used + used // 16 + 8 * MIB) // SECTOR
    sectors = -(-sectors // 2048) * 2048
    with open(path, "wb") as f:
        f.write(mbr(PART_START, sectors))
        f.truncate((PART_START + sectors) * SECTOR)
    where = f"{path}@@{PART_START * SECTOR}"
    run("mformat", "-i", where, "-F", "-H", str(PART_START), "-T",
        str(sectors), "-h", "64", "-s", "32", "-N", "534b5259", "-v",
        "SKERRY", "::")
    for file in files:
        run("mcopy", "-i", where, file, f"::{os.path.basename(file)}")


def mbr(start, sectors):
    """One active partition of type 0x0c (FAT32, LBA)."""
    signature = zlib.crc32(b"skerry")
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0C,
                        b"\xfe\xff\xff", start, sectors)
    return bytes(440) + struct.pack("<IH", signature, 0) + entry + \
        bytes(48) + b"\x55\xaa"
