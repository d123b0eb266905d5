# SPDX-License-Identifier: Apache-2.0
"""Deadline vCPUs keep their deadlines, whatever their neighbours do.

Two witnesses: guests/rt says which periods it missed, and EL2's record when
each vCPU ran after it had been woken, and how often it had not gone to wait
again by its deadline. Virtual time is instructions executed: with SHIFT = 4
each takes 16 ns, so that ten seconds are not too long to wait for, and with 0
the figures are path lengths.
"""
import re

import pytest

from harness import (ALL_STARTED, Boot, Guest, bare, expect, expect_clean,
                     expect_not, expect_tap, linux, report, systest, wakes)

CPU = "cortex-a53,cntfrq=1000000000"	# a tick is a nanosecond
LONG = 4
PIN = ('v{0} {{ compatible = "xen,vcpu"; id = <{0}>; '
       'hard-affinity = "{1}"; {2} }};')
SWITCH = "\x01\x01\x01"
PROMPT = r"skerry> "
# From when a timer is due until its deadline vCPU runs, in instructions.
WORST = 1000
# What EL2 does for a call or an access of theirs may be under way then.
BESIDE_LINUX = 1500


def server(period, budget, deadline=None, extra=False):
    return (f"skerry,period-us = <{period}>; skerry,budget-us = <{budget}>;"
            + (f" skerry,deadline-us = <{deadline}>;" if deadline else "")
            + (" skerry,extra-time;" if extra else ""))


def rt(periods, name="rt", period=1000, work=200, late=100, settle=20000,
       how=None, **more):
    """The control loop of the issue, if not told otherwise."""
    return Guest(name, bare("rt"), mib=4, bootargs=f"period_us={period} "
                 f"periods={periods} work_us={work} max_late_us={late} "
                 f"settle_us={settle}", extra=how or server(period, 300),
                 **more)


def spin(name, ms, extra="", **more):
    return Guest(name, bare("bench"), mib=4, bootargs=f"spin_ms={ms}",
                 extra=extra, **more)


def hogs(ms, count=2):
    return [spin(f"hog{i}", ms) for i in range(count)]


def boot(name, guests, cpus=1, shift=0, **more):
    return Boot(f"deadline-{name}", guests, cpus=cpus, cpu=CPU,
                icount_shift=shift, **{"timeout": 300} | more).run()


def figures(result, d, pattern):
    found = result.matching(rf"^\(sk\) d{d} \S+: {pattern}")
    assert len(found) == 1, report(result, f"d{d}: {found}")
    return [int(n) for n in re.findall(r"\d+", found[0].split(": ", 1)[1])]


def expect_kept(result, d, periods, worst_ns, missed, first=True):
    """Nothing missed by either witness. `missed` is of EL2's: at its start and
    its end the guest does more than in a period."""
    expect(result, rf"^\(d{d}\) ok 1 - rt: 0 of {periods} periods missed$", 1)
    expect_tap(result, d)
    woken, worst, _ = wakes(result, d)
    assert woken >= periods, report(result, f"d{d}: {woken} wakes")
    assert worst <= worst_ns, report(result, f"d{d}: {worst} ns")
    count, _ = figures(result, d, "deadline missed ")
    assert count <= missed, report(result, f"d{d}: {count} deadlines missed")
    if first:
        expect_first(result, d)


def expect_first(result, d):
    """The others were busy beside it to its end."""
    order = [re.match(r"\(sk\) d(\d+) \S+: off$", l) for l in result.lines]
    order = [int(m[1]) for m in order if m]
    assert order[0] == d, report(result, f"order {order}")


def beside_hogs(name, periods, shift=0, **more):
    """What EL2 counts is as much as with one period, so none is of the loop;
    but for the lines of the histogram, each of up to a budget."""
    result = boot(f"{name}-one", [rt(1, **more), *hogs(300)], shift=shift)
    missed, _ = figures(result, 1, "deadline missed ")
    result = boot(name, [rt(periods, **more), *hogs(periods * 21 // 20 + 300)],
                  shift=shift)
    expect_clean(result)
    missed += len(result.matching(r"^\(d1\) # rt: late +\d+ to"))
    expect_kept(result, 1, periods, WORST << shift, missed)


@pytest.mark.parametrize("deadline", (None, 400))
def test_hogs(deadline):
    """Exactly: half a second beside two that never wait."""
    beside_hogs(f"hogs-{deadline}", 500, how=server(1000, 300, deadline))


def test_hogs_long():
    """Ten seconds."""
    beside_hogs("hogs-long", 10000, LONG, settle=200000)


def test_can_fail():
    """The same loop, round-robin beside the same hogs: both witnesses see what
    it misses; and with too small a budget, where EL2 counts it."""
    result = boot("can-fail", [rt(200, how="skerry,weight = <64>;"),
                               *hogs(500)])
    expect(result, r"^\(d1\) not ok 1 - rt: [1-9]\d* of 200 periods missed$", 1)
    _, worst, _ = wakes(result, 1)
    assert worst > 1000000, report(result, f"{worst} ns")
    result = boot("can-fail-budget", [rt(200, how=server(1000, 190)),
                                      *hogs(300)])
    expect(result, r"^\(d1\) not ok 1 - rt: [1-9]\d* of 200 periods missed$", 1)
    missed, exhausted = figures(result, 1, "deadline missed ")
    assert missed >= 10 and exhausted >= 150, \
        report(result, f"{missed} missed, {exhausted} exhausted")


def test_linux():
    """Ten seconds beside two stock Linux that fork, pipe and sum."""
    busy = [linux(f"linux{i}", cpus=1, mib=128, args="selfcheck.busy=57")
            for i in range(2)]
    result = boot("linux", [rt(10000, settle=40000000), *busy], shift=LONG,
                  mem=512, timeout=500)
    expect_clean(result)
    expect_kept(result, 1, 10000, BESIDE_LINUX << LONG, 100)
    begin = [n for n, l in enumerate(result.lines) if "# rt: start" in l]
    for d in (2, 3):
        busy = [n for n, l in enumerate(result.lines)
                if re.match(rf"\(d{d}\) BUSY from", l)]
        assert busy and busy[0] < begin[0], report(result, f"d{d} was late")
        rounds = result.matching(rf"^\(d{d}\) BUSY until \d+, \d+ rounds$")
        assert rounds and int(rounds[0].split()[-2]) > 100, \
            report(result, f"{rounds}")


def test_from_another_cpu():
    """Woken by a vCPU of its guest on another CPU: an SGI arrives there. With
    counted instructions QEMU runs its CPUs in turn; CPU 0 sleeps as soon as it
    has sent, and so the way there is exact. The answer is late by CPU 1's turn,
    which the timers of another guest on CPU 0 end every 100 us."""
    pins = PIN.format(0, 0, "") + PIN.format(1, 1, server(1000, 300))
    guests = [systest("wake wakes=200 settle_us=150000 wake_us=3 "
                      "answer_us=250", "ping", cpus=2, mib=4, extra=pins),
              rt(3800, "beat", 100, 1, 1000, how=PIN.format(0, 0, "")),
              spin("hog", 400, PIN.format(0, 1, ""))]
    guests[2].bootargs += " at_ms=100"
    result = boot("remote", guests, cpus=2)
    expect_clean(result)
    expect_tap(result, 1)
    expect_first(result, 1)


# us: period and budget; 94.98 % of the CPU.
SIX = ((1000, 158), (2000, 317), (2500, 396), (4000, 633), (5000, 792),
       (10000, 1583))
SIX_MS = 600


def six(overruns=None):
    """Each works as long as its budget, less what preemptions and the switch
    to it cost; that one more than its budget."""
    return [rt(SIX_MS * 1000 // period, f"rt{period}", period,
               budget * 6 // 5 if period == overruns else
               budget - 8 - period // 400, late=period, settle=60000,
               how=server(period, budget)) for period, budget in SIX]


def test_six():
    result = boot("six", six() + hogs(800, 1))
    expect_clean(result)
    for d, (period, budget) in enumerate(SIX, 1):
        expect_kept(result, d, SIX_MS * 1000 // period,
                    1000 * (period - budget), 8, first=False)


@pytest.mark.parametrize("which", (1000, 4000, 10000))
def test_six_overrun(which):
    """Only the one that asks for more than it has misses."""
    result = boot(f"six-over-{which}", six(which) + hogs(900, 1))
    expect_not(result, r"^\(sk\) panic")
    for d, (period, budget) in enumerate(SIX, 1):
        if period == which:
            expect(result, rf"^\(d{d}\) not ok 1 - rt: [1-9]\d* of \d+ periods",
                   1)
            exhausted = figures(result, d, "deadline missed ")[1]
            assert exhausted >= SIX_MS * 500 // period
        else:
            expect_kept(result, d, SIX_MS * 1000 // period,
                        1000 * (period - budget), 8, first=False)


@pytest.mark.parametrize("extra, weight, share", [
    (False, 256, 0.3), (True, 256, 0.3 + 0.7 / 3), (True, 512, 0.3 + 0.7 / 2)])
def test_budget_is_a_bound(extra, weight, share):
    """One that never waits has its budget in each period, no more and no less;
    with extra time its share by weight of the rest as well."""
    at = " at_ms=300"
    guests = [spin("served", 1000, server(1000, 300, extra=extra) +
                   f"skerry,weight = <{weight}>;"), *hogs(1000)]
    for g in guests:
        g.bootargs += at
    result = boot(f"bound-{extra}-{weight}", guests, shift=2)
    expect_clean(result)
    counts = [int(result.matching(rf"^\(d{d}\) BENCH_SPIN \d+$")[0].split()[-1])
              for d in (1, 2, 3)]
    part = counts[0] / sum(counts)
    # A switch costs 4 us of the second here, and has two in each period.
    assert share - 0.01 < part < share + 0.005, report(result, f"{counts}")


# What a neighbour's trap may be in when the timer comes.
BLUNT = {"gic": 9000, "spis": 9000}
# And in what piece of its work EL2's worker, which builds guests.
WORKER = 14000
STORMS = ("nap", "timer", "psci", "hog", "call", "gic", "spis")
# What is to be enough for the timers of one neighbour's vCPU to expire.
EXPIRY = 1400


@pytest.mark.parametrize("kind", ("robin", "server"))
@pytest.mark.parametrize("what", STORMS)
def test_storm(what, kind):
    """Waits, timers of a tick, calls, CPUs off and on: beside it the loop is
    woken as fast as beside hogs, but for what one trap takes. Storms with a
    budget may have earlier deadlines: then it is served by its own."""
    how, worst = "", WORST + BLUNT.get(what, 4000)
    if kind == "server":
        how, worst = server(10000, 3000, extra=True), 700000
    guests = [rt(150, late=worst // 1000 + 1, settle=30000),
              Guest("hostile", bare("hostile"), cpus=2,
                    extra=how + "nr_spis = <960>;",
                    bootargs=f"what={what} seed=3 ms=220 rounds=2")]
    result = boot(f"storm-{what}-{kind}", guests)
    expect_clean(result)
    expect(result, rf"^\(d2\) ok 1 - {what}: \d+ operations$", 1)
    expect_kept(result, 1, 150, worst, 8)


@pytest.mark.parametrize("guests", (1, 3))
def test_storm_bursts(guests):
    """Both timers of all eight vCPUs of a guest, or of three, are due just
    before the loop's, at all distances. However many they are, EL2 is at one
    of them when the loop's is due."""
    vcpus = 8 * guests
    worst = WORST + EXPIRY
    # They begin one after the other, each with its slices.
    settle = 30000 + 8000 * vcpus
    loop = rt(150, late=worst // 1000 + 2, settle=settle)
    loop.bootargs += " aligned=1"
    result = boot(f"storm-bursts-{guests}", [loop] + [
        Guest(f"burst{i}", bare("hostile"), cpus=8, mib=8,
              bootargs="what=burst period_us=1000 seed=3 rounds=2 "
              f"ms={settle // 1000 + 200}")
        for i in range(guests)])
    expect_clean(result)
    expect_kept(result, 1, 150, worst, 8)
    done = [int(l.split()[-2]) for l in
            result.matching(r"^\(d\d\) ok 1 - burst: \d+ operations$")]
    assert len(done) == guests and min(done) >= 8 * 150, \
        report(result, f"{done} bursts of the vCPUs, too few for each period")


@pytest.mark.parametrize("budget, nap", ((200, 200), (350, 500)))
def test_naps(budget, nap):
    """
    A deadline vCPU with an earlier deadline that wakes all the time makes EL2
    work while the other one runs; what that takes is not the other one's.
    """
    naps = Guest("naps", bare("rt"), mib=4,
                 bootargs=f"naps_ms=150 nap_ns={nap} settle_us=20000",
                 extra=server(500, budget))
    result = boot(f"naps-{budget}",
                  [rt(100, settle=40000, late=700), naps])
    expect_clean(result)
    expect_tap(result, 1)
    many = result.matching(r"^\(d2\) # rt: \d+ naps")
    assert int(re.search(r"(\d+) naps", many[0])[1]) > 1000, many


@pytest.mark.parametrize("room", (3, 6))
@pytest.mark.parametrize("deadline", (None, 500))
@pytest.mark.parametrize("beside", ("calls", "loop"))
def test_tight(beside, deadline, room):
    """
    Nearly all of the budget is needed, and no wake comes exactly a period after
    the last one: EL2 is at calls of a neighbour then, or at the wake of another
    deadline vCPU that is due at the same time.
    """
    guests = [rt(300, work=300 - room, settle=30000,
                 how=server(1000, 300, deadline)), *hogs(400, 1)]
    if beside == "calls":
        guests[1] = Guest("hostile", bare("hostile"),
                          bootargs="what=call seed=3 ms=400 rounds=2")
    else:
        guests.append(rt(120, "slow", 3000, 500, late=3000, settle=30000,
                         how=server(3000, 600)))
    result = boot(f"tight-{beside}-{deadline}-{room}", guests)
    expect_clean(result)
    expect(result, r"^\(d1\) ok 1 - rt: 0 of 300 periods missed$", 1)
    expect_tap(result, 1)
    used_up = figures(result, 1, "deadline missed ")[1]
    assert used_up <= 20, report(result, f"budget used up {used_up} times")


def test_tickless():
    """EL2's timer of a CPU with one vCPU has nothing to do, whether that spins
    or sleeps; with two it ends their slices, 200 a second."""
    pins = [PIN.format(0, cpu, "") for cpu in range(4)]
    guests = [Guest("clock", bare("systest"), mib=4,
                    bootargs="tests=clock every_us=100000", extra=pins[0]),
              spin("alone", 1000000, pins[1]),
              *[spin(f"both{i}", 1000000, pins[2]) for i in range(2)],
              rt(1000000, "sleeper", 10000, 1000, how=pins[3])]
    wait = r"(?:[^\n]*CLOCK[^\n]*\n){11}"
    result = boot("tickless", guests, cpus=4, shift=LONG, typed=(
        (ALL_STARTED + r"[\s\S]*CLOCK", SWITCH * 5),
        (PROMPT, "irq\r"), (wait, "irq\r"),
        (wait, "".join(f"destroy {d}\r" for d in range(1, 6)))))
    expect_clean(result)
    # "Others" are EL2's timer and, on CPU 0, the UART.
    seen = [[[int(n) for n in re.findall(r" (\d+)(?:,|$)", l)] for l in
             result.matching(rf"CPU {cpu}: timer")] for cpu in range(4)]
    ticks = [[last - first for first, last in zip(*s)] for s in seen]
    assert ticks[1][3] == ticks[3][3] == 0, report(result, f"{seen}")
    assert ticks[2][3] > 150, report(result, f"{seen}")
    assert ticks[3][0] > 80, report(result, f"{seen}")


def test_orders():
    """Paused, resumed, restarted, ended and started by the shell: the others
    miss nothing, nor does it in its last life."""
    again = 'skerry,restart = "on-crash";'
    # Long enough for who types to be slow.
    guests = [rt(1000, "it", late=400, how=server(1000, 300) + again),
              rt(4000, "other", late=700),
              Guest("clock", bare("systest"), mib=4,
                    bootargs="tests=clock every_us=20000"),
              spin("hog", 1000000)]
    wait = r"(?:[^\n]*CLOCK[^\n]*\n){4}"
    begins = r"\(d1\) # rt: start[\s\S]*" + wait
    result = boot("orders", guests, typed=(
        (rf"\A(?=[\s\S]*{ALL_STARTED})[\s\S]*" + begins, SWITCH * 4),
        (PROMPT, "pause 1\r"), (wait, "resume 1\r"), (wait, "restart 1\r"),
        (begins, "pause 1\r"), (wait, "destroy 1\r"), (wait, "start 1\r"),
        (r"\A(?=[\s\S]*d1 it: off)[\s\S]*d2 other: off",
         "destroy 3\rdestroy 4\r")))
    expect_clean(result)
    expect(result, r"^\(d1\) # rt: start", 3)
    expect(result, r"^\(d1\) ok 1 - rt: 0 of 1000 periods missed$", 1)
    expect_tap(result, 1)
    expect(result, r"^\(sk\) d1 it: (destroyed|restarted)", 2)
    # Behind a job of the first one, which may have the earlier deadline.
    expect_kept(result, 2, 4000, 300000 + WORKER, 8, first=False)


def test_worker():
    """Guests are built, restarted and ended beside it: of what EL2 does for
    them only a piece is in its way, at any of the many times it is woken."""
    again = 'skerry,restart = "on-crash";'
    lives = [Guest(f"lives{i}", bare("bench"), mib=4, bootargs="lives=2",
                   extra=again) for i in range(2)]
    result = boot("worker", [rt(4000, period=100, work=1, late=40,
                                how=server(100, 70)), *lives])
    expect_clean(result)
    expect_tap(result, 1)
    expect(result, r"^\(sk\) d[23] lives.: reset$", 2)
    woken, worst, _ = wakes(result, 1)
    assert woken >= 4000, report(result, f"{woken} wakes")
    assert worst <= WORKER, report(result, f"{worst} ns")
