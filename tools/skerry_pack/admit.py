# SPDX-License-Identifier: Apache-2.0
"""Whether the vCPUs that start at boot fit on the CPUs that there are, in the
hypervisor's words: its kernel/place.c and sched/admit.c as a program."""
import os

from . import describe, tool

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
PROGRAM = "build/tools/placecheck"
ALL = (1 << describe.MAX_CPUS) - 1


def program():
    """Its path; `make` builds it, and so does this where nobody has yet."""
    path = os.path.join(TOP, PROGRAM)
    if not os.access(path, os.X_OK):
        tool.run("make", "-s", "-C", TOP, "O=build", "KCONFIG_SET=", PROGRAM)
    return path


def _vcpu(number, guest, vcpu):
    """A line of the program's input."""
    sched = guest.sched(vcpu)[1]
    allowed = guest.affinity.get(vcpu)
    mask = ALL if allowed is None else ALL & sum(1 << c for c in allowed)
    return (f"{number} {guest.name} {mask:x} {sched.weight} {sched.slice_us} "
            f"{sched.period_us} {sched.budget_us} "
            f"{sched.deadline_us or sched.period_us} {sched.extra_time}\n")


def log(guests, nr_cpus):
    """Lines of the hypervisor's log. What is wrong in itself is not placed,
    and has its number all the same; what starts later has none."""
    boot = [g for g in guests if not g.later]
    vcpus = [_vcpu(number, guest, vcpu)
             for number, guest in enumerate(boot, 1) if guest.sound
             for vcpu in range(guest.cpus)]
    return tool.run(program(), str(nr_cpus), data="".join(vcpus)).splitlines()
