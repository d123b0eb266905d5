# SPDX-License-Identifier: Apache-2.0
"""The model of the domains' life cycle under spin (docs/model.md).

Each configuration has to hold; each mutation, a mistake that the model was
given by name, has to be found. A failure prints the steps that lead to it.
"""
import pathlib
import re
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SECONDS, MEGABYTES, DEPTH = 300, 1500, 100000

# Name: events, how often each may come; then places and commands that are not
# the usual ones (lifecycle.pml). Assertions are checked, and what is to hold
# when nothing can happen any more.
CONFIGS = {
    "two-cpus": ("STOP=1 ON=1 WALK=1 RESTART=0",),
    "one-cpu": ("STOP=1 ON=1 BY=1", "V1_CPU=0 BY_CPU=0"),
    "away-from-worker": ("STOP=1 ON=1", "V0_CPU=1"),
    "idle-cpu": ("STOP=1 ON=1", "BY_CPU=0"),
    "power-and-waits": ("ON=2 OFF=1 SGI=1 WFI=1",),
    "pause-and-waits": ("SGI=1 WFI=1 SHELL=2 RESTART=0 ON=1", "SHELL=24"),
    "pause-and-restart": ("SHELL=3", "SHELL=26"),
    "pause-and-watchdog": ("SHELL=2 WDT=1 RESTART=0", "SHELL=24 V0_CPU=1"),
    "requests": ("SHELL=2 STOP=1", "SHELL=5"),
    "builds-that-fail": ("FAIL=1 STOP=1 SHELL=1", "SHELL=7"),
    "three-lives": ("STOP=2 ON=1 RESTART=2",),
    "flush": ("FLUSH=1 STOP=1 ON=1",),
    "watchdog": ("WDT=1 STOP=1", "V0_CPU=1"),
    "watchdog-of-other-cpu": ("WDT=1 REFRESH=1 ON=1 RESTART=0",
                              "V0_CPU=1 V1_CPU=0 BY_CPU=0"),
}
# The same for a claim that is checked under weak fairness.
CLAIMS = {
    "stopped_dies": ("STOP=1 ON=1 RESTART=0",),
    "destroyed_is_down": ("SHELL=1 STOP=1 RESTART=0", "SHELL=1"),
    "bystander_served": ("BY=1 STOP=1 RESTART=0",),
    "bystander_runs": ("BY=1 ON=1 WFI=1",),
}
# A mistake each, made where the model's source says MUTATE_...; with a claim
# where only that one can tell.
MUTATIONS = {
    "STATE_UNLOCKED": ("STOP=2 ON=1 RESTART=0",),
    "REASON_NOT_FIRST": ("STOP=2 ON=1 RESTART=0",),
    "END_BEFORE_LAST": ("STOP=1 ON=1",),
    "REAP_CLEARED_LATE": ("STOP=1 ON=1",),
    "IDLE_LOOKS_ONCE": ("STOP=1 ON=1", "BY_CPU=0"),
    "WAKE_IGNORES_STOPPING": ("STOP=1 ON=1 SGI=1",),
    "ON_UNCHECKED": ("STOP=1 ON=1",),
    "OFF_BEFORE_BLOCK": ("ON=2 OFF=1",),
    "UNLOAD_NO_WAKE": ("ON=1 BY=1",),
    "NO_SLICE": ("BY=1 ON=1", "", "bystander_runs"),
    "WORKER_CHECKS_FIRST": ("STOP=1 RESTART=0", "V0_CPU=1"),
    "NO_GRACE": ("STOP=1 ON=1 WALK=1",),
    "VTTBR_KEPT": ("STOP=1 ON=1",),
    "WORKER_IS_GUEST": ("STOP=1 ON=1",),
    "DOMAINS_READ_TWICE": ("STOP=1 WALK=1",),
    "WDT_KEPT": ("STOP=1",),
    "RUNS_BEFORE_WATCHDOG": ("SHELL=2 WDT=1 RESTART=0", "SHELL=24 V0_CPU=1"),
    "RUNS_AFTER_WATCHDOG": ("SHELL=2 WDT=1 RESTART=0", "SHELL=24 V0_CPU=1"),
    "DESTROY_FORGOTTEN": ("STOP=1 SHELL=1", "SHELL=1"),
    "BUILD_NOT_CANCELLED": ("SHELL=1", "SHELL=1"),
    "PLACED_WHILE_DEAD": ("STOP=1",),
    "FRESH_KEPT": ("STOP=1 ON=1",),
    "STATE_KEPT": ("STOP=1",),
    "PAUSED_KEPT": ("SHELL=2", "SHELL=10"),
}


class Failed(Exception):
    """Spin, the compiler or pan did not do what they were asked for."""


def define(events, places=""):
    out = [f"-DMAX_{e}" for e in events.split()]
    return out + [f"-D{p}" for p in places.split()]


def run(argv, folder, seconds=SECONDS):
    done = subprocess.run(["timeout", str(seconds), *argv], cwd=folder,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    return done.returncode, done.stdout


def search(folder, claim, defines):
    """What pan says: states stored, errors found, all of it; or Failed."""
    for p in HERE.glob("*.pml"):
        shutil.copy(p, folder)
    code, out = run(["spin", "-a", *defines, "lifecycle.pml"], folder)
    if code or "Error" in out:
        raise Failed(out)
    # Not optimised: that takes gcc longer than it saves pan.
    flags = ["-DNFAIR=3"] if claim else ["-DSAFETY", "-DNOCLAIM"]
    code, out = run(["gcc", "-O0", "-w", f"-DMEMLIM={MEGABYTES}",
                     *flags, "-o", "pan", "pan.c"], folder)
    if code:
        raise Failed(out)
    # Who waits in the end is judged by the model's Quiescent, not by labels.
    argv = ["./pan", "-n", "-E", f"-m{DEPTH}", "-w24"]
    if claim:
        argv += ["-a", "-f", "-N", claim]
    code, out = run(argv, folder)
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+) states, stored", out)
    if code or not errors or not states or "max search depth too small" in out \
            or "Search not completed" in out and errors.group(1) == "0":
        raise Failed(f"pan ended with {code}:\n{out}")
    return int(states.group(1)), int(errors.group(1)), out


def trail(folder, defines):
    """The steps of the counterexample, without those that only branch."""
    _, out = run(["spin", "-t", "-p", "-g", *defines, "lifecycle.pml"], folder)
    steps = [re.sub(r"\s*\(state \d+\)", "", line) for line in out.splitlines()
             if not re.search(r"\[(else|\(1\)|.\(goto\)|sub-sequence|IF)\]",
                              line) and "queue" not in line]
    return "\n".join(steps)


def check(folder, what, claim=None):
    defines = define(*what) + (["-DLTL"] if claim else [])
    states, errors, out = search(folder, claim, defines)
    print(f"{states} states")
    assert not errors, out + trail(folder, defines)


@pytest.mark.parametrize("name", CONFIGS)
def test_holds(name, tmp_path):
    check(tmp_path, CONFIGS[name])


@pytest.mark.parametrize("claim", CLAIMS)
def test_is_fair(claim, tmp_path):
    check(tmp_path, CLAIMS[claim], claim)


@pytest.mark.parametrize("name", MUTATIONS)
def test_is_found(name, tmp_path):
    events, places, claim = (*MUTATIONS[name], "", "")[:3]
    defines = define(events, places) + [f"-DMUTATE_{name}"]
    states, errors, _ = search(tmp_path, claim, defines +
                               (["-DLTL"] if claim else []))
    print(f"{name}: found after {states} states")
    assert errors, f"{name} makes no difference in {states} states"


def test_mutations_are_all_there():
    source = "".join(p.read_text() for p in HERE.glob("*.pml"))
    assert set(re.findall(r"MUTATE_(\w+)", source)) == set(MUTATIONS)
