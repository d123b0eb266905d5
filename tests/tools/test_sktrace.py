# SPDX-License-Identifier: Apache-2.0
"""tools/sktrace on dumps written by hand: what the events mean, each error
with its line, the trace events to the last field, and the picture."""
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import xml.etree.ElementTree as ET

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SKTRACE = os.path.join(TOP, "tools/sktrace")
SVG = "{http://www.w3.org/2000/svg}"


def load():
    loader = importlib.machinery.SourceFileLoader("sktrace", SKTRACE)
    spec = importlib.util.spec_from_loader("sktrace", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


sktrace = load()

# 1 MHz: a tick is 1 us; the first record is at 0x1000.
HEAD = ["(sk) trace: begin freq 1000000 cpus 2 now 2000 until 0 was off",
        "(sk) trace: d1 rt", "(sk) trace: d2 linux"]
RECORDS = """
c0 1000 wake d1.0 0
c0 1000 run d2.1 0
c0 1064 exit d2.1 5a000000
c0 106e enter d2.1 0
c0 1078 exit d2.1 0
c0 107a irq d2.1 1b
c0 107c preempt d2.1 0
c0 1080 run d1.0 0
c0 10c0 exhausted d1.0 0
c0 10d0 run d2.1 0
c0 1140 replenish d1.0 0
c0 1150 preempt d2.1 0
c0 1150 run d1.0 0
c0 1190 block d1.0 0
c0 1194 idle - 0
c1 1100 irq - 22
c1 1110 run d0.0 0
c1 1130 wake d2.1 0
c1 1140 idle - 0
"""


def log(records=RECORDS, head=HEAD, lost=0, end=None):
    body = [f"(sk) trace: {r}" for r in records.strip().splitlines() if r]
    return "\n".join(head + body + [end if end is not None else
                     f"(sk) trace: end {len(body)} records, {lost} overwritten"]
                     ) + "\n"


def schedule(text=None, start=None, end=None):
    return sktrace.Schedule(sktrace.Dump("log", text or log())).cut(start, end)


def run(*args, text=None, env=None):
    return subprocess.run([SKTRACE, *args], input=text or log(), text=True,
                          capture_output=True, check=False, env=env)


def states(s, vcpu):
    return [(x.start, x.end, x.what, x.cpu) for x in sorted(s.vcpus)
            if x.who == vcpu]


def test_states():
    s = schedule()
    assert states(s, (1, 0)) == [
        (0, 128, "ready", None), (128, 192, "running", 0),
        (192, 320, "throttled", None), (320, 336, "ready", None),
        (336, 400, "running", 0)]
    # Preempted, it stays ready; a wake of one that runs changes nothing.
    assert states(s, (2, 1)) == [
        (0, 124, "running", 0), (124, 208, "ready", None),
        (208, 336, "running", 0), (336, 404, "ready", None)]
    assert states(s, (0, 0)) == [(272, 320, "running", 1)]
    assert [(x.start, x.end, x.who, x.cpu) for x in s.cpus] == [
        (0, 124, (2, 1), 0), (128, 192, (1, 0), 0), (208, 336, (2, 1), 0),
        (272, 320, (0, 0), 1), (336, 400, (1, 0), 0)]
    assert [(x.start, x.end, x.what) for x in s.el2] == [
        (100, 110, 0x5a000000), (120, 124, 0)]
    assert s.waits == [(128, (1, 0), 128)]


def test_inferred():
    """A ring that has lost when its vCPU came, and one that moves."""
    s = schedule(log("c0 1000 exit d1.0 0\nc0 1010 enter d1.0 0\n"
                     "c1 1020 run d1.0 0\nc1 1030 block d1.0 0\n"
                     "c1 1031 irq d1.0 1b\nc1 1040 idle - 0"))
    assert [(x.start, x.end, x.who, x.cpu) for x in s.cpus] == [
        (0, 32, (1, 0), 0), (32, 48, (1, 0), 1), (49, 64, (1, 0), 1)]
    # Blocked while throttled, and given a budget it does not wait for.
    s = schedule(log("c0 1000 run d1.0 0\nc0 1010 exhausted d1.0 0\n"
                     "c0 1020 wake d1.0 0\nc0 1030 block d1.0 0\n"
                     "c0 1040 replenish d1.0 0\nc0 1050 wake d1.0 0\n"
                     "c0 1060 wake d1.0 0\nc0 1070 run d1.0 0"))
    assert states(s, (1, 0)) == [
        (0, 16, "running", 0), (16, 48, "throttled", None),
        (80, 112, "ready", None)]
    assert s.waits == [(112, (1, 0), 32)]


def test_deferred_by_wake():
    """Told by the CPU that woke it, which says nothing of where it runs; nor
    what came of it when its own CPU's records do not go back so far."""
    text = ("c0 1000 idle - 0\nc1 1010 wake d1.0 0\nc1 1010 exhausted d1.0 0\n"
            "c0 1050 replenish d1.0 0\nc0 1050 run d1.0 0\nc0 1070 block d1.0 0")
    assert states(schedule(log(text)), (1, 0)) == [
        (16, 80, "throttled", None), (80, 112, "running", 0)]
    s = schedule(log(text[text.index("c1"):]))
    assert states(s, (1, 0)) == [(64, 96, "running", 0)]
    assert [x.end for x in s.no_vcpus] == [64]


def test_until():
    """What runs at the end ran until tracing stopped."""
    text = log("c1 1000 irq d1.0 0\nc0 1010 idle - 0\nc0 1020 wake d2.0 0",
               [HEAD[0].replace("until 0", "until 1064")])
    s = schedule(text)
    assert [(x.start, x.end) for x in s.cpus] == [(0, 100)]
    assert states(s, (2, 0)) == [(32, 100, "ready", None)]
    assert s.end == 100


def test_summary():
    done = run()
    assert done.returncode == 0 and not done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:4] == ["19", "records,", "0", "overwritten;"]
    assert lines[2:] == [
        # Preempted, linux.1 waited too, but for no wake-up.
        ["rt.0", "2", "128.0", "0", "1", "128.0", "128.0"],
        ["linux.1", "2", "252.0", "2", "0", "0.0", "84.0"],
        ["worker", "1", "48.0", "0", "0", "0.0", "0.0"],
        "CPU 0: records from 0.0 us on".split(),
        "CPU 1: records from 256.0 us on".split()]
    assert done.stdout.splitlines()[1].endswith(
        " wake to run us     ready us")
    assert run("--summary", "--from", "200", "--to", "300").stdout. \
        splitlines()[2:5] == [
            f"{n:<24} {r:>7} {u:>12} {0:>9} {0:>9} {0.0:>14} {w:>12}"
            for n, r, u, w in (("rt.0", 0, 0.0, 0.0), ("linux.1", 1, 92.0, 8.0),
                               ("worker", 1, 28.0, 0.0))]
    assert "\nCPU 1: no records\n" in run(text=log("c0 1000 idle - 0")).stdout


# CPU 1's ring goes back to 1000, CPU 0's to 1200 only; there d1.0 lives, and
# d3.0 nobody knows where.
OVERWRITTEN = """
c1 1000 run d2.0 0
c1 1010 wake d1.0 0
c1 1020 wake d3.0 0
c0 1200 exit d1.0 5a000000
c0 1210 enter d1.0 0
c0 1220 block d1.0 0
c0 1220 idle - 0
c1 1300 wake d1.0 0
c0 1308 run d1.0 0
"""


def test_no_records():
    """What a ring has lost is no idleness: not in the figures, not in the
    picture, not in the viewer. A wake-up of which the rest is lost is no wait.
    """
    s = schedule(log(OVERWRITTEN))
    assert s.waits == [(776, (1, 0), 8)]
    assert states(s, (1, 0)) == [(512, 544, "running", 0),
                                 (768, 776, "ready", None)]
    assert [(x.start, x.end, x.cpu) for x in s.no_cpus] == [(0, 512, 0)]
    assert [(x.start, x.end, x.who) for x in s.no_vcpus] == [
        (0, 32, (3, 0)), (0, 512, (1, 0))]
    told = [(e["ts"], e["dur"], e["pid"], e["tid"]) for e in
            sktrace.chrome(s)["traceEvents"] if e["name"] == "no records"]
    assert told == [(0, 512, 0, 0), (0, 32, 3, 0), (0, 512, 1, 0)]
    s = schedule(log(OVERWRITTEN), 100, 600)
    nothing = ET.fromstring(sktrace.svg(s)).iter(SVG + "rect")
    wide = 1100 * 412 // 500
    assert [(int(r.get("x")), int(r.get("width")), r.get("fill"))
            for r in nothing if r.get("class") == "none"] == \
        [(sktrace.LEFT, wide, "url(#none)")] * 2
    assert 'id="none"' in sktrace.svg(s) and ">no records<" in sktrace.svg(s)
    # Of one that shows in no other way: its row is there.
    s = schedule(log(OVERWRITTEN), 0, 8)
    assert s.all_vcpus() == [(1, 0), (2, 0), (3, 0)]


def test_json(tmp_path):
    """Every event of a short dump, field by field."""
    out = tmp_path / "t.json"
    done = run("--json", str(out), text=log(
        "c0 1000 wake d1.0 0\nc0 1004 run d1.0 0\nc0 1008 exit d1.0 5a000000\n"
        "c0 100a enter d1.0 0\nc1 1010 run d0.0 0\nc1 1014 irq d0.0 1e\n"
        "c0 1018 exhausted d1.0 0\nc0 101c idle - 0"))
    assert done.returncode == 0 and not done.stdout, done
    meta = [("process_name", 0, 0, "CPUs"), ("thread_name", 0, 0, "CPU 0"),
            ("thread_name", 0, 1, "CPU 1"), ("process_name", 1, 0, "d1 rt"),
            ("thread_name", 1, 0, "rt.0"),
            ("process_name", 256, 0, "EL2 worker"),
            ("thread_name", 256, 0, "worker")]
    spans = [("no records", 0, 16, 0, 1, {}),
             ("no records", 0, 16, 256, 0, {}),
             ("rt.0", 4, 20, 0, 0, {}), ("worker", 16, 12, 0, 1, {}),
             ("HVC", 8, 2, 0, 0, {"esr": "0x5a000000"}),
             ("ready", 0, 4, 1, 0, {}), ("running", 4, 20, 1, 0, {"cpu": 0}),
             ("running", 16, 12, 256, 0, {"cpu": 1}),
             ("throttled", 24, 4, 1, 0, {})]
    marks = [("wake", 0, 1, 0, {"cpu": 0}), ("irq 30", 20, 0, 1, {}),
             ("exhausted", 24, 1, 0, {"cpu": 0})]
    assert json.loads(out.read_text()) == {
        "displayTimeUnit": "ns", "traceEvents":
        [{"ph": "M", "name": k, "pid": p, "tid": t, "args": {"name": n}}
         for k, p, t, n in meta] +
        [{"ph": "X", "name": n, "ts": at, "dur": dur, "pid": p, "tid": t,
          "args": a} for n, at, dur, p, t, a in spans] +
        [{"ph": "i", "s": "t", "name": n, "ts": at, "pid": p, "tid": t,
          "args": a} for n, at, p, t, a in marks]}


@pytest.mark.parametrize("text,line,why", [
    ("", 0, "no dump"),
    ("hello\n(sk) trace: c0 1000 idle - 0\n", 2, "no dump"),
    (log(head=["(sk) trace: begin freq 1 cpus 2 now was on"]), 1,
     "not a dump's beginning"),
    (log(head=["(sk) trace: begin freq 0 cpus 2 now 2000 until 0 was on"]), 1,
     "neither the frequency"),
    (log("c0 1000 idle - 0\nc0 1001 hop d1.0 0"), 5, "no event is called hop"),
    (log("c2 1000 idle - 0"), 4, "no CPU 2"),
    (log("c0 1000 run - 0"), 4, "run of no vCPU"),
    (log("c0 1000 run d1 0"), 4, "neither a record nor the end"),
    (log("c0 1000 run d1.0"), 4, "neither a record nor the end"),
    (log("c0 10000000000000000 run d1.0 0"), 4, "neither a record"),
    (log("c0 1000 run d1.0 100000000"), 4, "neither a record"),
    (log("c0 1001 idle - 0\nc1 1000 idle - 0\nc0 1000 idle - 0"), 6,
     "the time of CPU 0 goes backwards"),
    (log("c0 2001 idle - 0"), 4, "later than the dump"),
    (log("c0 1000 idle - 0", end="(sk) trace: end 2 records, 0 overwritten"),
     5, "2 records were sent, 1 are here"),
    (log("c0 1000 idle - 0", end="(d1) bye"), 4, "the dump has no end"),
    (log() + HEAD[0], 23 + 1, "the dump has no end"),
    # Damaged: to fail at once, whatever the numbers are.
    (log(head=[HEAD[0].replace("cpus 2", "cpus 257")]), 1,
     "257 CPUs, at most 256"),
    (log(head=[HEAD[0].replace("cpus 2", "cpus 999999999")]), 1,
     "999999999 CPUs, at most 256"),
    (log(head=[HEAD[0].replace("cpus 2", "cpus " + "9" * 5000)]), 1,
     "not a dump's beginning"),
    (log(head=[HEAD[0].replace("1000000", "9" * 5000)]), 1,
     "not a dump's beginning"),
    (log(head=[HEAD[0].replace("until 0", "until 2001")]), 1,
     "tracing stopped later than the dump"),
    (log("c0 1000 run d256.0 0"), 4, "no vCPU is d256.0"),
    (log("c0 1000 run d1.255 0"), 4, "no vCPU is d1.255"),
    (log(f"c0 1000 run d{'9' * 5000}.0 0"), 4, "neither a record"),
    (log(f"c{'9' * 5000} 1000 idle - 0"), 4, "neither a record"),
    (log(end=f"(sk) trace: end {'9' * 5000} records, 0 overwritten"), 23,
     "neither a record nor the end"),
])
def test_malformed(text, line, why):
    with pytest.raises(sktrace.Failure) as failure:
        sktrace.Dump("log", text)
    assert str(failure.value).startswith(f"log:{line}: ") and \
        why in str(failure.value), failure.value


def test_error_is_told(tmp_path):
    path = tmp_path / "console"
    path.write_text(log("c9 1000 idle - 0"))
    done = run(str(path))
    assert done.returncode == 1 and not done.stdout
    assert done.stderr == f"sktrace: {path}:4: there are 2 CPUs, and no CPU 9\n"
    done = run(str(tmp_path / "none"))
    assert done.returncode == 1 and done.stderr.startswith("sktrace: [Errno 2]")
    done = run("--from", "500")
    assert done.returncode == 1 and "nothing from 500 us" in done.stderr
    for wrong in "nan", "inf", "-inf":
        done = run(f"--from={wrong}")
        assert done.returncode == 1 and "nothing from" in done.stderr, done


def test_extremes():
    """The slowest clock and the latest times: drawn, and soon."""
    head = [HEAD[0].replace("1000000", "1").replace("2000", "f" * 16)]
    text = log(f"c0 0 run d1.0 0\nc255 {'f' * 16} idle - 0",
               [head[0].replace("cpus 2", "cpus 256")])
    done = subprocess.run([SKTRACE, "--svg", "/dev/null"], input=text,
                          text=True, capture_output=True, check=False,
                          timeout=60)
    assert done.returncode == 0, done
    far = sktrace.ticks(1.8e25, 1.8e25 + 1)
    assert len(list(far)) < 3


def test_beside_others():
    """Lines of guests and of the shell between, CR before LF, bytes that are
    no text; a dump that has no end before the last one."""
    lines = log().splitlines()
    mixed = ["\x00boot", HEAD[0], lines[3], HEAD[0] + "\r"]
    for line in lines[1:]:
        mixed += [line + "\r", "(d1) (sk) trace: c7 0 idle - 0",
                  "skerry> list", "(sk) d1 rt running"]
    text = "\n".join(mixed).encode() + b"\n\xff\xfe\n"
    done = subprocess.run([SKTRACE], input=text, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == run().stdout


# All but LF that str.splitlines() takes for the end of a line.
SEPARATORS = ("\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028",
              "\u2029")


@pytest.mark.parametrize("separator", SEPARATORS, ids=ascii)
def test_forged(separator):
    """A line of a guest is one, whatever it has in it: no dump of its own, and
    no line in or behind the hypervisor's."""
    own = log().splitlines()
    forged = "(d1) " + separator.join(["", *log("c0 1000 idle - 0").split("\n")])
    torn = f"(d1) {separator}(sk) trace: c7 0 idle - 0{separator}"
    text = "\n".join([own[0], torn, *own[1:], forged]) + "\n"
    done = run(text=text)
    assert (done.returncode, done.stderr) == (0, ""), separator
    assert done.stdout == run().stdout
    with pytest.raises(sktrace.Failure, match="log:2: no dump"):
        sktrace.Dump("log", f"{forged}\n{torn}\n")


def test_names():
    """Names that are something else in XML; none; a control character."""
    head = [HEAD[0], '(sk) trace: d1 <b>&"x', "(sk) trace: d2 a\x1b[1Gb"]
    text = log(head=head)
    ET.fromstring(sktrace.svg(schedule(text)))
    labels = [e["args"]["name"] for e in
              sktrace.chrome(schedule(text))["traceEvents"] if e["ph"] == "M"]
    assert '<b>&"x.0' in labels and "a?[1Gb.1" in labels
    assert schedule(log(head=HEAD[:1])).dump.label((2, 1)) == "d2.1"


def boxes(s):
    root = ET.fromstring(sktrace.svg(s))
    return root, [(float(r.get("x")) - sktrace.LEFT, int(r.get("y")),
                   int(r.get("width")), int(r.get("height")), r.get("fill"))
                  for r in root.iter(SVG + "rect")
                  if not r.get("class") and r.get("fill") != "white"]


def test_svg():
    """1100 pixels for 1100 us: each span where it belongs."""
    s = schedule(log("c0 1000 run d2.0 0\nc0 1064 preempt d2.0 0\n"
                     "c0 1064 run d1.0 0\nc0 10c8 exhausted d1.0 0\n"
                     "c0 10c8 run d2.0 0\nc0 10d2 wake d1.0 0\n"
                     "c0 144c idle - 0"))
    root, found = boxes(s)
    step = sktrace.ROW + sktrace.GAP
    rows = [sktrace.TOP + n * step for n in range(4)]
    d1, d2 = sktrace.COLOURS[:2]
    full = sktrace.ROW
    assert found == [
        (0, rows[0], 100, full, d2), (100, rows[0], 100, full, d1),
        (200, rows[0], 900, full, d2),
        (100, rows[2], 100, full, d1),
        (200, rows[2], 900, full, sktrace.THROTTLED),
        (0, rows[3], 100, full, d2),
        (100, rows[3], 100, full, sktrace.colour((2, 0), "ready")),
        (200, rows[3], 900, full, d2)]
    paths = {p.get("class"): p.get("d") for p in root.iter(SVG + "path")}
    assert paths["wake"] == f"M{sktrace.LEFT + 210} {rows[2] + full}l-3 6h6z"
    assert paths["exhausted"].startswith(f"M{sktrace.LEFT + 200} ")
    texts = [t.text for t in root.iter(SVG + "text")]
    for text in ("CPU 0", "CPU 1", "rt.0", "linux.0", "0 us", "100 us",
                 "1000 us", "rt", "linux", "ready", "throttled"):
        assert text in texts, text
    # A window has the same width for less.
    _, found = boxes(schedule(log("c0 1000 run d2.0 0\nc0 1064 idle - 0\n"
                                  "c0 1100 run d1.0 0\nc0 144c idle - 0"),
                              80, 91))
    assert found[0] == (0, rows[0], 1100, full, d2)


def test_svg_merges():
    """10,000 turns on 1100 pixels stay few rectangles, and one short run among
    them stays to be seen."""
    records = []
    for n in range(10000):
        records.append(f"c0 {0x1000 + 100 * n:x} run d{1 + n % 2}.0 0")
    records.append(f"c0 {0x1000 + 1000000:x} run d3.0 0")
    records.append(f"c0 {0x1000 + 1000001:x} idle - 0")
    records.append(f"c0 {0x1000 + 1100000:x} idle - 0")
    head = [HEAD[0].replace("now 2000", "now 200000")]
    _, found = boxes(schedule(log("\n".join(records), head)))
    # Each row is one look, or two where a share was rounded.
    assert len(found) < 60, len(found)
    d3 = [b for b in found if b[4] == sktrace.COLOURS[2]]
    assert d3 and all(b[0] == 1000 and b[2] == 1 and b[3] == 1 for b in d3)
    assert sum(b[2] * b[3] for b in found if b[1] < sktrace.TOP + sktrace.ROW
               and b[4] == sktrace.COLOURS[0]) == 1000 * sktrace.ROW // 2


@pytest.mark.parametrize("start,end", [(0, 0), (0, 1e-3), (0, 7), (3, 999),
                                       (0, 5e3), (1e6, 9e6), (0, 3e9),
                                       (1e6, 1006000), (1e6, 1e6 + 0.01),
                                       (3600e6, 3600e6 + 7e3),
                                       (999999, 1000001.5)])
def test_axis(start, end):
    marks = list(sktrace.ticks(start, end))
    assert 0 < len(marks) <= 14
    assert all(start <= at <= end for at, _ in marks)
    assert len({text for _, text in marks}) == len(marks)
    # Steps of 1, 2 or 5 of some power of ten.
    steps = {f"{b[0] - a[0]:.3e}"[:5] for a, b in zip(marks, marks[1:])}
    assert steps <= {"1.000", "2.000", "5.000"} and len(steps) <= 1, steps
    # In full: what is read is where it stands.
    unit = {"s": 1e6, "ms": 1e3, "us": 1}
    for at, text in marks:
        number, name = text.split()
        assert "e" not in number
        assert abs(float(number) * unit[name] - at) <= \
            1e-6 * (end - start) + 1e-12 * end, (at, text)


@pytest.mark.parametrize("start,end", [(0, 1100), (1e6, 1006000), (1e6, 1e6),
                                       (1e6, 1000000.12), (3600e6, 3600e6 + 1.2)])
def test_axis_fits(start, end):
    """No label reaches into its neighbour or beyond the picture, and there are
    enough: the digits of DejaVu Sans, a wide one, have 0.64 of its size."""
    s = schedule(log(""), start, end)
    root = ET.fromstring(sktrace.svg(s))
    labels = [(float(t.get("x")), len(t.text) * 11 * 0.64) for t in
              root.iter(SVG + "text") if t.get("text-anchor") == "middle"]
    assert len(labels) > 4 or start == end
    assert labels[0][0] - labels[0][1] / 2 > 0
    assert labels[-1][0] + labels[-1][1] / 2 < int(root.get("width"))
    for (a, wide), (b, more) in zip(labels, labels[1:]):
        assert b - more / 2 - a - wide / 2 > 3, (a, b)


def test_axis_labels():
    text = sktrace.svg(schedule(log("c0 1000 run d1.0 0\nc0 f8000 idle - 0", [
        HEAD[0].replace("now 2000", "now f8000")]), 1e6, 1006000))
    assert ">1000000 us<" in text and ">1005500 us<" in text


def test_nothing():
    """A dump of nothing, as when it was never on."""
    text = log("")
    assert run(text=text).stdout.startswith("0 records, 0 overwritten")
    ET.fromstring(sktrace.svg(schedule(text)))
    assert [e["ph"] for e in sktrace.chrome(schedule(text))["traceEvents"]] \
        == ["M"] * 3


def test_png(tmp_path):
    out, bin_ = tmp_path / "t.png", tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "python3").symlink_to("/usr/bin/python3")
    env = dict(os.environ, PATH=str(bin_))
    done = subprocess.run(["/usr/bin/python3", SKTRACE, "--png", str(out)],
                          input=log(), text=True, capture_output=True,
                          check=False, env=env)
    assert done.returncode == 1 and not out.exists()
    assert "librsvg2-bin" in done.stderr and "Traceback" not in done.stderr
    done = run("--png", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    done = run("--png", str(tmp_path / "none/t.png"))
    assert done.returncode == 1 and done.stderr.startswith(
        "sktrace: rsvg-convert: ")
