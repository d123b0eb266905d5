# SPDX-License-Identifier: Apache-2.0
"""Descriptions that no time of the board's CPUs suffices for are refused on the
host, in the hypervisor's words; judged here once more, with fractions."""
import itertools
import math
import os
import random
import re
import subprocess
import sys
from fractions import Fraction

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from skerry_pack import fdt, pack  # noqa: E402
from test_mkboot import arm64_image, board  # noqa: E402

DESCRIPTIONS = 1000
WHOLE = 10 ** 6
LITTLE = ("CPU 0: deadline vCPUs leave {} for EL2's worker, which starts, "
          "restarts and ends guests and carries out `sched`; `pause N` of "
          "their guest makes room")
NOTHING = ("CPU {}: d{}.{} {} gets only what its deadline vCPUs leave unused "
           "of 100 %")


class Vcpu:
    """One vCPU, also as what a refusal names."""

    def __init__(self, rng, cpus):
        self.weight = rng.choice([1, 100, 256, 1000])
        self.period = self.budget = self.deadline = self.extra = 0
        if rng.random() < .8:
            self.period = rng.choice([100, 200, 250, 500, 1000])
            self.budget = rng.choice([10, self.period // 5, self.period // 4,
                                      self.period // 2, self.period])
            self.deadline = self.period if rng.random() < .6 else \
                rng.randint(self.budget, self.period)
            self.extra = rng.random() < .3
        # Some CPUs, beside those that there are not, or all.
        self.allowed = rng.sample(range(cpus), rng.randint(1, cpus)) \
            if rng.random() < .5 else None

    def put(self, node, number):
        node.props["compatible"] = fdt.text("xen,vcpu")
        values = {"id": number, "skerry,weight": self.weight}
        if self.budget:
            values.update({"skerry,period-us": self.period,
                           "skerry,budget-us": self.budget,
                           "skerry,extra-time": int(self.extra)})
            # Not told where it is the period.
            if self.deadline < self.period:
                values["skerry,deadline-us"] = self.deadline
        for name, value in values.items():
            node.props[name] = fdt.cells(value, 1)
        if self.allowed is not None:
            node.props["hard-affinity"] = fdt.text(
                ", ".join(str(c) for c in self.allowed + [40, 99]))

    def demand(self, by):
        return 0 if by < self.deadline else \
            ((by - self.deadline) // self.period + 1) * self.budget


class Guest:
    def __init__(self, rng, number, cpus):
        self.name = f"g{number}"
        self.vcpus = [Vcpu(rng, cpus) for _ in range(rng.randint(1, 4))]
        self.later = rng.random() < .1
        self.bad = rng.random() < .1

    def put(self, chosen):
        node = chosen.add(self.name + "@1")
        node.props.update({
            "compatible": fdt.text("xen,domain"),
            "#address-cells": fdt.cells(2, 1),
            "#size-cells": fdt.cells(2, 1), "memory": fdt.cells(4096, 2),
            "cpus": fdt.cells(len(self.vcpus), 1),
            "skerry,start": fdt.text("later" if self.later else "boot")})
        if self.bad:
            node.props["direct-map"] = b""
        node.add("kernel").props.update({
            "compatible": fdt.text("multiboot,kernel"),
            "reg": fdt.cells(4096, 2) + fdt.cells(64, 2)})
        for number, vcpu in enumerate(self.vcpus):
            vcpu.put(node.add(f"v{number}"), number)


def millionths(vcpus):
    return math.ceil(WHOLE * sum(Fraction(v.budget, v.period)
                                 for v in vcpus if v.budget))


def percent(ppm):
    return f"{ppm // 10000}.{ppm % 10000:04} %"


def is_late(vcpus):
    """Some demand is above its time; where the sum is at most 1 that shows
    within a hyperperiod."""
    end = math.lcm(*(v.period for v in vcpus))
    times = {v.deadline + n * v.period for v in vcpus
             for n in range(end // v.period)}
    return any(sum(v.demand(t) for v in vcpus) > t for t in times)


class Reference:
    """Worst fit, and what is to be said of it. `said` are the lines to judge:
    a refusal may name any time at which the demand is too much."""

    def __init__(self, cpus, said):
        self.on = [{} for _ in range(cpus)]	# (guest's number, vCPU's): Vcpu
        self.names = {}
        self.said = said
        self.lines, self.warnings = [], []

    def deadline_vcpus(self, cpu):
        return {at: v for at, v in sorted(self.on[cpu].items()) if v.budget}

    def order(self, vcpu, used):
        def key(cpu):
            there = self.on[cpu].values()
            ppm = millionths(there)
            weight = sum(v.weight for v in there if v.extra or not v.budget)
            if vcpu.budget:
                return cpu in used, ppm, weight, cpu
            full = ppm == WHOLE
            share = 0 if full else Fraction(weight + vcpu.weight, WHOLE - ppm)
            return cpu in used, full, share, cpu
        return sorted((c for c in range(len(self.on))
                       if vcpu.allowed is None or c in vcpu.allowed), key=key)

    def fits(self, cpu):
        vcpus = self.deadline_vcpus(cpu).values()
        return millionths(vcpus) <= WHOLE and \
            not (vcpus and is_late(vcpus))

    def place(self, number, guest):
        self.names[number] = guest.name
        used = []
        for n, vcpu in enumerate(guest.vcpus):
            order = self.order(vcpu, used)
            for cpu in order:
                before = millionths(self.on[cpu].values())
                self.on[cpu][number, n] = vcpu
                if not vcpu.budget or self.fits(cpu):
                    break
                del self.on[cpu][number, n]
            else:
                for tried in order:
                    self.on[tried][number, n] = vcpu
                    self.refuse(guest, tried, tried == order[0])
                    del self.on[tried][number, n]
                self.free(number)
                return
            used.append(cpu)
            self.warn(cpu, before, (number, n))

    def warn(self, cpu, before, last):
        """Of all when nothing is left any more, and then of each new one."""
        left = WHOLE - millionths(self.on[cpu].values())
        more = WHOLE - left > before
        if cpu == 0 and more and left < WHOLE // 10:
            self.warnings.append(LITTLE.format(percent(left)))
        self.warnings += [
            NOTHING.format(cpu, *at, self.names[at[0]])
            for at, v in sorted(self.on[cpu].items())
            if not left and not v.budget and (more or at == last)]

    def free(self, number):
        for there in self.on:
            for at in [at for at in there if at[0] == number]:
                del there[at]

    def refuse(self, guest, cpu, first):
        vcpus = self.deadline_vcpus(cpu)
        ppm = millionths(vcpus.values())
        by, colon, kinds = None, "", (" ", " ")
        if first:
            colon = ":"
            kinds = [f"/chosen/{guest.name}@1: skerry,{kind}-us:"
                     for kind in ("budget", "deadline")]
        if ppm > WHOLE:
            self.lines.append(f"{kinds[0]} CPU {cpu} would need "
                              f"{percent(ppm)} of its time{colon}")
        else:
            found = re.search(r" by (\d+) us after", self.said[len(self.lines)])
            assert found, self.said[len(self.lines):]
            by = int(found[1])
            needs = sum(v.demand(by) for v in vcpus.values())
            assert needs > by
            self.lines.append(f"{kinds[1]} CPU {cpu} needs {needs} us "
                              f"by {by} us after a start of all{colon}")
        for (number, n), v in vcpus.items() if first else ():
            line = (f"  d{number}.{n} {self.names[number]} {v.budget} of every "
                    f"{v.period} us")
            self.lines.append(
                f"{line}: {percent(millionths([v]))}" if by is None else
                f"{line} within {v.deadline}: {v.demand(by)} us")


def judge(path, guests, cpus):
    """Lines of errors, without the file's name, and warnings."""
    root = fdt.Node()
    for guest in guests:
        guest.put(root.add("chosen"))
    path.write_bytes(fdt.build(root))
    packed = pack.Pack(str(path), TOP)
    packed.read(cpus)
    assert len(packed.errors) == sum(g.bad for g in guests)
    del packed.errors[:]
    packed.fits_board(pack.Board(board(cpus)))
    assert all(e.startswith(f"{path}: ") for e in packed.errors)
    return [e[len(f"{path}: "):] for e in packed.errors], packed.warnings


def test_random(tmp_path):
    rng = random.Random(1)
    kinds = dict.fromkeys(("budget-us", "deadline-us", "all", "fits"), 0)
    for _ in range(DESCRIPTIONS):
        cpus = rng.randint(1, 4)
        guests = [Guest(rng, n, cpus) for n in range(rng.randint(1, 6))]
        said, warnings = judge(tmp_path / "guests.dtb", guests, cpus)
        reference = Reference(cpus, said)
        numbers = itertools.count(1)
        for guest in guests:
            number = None if guest.later else next(numbers)
            if number and not guest.bad:
                reference.place(number, guest)
        assert said == reference.lines
        assert warnings == reference.warnings
        for kind in "budget-us", "deadline-us":
            kinds[kind] += any(kind in line for line in said)
        kinds["all"] += bool(warnings)
        kinds["fits"] += not said
    assert min(kinds.values()) > DESCRIPTIONS / 20, kinds


# --- as users see it ----------------------------------------------------------

GUEST = """
	%s { compatible = "xen,domain"; #address-cells = <2>;
		#size-cells = <2>; memory = <0 4096>; cpus = <%d>; %s
		k { compatible = "multiboot,kernel"; reg = <0 0x48000000 0 64>; };
	};
"""
OVER = "skerry,budget-us = <7000>; skerry,period-us = <10000>;"


@pytest.fixture
def work(tmp_path):
    (tmp_path / "board.dtb").write_bytes(board(2))
    return tmp_path


def check(work, *guests, options=(), top=TOP, args=None):
    (work / "over.dts").write_text("/dts-v1/;\n/ { chosen {" + "".join(
        GUEST % g for g in guests) + "}; };\n")
    args = ["-d", "board.dtb"] if args is None else args
    return subprocess.run(
        [os.path.join(top, "tools/mkboot"), "check", "over.dts", "--unsigned",
         "all", *args, *options], capture_output=True, text=True, cwd=work,
        check=False)


REFUSED = ["mkboot: over.dts: /chosen/over: skerry,budget-us: CPU 0 would "
           "need 140.0000 % of its time:",
           "mkboot: over.dts:   d1.0 over 7000 of every 10000 us: 70.0000 %",
           "mkboot: over.dts:   d1.2 over 7000 of every 10000 us: 70.0000 %",
           "mkboot: over.dts:   CPU 1 would need 140.0000 % of its time"]


def test_refused(work):
    """As an error; another guest has the place of the one that is refused."""
    done = check(work, ("over", 3, OVER), ("next", 2, OVER))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == REFUSED


def test_constrained(work):
    done = check(work, *(
        (name, 1, f"skerry,budget-us = <{budget}>; skerry,period-us = "
         f"<{period}>; skerry,deadline-us = <{deadline}>; v {{ compatible = "
         "\"xen,vcpu\"; id = <0>; hard-affinity = \"1\"; };")
        for name, budget, period, deadline in (
            ("loop", 300, 1000, 1000), ("early", 300, 2000, 400),
            ("sensor", 200, 4000, 450))))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"mkboot: over.dts: {l}" for l in (
        "/chosen/sensor: skerry,deadline-us: CPU 1 needs 500 us by 450 us "
        "after a start of all:",
        "  d1.0 loop 300 of every 1000 us within 1000: 0 us",
        "  d2.0 early 300 of every 2000 us within 400: 300 us",
        "  d3.0 sensor 200 of every 4000 us within 450: 200 us")]


PINNED = "".join(f" v{n} {{ compatible = \"xen,vcpu\"; id = <{n}>; "
                 "hard-affinity = \"0\"; };" for n in range(8))


def test_too_many(work):
    """The 65th, and all the others by their names."""
    done = check(work, *((f"g{n}", 8, "skerry,budget-us = <10>; "
                          f"skerry,period-us = <10000>;{PINNED}")
                         for n in range(1, 10)))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"mkboot: over.dts: {l}" for l in (
        "/chosen/g9: skerry,budget-us: CPU 0 would have 65 deadline vCPUs, "
        "at most 64:",
        *(f"  d{n}.{v} g{n} 10 of every 10000 us: 0.1000 %"
          for n in range(1, 9) for v in range(8)),
        "  d9.0 g9 10 of every 10000 us: 0.1000 %")]


def test_too_long(work):
    """Exactly 100 %, of periods without common divisors, and one deadline
    before its period's end."""
    periods = [a * (a + 1) for a in range(3000, 3063)] + [3063]
    deadlines = periods[:-1] + [3062]
    guests = [(f"g{n}", 8, "".join(
        f" v{v} {{ compatible = \"xen,vcpu\"; id = <{v}>; hard-affinity = "
        f"\"0\"; skerry,budget-us = <3000>; skerry,period-us = "
        f"<{periods[8 * n + v]}>; skerry,deadline-us = "
        f"<{deadlines[8 * n + v]}>; }};" for v in range(8)))
        for n in range(8)]
    done = check(work, *guests)
    assert done.returncode == 1
    # Beside what is said of the worker's time.
    said = [l for l in done.stderr.splitlines() if "warning" not in l]
    assert said == [f"mkboot: over.dts: {l}" for l in (
        "/chosen/g7: skerry,deadline-us: CPU 0 would need 100.0000 % of its "
        "time, and cannot be shown to suffice within 20000 steps; periods "
        "that are multiples of each other help:",
        *(f"  d{n // 8 + 1}.{n % 8} g{n // 8} 3000 of every {periods[n]} us "
          f"within {deadlines[n]}: "
          f"{percent(math.ceil(Fraction(3000 * WHOLE, periods[n])))}"
          for n in range(64)))]


def test_board_not_known(work):
    done = check(work, ("over", 3, OVER), args=[])
    assert (done.returncode, done.stderr) == (0, "")


def test_later(work):
    """It may be created when others have gone."""
    done = check(work, ("over", 3, OVER + "skerry,start = \"later\";"))
    assert (done.returncode, done.stderr) == (0, "")


def test_all_of_cpu_0(work):
    done = check(work, ("g", 2, "skerry,budget-us = <100>; "
                        "skerry,period-us = <100>;"))
    assert (done.returncode, done.stderr) == \
        (0, f"mkboot: warning: {LITTLE.format('0.0000 %')}\n")


def test_more_cpus_than_any_build_has(work):
    """Only 64 count, and CPUs beyond are no CPUs."""
    (work / "board.dtb").write_bytes(board(100))
    pinned = "v { compatible = \"xen,vcpu\"; id = <0>; " \
        "hard-affinity = \"%s\"; };"
    done = check(work, ("g", 1, OVER + pinned % "63-99"))
    assert (done.returncode, done.stderr) == (0, "")
    done = check(work, ("g", 1, OVER + pinned % "64-99"))
    assert done.stderr == ("mkboot: over.dts: /chosen/g/v: hard-affinity: "
                           "\"64-99\": the board has 64 CPUs\n")


def test_run(work):
    """With as many CPUs as `make run` says."""
    (work / "hyp").write_bytes(arm64_image())
    check(work, ("over", 3, OVER))
    for cpus, status in ("2", 2), ("3", 0):
        done = subprocess.run(
            [os.path.join(TOP, "tools/run"), "over.dts", "--dry-run",
             "--unsigned", "all", "--boot", "direct", "--hyp", "hyp",
             "--output", "out"], capture_output=True, text=True, check=False,
            cwd=work, env=dict(os.environ, CPUS=cpus))
        assert done.returncode == status, done.stderr
        if status:
            assert done.stderr.splitlines() == \
                [line.replace("mkboot", "run") for line in REFUSED]


def test_fresh_clone(work):
    """The first one who asks has the program built."""
    (work / "tools").mkdir()
    for name in ("mkboot", "skerry_pack", "placecheck.c"):
        (work / "tools" / name).symlink_to(os.path.join(TOP, "tools", name))
    for name in ("Makefile", "Kconfig", "include", "kernel", "lib", "sched",
                 "tests"):
        (work / name).symlink_to(os.path.join(TOP, name))
    done = check(work, ("over", 3, OVER), top=work)
    assert done.stderr.splitlines() == REFUSED
    assert os.listdir(work / "build") == ["tools"]
    (work / "Makefile").unlink()
    assert check(work, ("over", 3, OVER), top=work).stderr == done.stderr
    (work / "build/tools/placecheck").unlink()
    done = check(work, ("over", 3, OVER), top=work)
    assert done.returncode == 1 and "mkboot: make " in done.stderr
