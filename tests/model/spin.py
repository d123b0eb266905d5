# SPDX-License-Identifier: Apache-2.0
"""Models under spin: what the tests of both share."""
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SECONDS, MEGABYTES, DEPTH = 300, 1500, 100000


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


def search(folder, model, claim, defines):
    """What pan says: states stored, errors found, all of it; or Failed."""
    for p in HERE.glob("*.pml"):
        shutil.copy(p, folder)
    code, out = run(["spin", "-a", *defines, model], folder)
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


def trail(folder, model, defines):
    """The steps of the counterexample, without those that only branch."""
    _, out = run(["spin", "-t", "-p", "-g", *defines, model], folder)
    steps = [re.sub(r"\s*\(state \d+\)", "", line) for line in out.splitlines()
             if not re.search(r"\[(else|\(1\)|.\(goto\)|sub-sequence|IF)\]",
                              line) and "queue" not in line]
    return "\n".join(steps)


def check(folder, model, what, claim=None):
    """It holds; else the steps to where it does not."""
    defines = define(*what) + (["-DLTL"] if claim else [])
    states, errors, out = search(folder, model, claim, defines)
    print(f"{states} states")
    assert not errors, out + trail(folder, model, defines)


def check_found(folder, model, name, what):
    """The mistake of that name makes something fail."""
    events, places, claim = (*what, "", "")[:3]
    defines = define(events, places) + [f"-DMUTATE_{name}"]
    states, errors, _ = search(folder, model, claim, defines +
                               (["-DLTL"] if claim else []))
    print(f"{name}: found after {states} states")
    assert errors, f"{name} makes no difference in {states} states"


def mutations(*files):
    """The names of all that these say, and the files they include."""
    source = "".join((HERE / f).read_text() for f in files)
    names = set(re.findall(r"MUTATE_(\w+)", source))
    included = re.findall(r'#include "(.*)"', source)
    return names | mutations(*included) if included else names
