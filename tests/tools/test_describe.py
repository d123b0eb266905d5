# SPDX-License-Identifier: Apache-2.0
"""tools/skerry_pack/describe.py and kernel/describe.c judge alike what a
guest's node and those of its vCPUs say of their shares, on random trees."""
import fcntl
import os
import random
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
# pylint: disable=wrong-import-position
from skerry_pack import describe, fdt  # noqa: E402

PROGRAM = "build/unit/describe_read"
TREES = 6000
GUEST = "/chosen/g"
# Good ones, and now and then those beside the ends of what is good.
VALUES = {
    "skerry,weight": ([1, 256, 65535], [0, 65536]),
    "skerry,slice-us": ([100, 5000, 1000000], [99, 1000001]),
    "skerry,period-us": ([100, 500, 501, 1000, 10000000], [0, 99, 10000001]),
    "skerry,budget-us": ([10, 100, 499, 500, 501], [0, 9, 10000001]),
    "skerry,deadline-us": ([10, 500, 501, 1000], [0, 9, 10000001]),
    "skerry,extra-time": ([0, 1, b""], [2, 0xffffffff]),
}


def cell(value):
    return value if isinstance(value, bytes) else fdt.cells(value, 1)


def put(rng, node):
    """Properties in any order; one in a hundred is not of one cell."""
    names = [n for n in VALUES if rng.random() < .4]
    if "skerry,period-us" in names and rng.random() < .8:
        names.append("skerry,budget-us")
    rng.shuffle(names)
    for name in names:
        value = cell(rng.choice(VALUES[name][rng.random() < .02]))
        node.props[name] = rng.choice([b"", bytes(3), bytes(8), b"yes\0"]) \
            if rng.random() < .01 else value


def tree(rng):
    root = fdt.Node()
    guest = root.add("chosen").add("g")
    cpus = rng.randint(1, 4)
    guest.props.update({
        "compatible": fdt.text("xen,domain"), "#address-cells": cell(2),
        "#size-cells": cell(2), "memory": fdt.cells(4096, 2),
        "cpus": cell(cpus)})
    if rng.random() < .4:
        guest.props["skerry,wfi"] = fdt.text(rng.choice(["native", "trap"]))
    if rng.random() < .6:
        put(rng, guest)
    kernel = guest.add("kernel")
    kernel.props.update({"compatible": fdt.text("multiboot,kernel"),
                         "reg": fdt.cells(4096, 2) + fdt.cells(64, 2)})
    for number in rng.sample(range(cpus), rng.randint(0, cpus)):
        vcpu = guest.add(f"v{number}")
        vcpu.props["compatible"] = fdt.text("xen,vcpu")
        put(rng, vcpu)
        if rng.random() < .02:
            number = rng.randint(0, cpus)
        vcpu.props["id"] = cell(number)
    return root


def ours(root):
    """Every error, and what is read if there is none."""
    errors = describe.Errors("")
    checker = describe.Checker(errors)
    checker.read(root)
    if errors:
        return [re.sub("^: /chosen/", "refused: ", e) for e in errors]
    guest = checker.guests[0]
    vcpus = [guest.sched(n)[1] for n in range(guest.cpus)]
    return [f"{int(guest.wfi == 'trap')}:" + "".join(
        f" {s.weight},{s.slice_us},{s.period_us},{s.budget_us},"
        f"{s.deadline_us or s.period_us},{s.extra_time}" for s in vcpus)]


def theirs(roots):
    """A line of each."""
    with open(os.path.join(TOP, "build/.test-lock"), "w",
              encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", "-C", TOP, PROGRAM], check=True)
    lines = subprocess.run(
        [os.path.join(TOP, PROGRAM)], input=b"".join(map(fdt.build, roots)),
        stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(lines) == len(roots)
    return lines


def test_alike():
    rng = random.Random(1)
    trees = [tree(rng) for _ in range(TREES)]
    lines = theirs(trees)
    for root, line in zip(trees, lines):
        assert line in ours(root), {n.path: n.props for n in root.walk()}
    reasons = {re.sub(r"\d+", "N", line) for line in lines}
    accepted = sum(not line.startswith("refused") for line in lines)
    assert accepted > TREES / 10 and len(reasons) > 30, (accepted, reasons)


def test_flag():
    """Of all that is none the same is said, by both."""
    values = [b"yes\0", b"no\0", b"true\0", bytes(3), bytes(8), cell(2),
              cell(0xffffffff), cell(0x01000000), bytes(5)]
    roots = [tree(random.Random(2)) for _ in values]
    for root, value in zip(roots, values):
        guest = root.nodes["chosen"].nodes["g"]
        for node in list(guest.nodes):
            if node != "kernel":
                del guest.nodes[node]
        guest.props.update({"skerry,period-us": cell(100),
                            "skerry,budget-us": cell(10),
                            "skerry,extra-time": value})
        guest.props.pop("skerry,wfi", None)
    want = "refused: g: skerry,extra-time: is a flag: by itself, or <0> or <1>"
    assert theirs(roots) == [want] * len(values)
    assert [ours(r) for r in roots] == [[want]] * len(values)
