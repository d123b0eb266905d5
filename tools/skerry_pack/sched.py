# SPDX-License-Identifier: Apache-2.0
"""What is described of a vCPU's share of its CPU: the same ranges and rules as
in the hypervisor's sched/admit.c and include/skerry/sched.h."""
from dataclasses import astuple, dataclass

# Of a guest, or of one of its vCPUs: a member of Sched, the least, the most.
PROPS = {
    "skerry,weight": ("weight", 1, 65535),
    "skerry,slice-us": ("slice_us", 100, 1000000),
    "skerry,period-us": ("period_us", 100, 10000000),
    "skerry,budget-us": ("budget_us", 10, 10000000),
    "skerry,deadline-us": ("deadline_us", 10, 10000000),
    "skerry,extra-time": ("extra_time", 0, 1),
}


@dataclass
class Sched:
    """As struct sched_params, but 0 where no deadline is told; None where what
    is told is no value."""
    weight: int = 256
    slice_us: int = 5000
    period_us: int = 0
    budget_us: int = 0
    deadline_us: int = 0
    extra_time: int = 0

    def wrong(self):
        """(property, reason) of what does not fit together."""
        if None in astuple(self):
            return
        if self.budget_us and not self.period_us:
            yield "skerry,period-us", "missing"
        if self.period_us and not self.budget_us:
            yield "skerry,budget-us", "missing"
        if not self.budget_us:
            for prop in ("skerry,deadline-us", "skerry,extra-time"):
                if getattr(self, PROPS[prop][0]):
                    yield prop, "needs skerry,budget-us"
        if not self.budget_us or not self.period_us:
            return
        deadline = self.deadline_us or self.period_us
        if deadline > self.period_us:
            yield ("skerry,deadline-us", f"{deadline}: must be at most the "
                   f"period of {self.period_us} us")
        if self.budget_us > deadline:
            yield ("skerry,budget-us", f"{self.budget_us}: must be at most "
                   f"the deadline of {deadline} us")
