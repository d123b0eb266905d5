#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print the line coverage of EL2's own C files by the unit tests.

coverage.py UNIT_FOLDER TARGET_FOLDER. gcov's notes and counts of the unit
tests, built with --coverage, are in UNIT_FOLDER; a line counts once, however
many tests run it. TARGET_FOLDER has notes of every source as the target's
compiler sees it, for the lines of files and functions that no test links.
"""
import collections
import gzip
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

AIM = 85  # per cent
OURS = re.compile(r"(arch|kernel|sched|vgic|smmu|pv|drivers|lib)/.*\.c$")
NOT_OURS = ("lib/libfdt/", "lib/mbedtls/")
DEBUG_ONLY = ("ghost.c", "selftest.c", "lock.c")


def read(folder):
    """{file: {line: times}} of all notes in the folder."""
    lines = collections.defaultdict(collections.Counter)
    notes = [str(n.resolve()) for n in pathlib.Path(folder).rglob("*.gcno")]
    with tempfile.TemporaryDirectory() as out:
        for n in range(0, len(notes), 50):
            # By content: sources of one name are in several folders.
            subprocess.run(["gcov", "--json-format", "--hash-filenames",
                            *notes[n:n + 50]], cwd=out, check=True,
                           capture_output=True)
        for path in pathlib.Path(out).glob("*.json.gz"):
            with gzip.open(path) as f:
                for source in json.load(f)["files"]:
                    name = os.path.normpath(source["file"])
                    if OURS.match(name) and not name.startswith(NOT_OURS) \
                            and not name.endswith(DEBUG_ONLY):
                        for line in source["lines"]:
                            lines[name][line["line_number"]] += line["count"]
    return lines


tests, target = (read(folder) for folder in sys.argv[1:])
rows = []
for name in sorted(tests.keys() | target.keys()):
    # A file that is linked whole has its lines from the host's compiler.
    lines = tests.get(name) or target[name]
    rows.append((name, sum(n > 0 for n in lines.values()), len(lines)))


def show(name, hit, total):
    print(f"{name:<28} {hit:5} of {total:5}  {100 * hit / max(total, 1):5.1f} %")


def add(some):
    return sum(r[1] for r in some), sum(r[2] for r in some)


for row in rows:
    show(*row)
print()
show("of files with a unit test", *add([r for r in rows if r[0] in tests]))
show(f"in total (the aim: {AIM} %)", *add(rows))
