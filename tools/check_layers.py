#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Static checks of the tree: who may include whom, how large things are, and
which conversions format strings have.

Prints one line per offence and exits 1. The table is the picture in
docs/architecture.md.
"""
import pathlib
import re
import sys

# Folder of the including file -> folders whose public headers it may include.
# A public header belongs to the folder that implements it.
OWNER = {
    "types": "lib", "util": "lib", "error": "lib", "string": "lib",
    "fmt": "lib", "list": "lib", "heap": "lib",
    "vgic": "vgic", "psci": "pv", "pl031": "pv", "ptimer": "pv",
    "wdt": "pv", "pvtime": "pv",
    "pl011": "drivers", "watchdog": "drivers",
}
MAY = {
    "lib": {"lib"},
    "arch": {"lib", "arch", "kernel", "vgic", "pv", "drivers"},
    "kernel": {"lib", "arch", "kernel", "vgic", "pv", "drivers"},
    "vgic": {"lib", "arch", "kernel", "vgic"},
    "smmu": {"lib", "arch", "kernel", "smmu"},
    "sched": {"lib", "arch", "kernel", "sched"},
    "pv": {"lib", "arch", "kernel", "pv", "vgic"},
    "drivers": {"lib", "arch", "kernel", "drivers"},
    "boards": {"lib", "kernel"},
}
# Files of kernel/ and arch/ that look up at vgic/ and pv/: boot order, the
# life of a domain, and trap dispatch (DESIGN.md, house style (a)).
LOOK_UP = {
    "kernel/init.c", "kernel/build.c", "kernel/cpu.c", "kernel/domain.c",
    "kernel/guest.c", "kernel/irq.c", "kernel/console.c", "kernel/load.c", "kernel/guestdt.c",
    "arch/arm64/trap.c", "arch/arm64/switch.c", "arch/arm64/sysregs.c",
    "arch/arm64/smccc.c", "arch/arm64/early.c", "arch/arm64/idregs.c",
}
MAX_FILE, MAX_FUNCTION = 800, 100

bad = []


def owner(header):
    m = re.match(r"skerry/(arch/)?(\w+)\.h$", header)
    if not m:
        return None
    return "arch" if m.group(1) else OWNER.get(m.group(2), "kernel")


def check_includes(path, text):
    top = path.split("/")[0]
    for n, line in enumerate(text.splitlines(), 1):
        m = re.match(r'#include [<"]([^>"]+)[>"]', line)
        if not m:
            continue
        header = m.group(1)
        where = f"{path}:{n}"
        if header.startswith("asm/") and top in ("vgic", "smmu", "sched") \
                and header != "asm/barrier.h":
            bad.append(f"{where}: {top}/ may not use {header}")
        if "boards/" in header:
            bad.append(f"{where}: nothing includes a board's header")
        own = owner(header)
        if own and own not in MAY.get(top, {"lib"}):
            bad.append(f"{where}: {top}/ may not include {own}'s {header}")
        if own in ("vgic", "pv", "smmu", "sched") and path not in LOOK_UP \
                and top in ("kernel", "arch"):
            bad.append(f"{where}: only {sorted(LOOK_UP)} look up at {own}/")


def check_sizes(path, text):
    lines = text.splitlines()
    if len(lines) > MAX_FILE:
        bad.append(f"{path}: {len(lines)} lines, at most {MAX_FILE}")
    if not path.endswith(".c"):
        return
    start = None
    for n, line in enumerate(lines, 1):
        if line == "{":
            start = n
        elif line == "}" and start:
            if n - start > MAX_FUNCTION:
                bad.append(f"{path}:{start}: function of {n - start} lines, "
                           f"at most {MAX_FUNCTION}")
            start = None


# lib/fmt.c prints an unknown conversion and leaves its argument for the next.
FORMAT = re.compile(r"%(?:%|[-0#]*\d*[lz]*[csdux])")


def check_formats(path, text):
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"__asm__.*?;", "", text, flags=re.S)
    for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text):
        if "%" in FORMAT.sub("", literal):
            bad.append(f"{path}: lib/fmt.c does not know all of \"{literal}\"")


for root in [*MAY, "include", "guests", "tests", "tools", "scripts"]:
    for p in sorted(pathlib.Path(root).rglob("*")):
        if p.suffix not in (".c", ".h", ".S", ".py", ".sh") or not p.is_file():
            continue
        path, text = str(p), p.read_text(encoding="utf-8")
        if "SPDX-License-Identifier: Apache-2.0" not in text[:200]:
            bad.append(f"{path}: no SPDX line")
        check_sizes(path, text)
        if root in MAY:
            check_includes(path, text)
        if root in MAY or root == "include":
            check_formats(path, text)
        if root in ("vgic", "smmu", "sched") and \
                re.search(r"\b(mrs|msr)\b|__asm__|sysreg_", text):
            bad.append(f"{path}: system registers belong to arch/")
        if p.suffix == ".h" and "#pragma once" not in text:
            bad.append(f"{path}: no #pragma once")

print("\n".join(bad) if bad else "layers, sizes, headers: ok")
sys.exit(bool(bad))
