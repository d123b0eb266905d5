# SPDX-License-Identifier: Apache-2.0
"""The way in and out of the hypervisor: loaders, exception levels, missing
trees, its own protections, exit statuses of tools/run, reproducibility."""
import os
import re
import subprocess

import pytest

from harness import (BUILD, HYP, LOGS, TOP, WORK, Boot, build, expect,
                     expect_clean, expect_not, expect_selfcheck,
                     expect_status, expect_tap, hello, linux, make_env,
                     of_round, qemu, report)


def tools_run(name, *args, timeout=900, **env):
    """tools/run as a user calls it, with no terminal."""
    name = of_round(name)
    done = subprocess.run(
        [os.path.join(TOP, "tools/run"), "--output",
         os.path.join(WORK, name), *args], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout, check=False,
        env=make_env(**env))
    os.makedirs(LOGS, exist_ok=True)
    with open(os.path.join(LOGS, f"{name}.log"), "w",
              encoding="utf-8") as f:
        f.write(done.stdout + done.stderr)
    return qemu.Result(done.returncode, done.stderr.strip(),
                       done.stdout.splitlines(), 0, done.args)


def write_dts(name, text):
    path = os.path.join(WORK, f"{of_round(name)}.dts")
    os.makedirs(WORK, exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def test_demo():
    """`make run </dev/null`: U-Boot, Skerry, Linux, hello and rt, exit 0."""
    result = tools_run("demo", TIMEOUT="600")
    expect(result, r"^U-Boot 20\d\d")
    expect(result, r"^\(sk\) Skerry ", 1)
    expect_selfcheck(result, 1)
    expect(result, r"^\(d1\) SELFCHECK cpus=2 ", 1)
    expect_tap(result, 2)
    expect_tap(result, 3)
    expect(result, r"^\(d3\) ok \d+ - rt: 0 of 1000 periods missed", 1)
    expect_clean(result)


def test_repeatable():
    """Under instruction counting two runs print the same, to the tick."""
    runs = [Boot("repeat", [hello(cpus=2)]).run() for _ in range(2)]
    # QEMU's own warnings come as they like.
    assert runs[0].matching(r"^\((sk|d\d)\) ") == \
        runs[1].matching(r"^\((sk|d\d)\) ")


# --- entry ---------------------------------------------------------------------

def raw(name, args, machine=None, timeout=20, until=None):
    """QEMU with these arguments, to the end of the time."""
    os.makedirs(LOGS, exist_ok=True)
    machine = machine or qemu.Machine(cpus=2, mem=512, icount=False)
    return qemu.run(machine, args, timeout=timeout, until=until,
                    log=os.path.join(LOGS, f"{of_round(name)}.log"))


def test_entered_at_el1():
    machine = qemu.Machine(cpus=4, mem=512, icount=False,
                           virtualization=False)
    result = raw("el1", ["-kernel", HYP], machine, 6)
    expect(result, r"^\(sk\) boot: entered at EL1", 1)
    assert len(result.matching("sk")) == 1, report(result, "more than a line")


@pytest.fixture(scope="module")
def early():
    """A build that can speak without a device tree, and stays after a die."""
    return build("early", "EARLY_UART=y PANIC_POWEROFF=n")


def test_entered_at_el3(early):
    machine = qemu.Machine(cpus=1, mem=512, icount=False, secure=True)
    result = raw("el3", [
        "-device", f"loader,file={early},addr=0x40200000,force-raw=on",
        "-device", "loader,addr=0x40200000,cpu-num=0"], machine, 6)
    expect(result, r"^\(sk\) boot: entered at EL3", 1)
    assert len(result.matching("sk")) == 1, report(result, "more than a line")


def test_no_device_tree(early):
    machine = qemu.Machine(cpus=1, mem=512, icount=False)
    result = raw("no-dtb", [
        "-device", f"loader,file={early},addr=0x40200000,force-raw=on",
        "-device", "loader,addr=0x40200000,cpu-num=0"], machine, 6)
    expect(result, r"^\(sk\) boot: no device tree", 1)
    assert len(result.matching("sk")) == 1, report(result, "more than a line")


def test_broken_device_tree(early):
    path = os.path.join(WORK, of_round("broken.dtb"))
    os.makedirs(WORK, exist_ok=True)
    with open(path, "wb") as f:
        f.write(b"\xd0\x0d\xfe\xed" + b"\xff" * 60)
    machine = qemu.Machine(cpus=1, mem=512, icount=False)
    result = raw("bad-dtb", [
        "-device", f"loader,file={early},addr=0x40200000,force-raw=on",
        "-device", f"loader,file={path},addr=0x48000000,force-raw=on",
        "-device", "loader,addr=0x40200000,cpu-num=0"], machine, 6)
    expect(result, r"^\(sk\) boot: ", 1)


def test_no_guests():
    result = raw("no-guests", ["-kernel", HYP], timeout=20)
    expect(result, r"^\(sk\) boot: chosen: no guest to start", 1)
    expect_status(result, 1)


# --- its own protections --------------------------------------------------------

@pytest.fixture(scope="module")
def selftest_build():
    return build("selftest", "SELFTEST=y")


@pytest.mark.parametrize("name, reason", [
    ("write-text", "write to read-only memory"),
    ("exec-data", "execution of data"),
    ("overflow", "stack overflow"),
    ("panic", "selftest"),
])
def test_selftest(selftest_build, name, reason):
    result = Boot(f"selftest-{name}", [hello()], hyp=selftest_build,
                  bootargs=f"selftest={name}").run()
    expect_status(result, 1)
    expect(result, rf"^\(sk\) panic: .*{reason}", 1)
    expect(result, r"^\(sk\) backtrace:$", 1)
    expect(result, r"^\(sk\)   0x[0-9a-f]+ [a-z_0-9]+\+0x[0-9a-f]+$")
    expect_not(result, "did not hold")


def test_debug_build():
    debug = build("debug", "DEBUG=y")
    result = Boot("debug", [linux(), hello(cpus=2)], hyp=debug,
                  timeout=240).run()
    expect_clean(result)
    expect_selfcheck(result, 1)
    expect_tap(result, 2)


@pytest.mark.one_gic
def test_reproducible():
    """Built twice, in folders with names of different length."""
    images = []
    for folder in ("repro", "repro-the-other-one"):
        subprocess.run(["rm", "-rf", os.path.join(BUILD, folder)], check=True)
        with open(build(folder, ""), "rb") as f:
            images.append(f.read())
    assert images[0] == images[1]


# --- tools/run --------------------------------------------------------------------

GUEST = """/dts-v1/;
/ {{ chosen {{ {chosen} g {{ compatible = "xen,domain"; memory = <0 0x8000>;
	cpus = <1>; vpl011; {body}
	k {{ compatible = "multiboot,kernel"; skerry,file = "{kernel}";
	     bootargs = "{args}"; }}; }}; }}; }};
"""


def guest_dts(name, body="", chosen="", kernel="build/guests/hello/hello.bin",
              args=""):
    return write_dts(name, GUEST.format(body=body, chosen=chosen,
                                        kernel=kernel, args=args))


def test_run_ok():
    result = tools_run("run-ok", guest_dts("run-ok"), BOOT="direct")
    expect_clean(result)
    expect_tap(result, 1)


def test_run_stay():
    """The board stays on; the run ends with the guests all the same."""
    dts = guest_dts("run-stay", chosen="skerry,when-all-off = \"stay\";")
    expect_clean(tools_run("run-stay", dts, BOOT="direct"))


def test_run_reboot():
    dts = guest_dts("run-reboot", chosen="skerry,when-all-off = \"reboot\";")
    expect_clean(tools_run("run-reboot", dts, BOOT="direct"))


@pytest.mark.one_gic
def test_run_refused_by_the_tool():
    dts = guest_dts("run-refused", body="direct-map; xen,nonsense;")
    result = tools_run("run-refused", dts, BOOT="direct")
    expect_status(result, 2)
    assert f"{dts}: /chosen/g: direct-map: not supported" in result.reason
    assert f"{dts}: /chosen/g: xen,nonsense: unknown property" \
        in result.reason
    assert not result.lines


def test_run_refused_by_the_hypervisor():
    dts = guest_dts("run-forced", body="direct-map;")
    result = tools_run("run-forced", "--force", dts, BOOT="direct")
    expect_status(result, 2)


def test_run_crashed():
    dts = guest_dts("run-crash", kernel="build/guests/systest/systest.bin",
                    args="tests=vectors")
    result = tools_run("run-crash", dts, BOOT="direct")
    expect_status(result, 2)


def test_run_panic(selftest_build):
    dts = guest_dts("run-panic",
                    chosen="xen,xen-bootargs = \"selftest=panic\";")
    result = tools_run("run-panic", dts, BOOT="direct", HYP=selftest_build)
    expect_status(result, 1)
    assert re.search("panic: selftest", result.reason)


@pytest.mark.one_gic
def test_run_timeout():
    dts = guest_dts("run-timeout", kernel="build/guests/bench/bench.bin",
                    args="wait=1")
    result = tools_run("run-timeout", dts, BOOT="direct", TIMEOUT="5",
                       ICOUNT="0")
    expect_status(result, 124)


@pytest.mark.one_gic
def test_run_silent_end():
    """QEMU ending by itself is not an end of the guests."""
    result = tools_run("run-silent", guest_dts("run-silent"), BOOT="direct",
                       HYP="build/guests/hello/hello.bin")
    expect_status(result, 1)
    assert "ended before the guests" in result.reason
