# SPDX-License-Identifier: Apache-2.0
"""The model of wake, sleep and IPIs under spin (docs/model.md).

As test_model.py: configurations that have to hold, claims that hold under weak
fairness, and mistakes that have to be found.
"""
import pytest

import spin

MODEL = "wake.pml"

# Name: how often each event may come; then vCPUs (1: round-robin, 2: a server,
# 3: one with extra time) and what else is not as usual (wake.pml).
CONFIGS = {
    "server-and-two": ("POST=2 TIMER=1", "K2=1"),
    "two-servers": ("POST=2", "K1=2 K2=1"),
    "extra-time": ("POST=2", "K0=3 K2=1"),
    "extra-time-and-servers": ("POST=1", "K0=3 K1=2 K2=3"),
    "both-ways": ("POST=2", "ON_CPU0=2 K2=1 K3=1"),
    "waits-loaded": ("POST=3 TIMER=2", "K0=1 WFI_TRAP=1"),
    "pause": ("PAUSE=2 POST=2", "K0=3"),
    "pause-of-own-cpu": ("PAUSE=1 POST=1 TIMER=1", "WORKERS=1 K2=2"),
    "stop": ("KILL=1 PAUSE=1 POST=2", "K0=3"),
    "set": ("SET=2 POST=1", "K1=3"),
    "set-and-pause": ("SET=1 PAUSE=1 POST=1",),
    "timers-of-others": ("POST=1 TIMER=2", "K2=1 WFI_TRAP=1"),
    "pause-and-timers": ("PAUSE=1 TIMER=2", "K2=1 WFI_TRAP=1"),
    "set-and-timer": ("SET=1 TIMER=1 POST=1", "SET_TO=6 WFI_TRAP=1"),
    "extra-time-and-timer": ("POST=1 TIMER=1", "K0=3 K2=1 WFI_TRAP=1"),
}
# The same for a claim.
CLAIMS = {
    "taken_0": ("POST=2 TIMER=1", "K1=2"),
    "taken_1": ("POST=2", "K0=3"),
    "runs_0": ("POST=2", "K1=2"),
    "runs_1": ("POST=1 TIMER=1", "K0=3"),
    "expires_1": ("POST=1 TIMER=2", "K2=1"),
}
# A mistake each, made where the source says MUTATE_...; some with a claim.
MUTATIONS = {
    "IPI_FORGOTTEN": ("POST=1", "", "taken_0"),
    "ASK_UNCHECKED": ("POST=2", "K1=1 K2=2"),
    "SERVER_NOT_FIRST": ("POST=1",),
    "FIRST_NOT_ASKED": ("POST=1", "K0=1"),
    "END_NOT_LOOKED_AT": ("POST=1", "K0=3"),
    "RETURN_NOT_ASKED": ("POST=1", "K1=1"),
    "EXTRA_NOT_ASKED": ("POST=1", "K0=3 K2=1"),
    "DEFERRED_KEPT": ("PAUSE=1",),
    "PAUSED_QUEUED": ("PAUSE=1",),
    "SET_NOT_ASKED": ("SET=1",),
    "RETURNS_TWICE": ("POST=1", "K0=3"),
    "SLICE_NOT_SET": ("POST=0", "K0=1"),
    "RETURN_NOT_TIMED": ("POST=0", "K1=0", "runs_0"),
    "RESCHED_CLEARED_LATE": ("POST=1", "K2=1"),
    "UNLOAD_NO_WAKE": ("POST=1",),
    "TIMER_NOT_ARMED": ("TIMER=1",),
    "TIMER_NO_CHANGE": ("TIMER=1 POST=1", "K2=1"),
    "TIMER_NOT_PROGRAMMED": ("TIMER=1 POST=1",),
    "PATIENT_FORGOTTEN": ("POST=1 TIMER=1", "WFI_TRAP=1"),
    "TIMERS_WAIT_ON": ("POST=1 TIMER=1", "WFI_TRAP=1"),
    "TIMERS_NEVER_WAIT": ("POST=1 TIMER=1", "WFI_TRAP=1"),
    "TIMERS_WAIT_ENDLESSLY": ("POST=1 TIMER=1", "K0=3 WFI_TRAP=1"),
    "WAIT_IGNORES_RESCHED": ("POST=1 SET=1", "K0=1 WFI_TRAP=1"),
    "WAIT_UNCHECKED": ("POST=1", "K0=1 WFI_TRAP=1"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_holds(name, tmp_path):
    spin.check(tmp_path, MODEL, CONFIGS[name])


@pytest.mark.parametrize("claim", CLAIMS)
def test_is_fair(claim, tmp_path):
    spin.check(tmp_path, MODEL, CLAIMS[claim], claim)


@pytest.mark.parametrize("name", MUTATIONS)
def test_is_found(name, tmp_path):
    spin.check_found(tmp_path, MODEL, name, MUTATIONS[name])


def test_mutations_are_all_there():
    assert spin.mutations(MODEL) == set(MUTATIONS)
