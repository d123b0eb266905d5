#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print the size of EL2: text, data, bss, and lines of code against the budget.

size.py ELF SIZE_PROGRAM. Lines are cloc's, of C, headers and assembly, without
libraries, board data and debug-only files.
"""
import csv
import io
import os
import subprocess
import sys

BUDGET = 8000  # booting and sharing CPUs; DESIGN 1.2
FOLDERS = ["include", "lib", "arch", "kernel", "sched", "vgic", "smmu", "pv",
           "drivers"]
DEBUG_ONLY = ["ghost.c", "selftest.c", "selftest.h", "lock.c"]

elf, size = sys.argv[1:]
out = subprocess.run([size, elf], check=True, capture_output=True, text=True)
text, data, bss = out.stdout.splitlines()[1].split()[:3]

folders = [f for f in FOLDERS if os.path.isdir(f)]
out = subprocess.run(
    ["cloc", "--quiet", "--csv", "--include-lang=C,Assembly,C/C++ Header",
     "--not-match-f=^(" + "|".join(DEBUG_ONLY) + ")$", *folders],
    check=True, capture_output=True, text=True)
rows = list(csv.DictReader(io.StringIO(out.stdout.strip())))
lines = next(int(r["code"]) for r in rows if r["language"] == "SUM")
print(f"text {text}  data {data}  bss {bss} bytes")
over = f", {lines - BUDGET} OVER the budget" if lines > BUDGET else ""
print(f"EL2 code: {lines} lines of {BUDGET}{over}")
