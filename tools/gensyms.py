#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Symbol table of the image's functions, as assembly, from `nm -n` output.

    symtab_start: one record per function in address order,
        .long <address - image_start>, <offset of its name in symtab_names>
    symtab_end, symtab_names: terminated strings

It is linked last in .rodata, so that it moves no function: the second link has
the addresses that the first one had, and --check proves it.
"""
import sys


def functions(path):
    out, base = [], None
    for line in open(path, encoding="ascii"):
        if len(line.split()) != 3:  # sections of LTO's debug information
            continue
        addr, kind, name = line.split()
        if name == "image_start":
            base = int(addr, 16)
            continue
        name = name.split(".lto_priv")[0]  # a static function, renamed
        if kind in "tT" and "." not in name and not name.startswith("$"):
            out.append((int(addr, 16), name))
    return [(a - base, n) for a, n in out]


def write(syms, path):
    with open(path, "w", encoding="ascii") as f:
        f.write('	.section .rodata.symtab, "a"\n	.balign 8\n'
                "	.globl symtab_start, symtab_end, symtab_names\n"
                "symtab_start:\n")
        off = 0
        for addr, name in syms:
            f.write(f"	.long {addr}, {off}\n")
            off += len(name) + 1
        f.write("symtab_end:\nsymtab_names:\n")
        for _, name in syms:
            f.write(f'	.asciz "{name}"\n')


if sys.argv[1] == "--check":
    if functions(sys.argv[2]) != functions(sys.argv[3]):
        sys.exit("gensyms: functions moved between the two links")
elif sys.argv[1] == "--empty":
    write([], sys.argv[2])
else:
    write(functions(sys.argv[1]), sys.argv[2])
