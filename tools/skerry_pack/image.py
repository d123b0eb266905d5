# SPDX-License-Identifier: Apache-2.0
"""Module files: finding them, unpacking gzip, and reading the header of an
arm64 Image, whose image_size says how much RAM the kernel needs."""
import gzip
import os
import struct
import zlib
from dataclasses import dataclass

from . import fdt

GZIP = b"\x1f\x8b"
ARM64_MAGIC = b"ARM\x64"		# at 56
ARM32_MAGIC = 0x016F2818		# at 0x24 of a zImage
ZBOOT = b"zimg"				# at 4 of an EFI zboot image


class ImageError(Exception):
    """A file that cannot be packed; the text is the reason."""


@dataclass
class Header:
    text_offset: int
    image_size: int


def locate(name, dts, top):
    """The file, relative to the description's folder, else to the top."""
    for base in (os.path.dirname(os.path.abspath(dts)), top):
        path = os.path.join(base, name)
        if os.path.isfile(path):
            return path
    raise ImageError(f"\"{name}\": no such file beside the description or "
                     f"in {top}")


def read(path):
    try:
        with open(path, "rb") as f:
            data = f.read()
    except OSError as e:
        raise ImageError(f"{path}: {e.strerror}") from None
    if not data:
        raise ImageError(f"{path}: empty")
    return data


def read_kernel(path):
    """A kernel, unpacked if it came as gzip; header() judges it."""
    data = read(path)
    if data[:2] == GZIP:
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as e:
            raise ImageError(f"{path}: damaged gzip: {e}") from None
    return data


def read_tree(path):
    """A device tree or a FIT as it is; a .dts compiled."""
    if path.endswith(".dts"):
        try:
            return fdt.compile_blob(path)
        except fdt.FdtError as e:
            raise ImageError(str(e).replace("\n", " ")) from None
    data = read(path)
    if data[:4] != fdt.cells(fdt.MAGIC, 1):
        raise ImageError(f"{path}: no device tree or FIT (bad magic)")
    return data


def header(data, path):
    """The Image header; ImageError says what the file is instead."""
    if len(data) >= 64 and data[56:60] == ARM64_MAGIC:
        offset, size = struct.unpack_from("<QQ", data, 8)
        return Header(offset, max(size, len(data)))
    if data[4:8] == ZBOOT:
        raise ImageError(f"{path}: a compressed EFI zboot image, unpack it "
                         "first")
    if len(data) >= 0x28 and \
            struct.unpack_from("<I", data, 0x24)[0] == ARM32_MAGIC:
        raise ImageError(f"{path}: an AArch32 kernel, only arm64 Images run")
    raise ImageError(f"{path}: not an arm64 Image (no magic at offset 56)")
