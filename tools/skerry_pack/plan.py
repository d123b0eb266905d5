# SPDX-License-Identifier: Apache-2.0
"""Where everything goes in RAM: first fit, upwards, in the gaps between what
the loader and the hypervisor use. Wrong load addresses are the commonest
trouble of dom0less users, so nobody has to choose any."""
from dataclasses import dataclass

MIB = 1 << 20
ALIGN = 2 * MIB

# What QEMU's -kernel and Debian's U-Boot use, as offsets from the start of
# RAM: DTB and stub at 0, U-Boot's script at 2 MiB and its kernel_addr_r at
# 4 MiB. QEMU puts the hypervisor at 2 MiB and the DTB at 128 MiB, or half of
# a smaller RAM.
LOADER_LOW = 16 * MIB
HYP_OFFSET = 2 * MIB
DTB_OFFSET = 128 * MIB
DTB_ROOM = 4 * MIB
KEPT = 64 << 10			# the log that a warm reset leaves


class PlanError(Exception):
    """RAM does not suffice."""


@dataclass
class Slot:
    name: str
    address: int
    size: int

    @property
    def end(self):
        return self.address + self.size


def up(value, align=ALIGN):
    return (value + align - 1) // align * align


class Plan:
    """RAM banks of a board and what is placed in them."""

    def __init__(self, banks, reserved=()):
        self.banks = sorted(banks)
        self.base, size = self.banks[0]
        self.size = size
        self.slots = [Slot("reserved", a, s) for a, s in reserved]

    def reserve(self, name, address, size):
        slot = Slot(name, address, size)
        self.slots.append(slot)
        return slot

    def dtb_address(self):
        """Where QEMU puts the device tree: not ours to choose there."""
        return self.base + up(min(DTB_OFFSET, self.size // 2))

    def place(self, name, size):
        """The lowest free, aligned address for `size` bytes."""
        size = up(max(size, 1))
        for base, room in self.banks:
            at = up(base)
            while True:
                hit = [s for s in self.slots
                       if s.address < at + size and s.end > at]
                if not hit:
                    break
                at = up(max(s.end for s in hit))
            if at + size <= base + room:
                return self.reserve(name, at, size)
        total = sum(room for _, room in self.banks)
        raise PlanError(f"no room for {name} ({size // MIB} MiB) in "
                        f"{total // MIB} MiB of RAM")
