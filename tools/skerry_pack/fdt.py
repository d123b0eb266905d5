# SPDX-License-Identifier: Apache-2.0
"""Flattened device trees as Python objects, read and written whole.

No libfdt: a tree is small, and the packing tool wants to change it freely.
Property values are bytes; nodes keep the order of the blob.
"""
import re
import struct
import subprocess

MAGIC = 0xD00DFEED
BEGIN, END, PROP, NOP, FINISH = 1, 2, 3, 4, 9


class FdtError(Exception):
    """A blob or a source that is not a device tree."""


class Node:
    """A node: `props` maps names to bytes, `nodes` names to nodes."""

    def __init__(self, name="", path=""):
        self.name = name
        self.path = path or "/"
        self.props = {}
        self.nodes = {}

    def add(self, name):
        """The child of that name, made if it is not there."""
        if name not in self.nodes:
            path = self.path.rstrip("/") + "/" + name
            self.nodes[name] = Node(name, path)
        return self.nodes[name]

    def walk(self):
        yield self
        for child in self.nodes.values():
            yield from child.walk()

    def find(self, path):
        node = self
        for part in path.strip("/").split("/"):
            if part:
                node = node.nodes.get(part)
            if node is None:
                return None
        return node

    # Typed reading: None where the property is absent, ValueError where its
    # length does not fit the type.
    def u32(self, name):
        value = self.props.get(name)
        return None if value is None else number(value, 1)

    def u64(self, name):
        value = self.props.get(name)
        return None if value is None else number(value, 2)

    def strings(self, name):
        value = self.props.get(name)
        if value is None:
            return None
        if not value:
            return []
        if value[-1] != 0:
            raise ValueError("must be a string")
        try:
            return value[:-1].decode().split("\0")
        except UnicodeDecodeError:
            raise ValueError("must be a string") from None

    def string(self, name):
        found = self.strings(name)
        if found is None:
            return None
        if len(found) != 1:
            raise ValueError("must be one string")
        return found[0]

    def compatible(self, what):
        try:
            return what in (self.strings("compatible") or [])
        except ValueError:
            return False


def number(value, cells):
    if len(value) != 4 * cells:
        raise ValueError("must be one cell" if cells == 1 else
                         "must be two cells")
    return int.from_bytes(value, "big")


def cells(value, count):
    return value.to_bytes(4 * count, "big")


def text(value):
    return value.encode() + b"\0"


def parse(blob):
    """The tree of a blob, which may have trailing bytes."""
    if len(blob) < 40:
        raise FdtError("too short for a device tree")
    magic, total, struct_at, strings_at = struct.unpack_from(">4I", blob)
    if magic != MAGIC:
        raise FdtError("not a device tree (bad magic)")
    if total > len(blob):
        raise FdtError("device tree is cut off")
    try:
        return _parse(blob, struct_at, strings_at)
    except (struct.error, ValueError, IndexError) as e:
        raise FdtError("device tree is damaged") from e


def _parse(blob, at, strings_at):
    stack = []
    while True:
        token, = struct.unpack_from(">I", blob, at)
        at += 4
        if token == BEGIN:
            end = blob.index(b"\0", at)
            name = blob[at:end].decode()
            at = (end + 4) & ~3
            stack.append(stack[-1].add(name) if stack else Node())
        elif token == END:
            node = stack.pop()
            if not stack:
                return node
        elif token == PROP:
            size, name_at = struct.unpack_from(">2I", blob, at)
            at += 8
            start = strings_at + name_at
            name = blob[start:blob.index(b"\0", start)].decode()
            stack[-1].props[name] = bytes(blob[at:at + size])
            at = (at + size + 3) & ~3
        elif token != NOP:
            raise FdtError(f"device tree has token {token}")


def build(root, reserved=()):
    """The blob of a tree; `reserved` are (address, size) pairs."""
    strings, offsets = bytearray(), {}
    body = bytearray()

    def emit(node):
        body.extend(cells(BEGIN, 1) + text(node.name))
        body.extend(bytes(-len(body) % 4))
        for name, value in node.props.items():
            if name not in offsets:
                offsets[name] = len(strings)
                strings.extend(text(name))
            body.extend(struct.pack(">3I", PROP, len(value), offsets[name]))
            body.extend(value + bytes(-len(value) % 4))
        for child in node.nodes.values():
            emit(child)
        body.extend(cells(END, 1))

    emit(root)
    body.extend(cells(FINISH, 1))
    rsv = b"".join(cells(a, 2) + cells(s, 2) for a, s in reserved) + bytes(16)
    struct_at = 40 + len(rsv)
    strings_at = struct_at + len(body)
    total = (strings_at + len(strings) + 7) & ~7
    head = struct.pack(">10I", MAGIC, total, struct_at, strings_at, 40, 17,
                       16, 0, len(strings), len(body))
    blob = head + rsv + bytes(body) + bytes(strings)
    return blob + bytes(total - len(blob))


def reserve_map(blob):
    """The (address, size) pairs of /memreserve/."""
    at = struct.unpack_from(">I", blob, 16)[0]
    out = []
    while True:
        try:
            address, size = struct.unpack_from(">2Q", blob, at)
        except struct.error:
            raise FdtError("no end of the memory reservations") from None
        if not (address or size):
            return out
        out.append((address, size))
        at += 16


def compile_blob(path):
    """The blob of a .dts file; FdtError has dtc's words, file and line."""
    done = subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", path],
                          capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        said = re.sub(r"^Error: |^FATAL ERROR: .*$", "", said, flags=re.M)
        raise FdtError(said.strip() or f"{path}: dtc failed")
    return done.stdout


def compile_source(path):
    """The tree of a .dts file."""
    return parse(compile_blob(path))


def reg_pairs(node, address_cells, size_cells):
    """The (address, size) pairs of `reg`."""
    value = node.props.get("reg", b"")
    step = 4 * (address_cells + size_cells)
    if not step or not value or len(value) % step:
        raise ValueError(f"must be pairs of {address_cells} and {size_cells} "
                         f"cells, is {len(value)} bytes")
    split = 4 * address_cells
    return [(int.from_bytes(value[i:i + split], "big"),
             int.from_bytes(value[i + split:i + step], "big"))
            for i in range(0, len(value), step)]
