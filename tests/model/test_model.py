# SPDX-License-Identifier: Apache-2.0
"""The model of the domains' life cycle under spin (docs/model.md).

Each configuration has to hold; each mutation, a mistake that the model was
given by name, has to be found. A failure prints the steps that lead to it.
"""
import pytest

import spin

MODEL = "lifecycle.pml"

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
