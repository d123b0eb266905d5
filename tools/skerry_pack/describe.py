# SPDX-License-Identifier: Apache-2.0
"""Guest descriptions: the same rules as the hypervisor's kernel/describe.c,
applied before anything is packed, with every error and not only the first.

docs/guests.md is the reference of what is accepted, ignored and refused.
"""
import re
from dataclasses import dataclass, field, replace

from . import fdt
from .sched import PROPS as SCHED, Sched

MAX_VCPUS = 8
MAX_CPUS = 64			# of any build
MAX_SPIS = 960			# INTIDs 32 to 991: registers of 32
MAX_WATCHDOG_MS = 3600000
NAME_SIZE = 31
PAGE_KIB = 4
NAME = re.compile(r"[A-Za-z0-9,._+-]+")
FINGERPRINT = re.compile(r"[0-9a-fA-F]{64}")

LATER = "not supported"
PV = "not supported (only \"disabled\": paravirtual devices are not there yet)"

# Domain properties that are known and do nothing.
IGNORED = {
    "phandle", "linux,phandle", "max_grant_version", "max_grant_frames",
    "max_maptrack_frames",
}
# Known properties of Xen's binding and of ours that are not supported,
# beside those that `xen,` or `skerry,` would catch.
REFUSED = {
    "direct-map", "domain-cpupool", "llc-colors", "v8r_el1_msa",
}
# Known later: the reason says so, where an unknown name gets "unknown".
KNOWN = {
    "xen,static-mem", "xen,static-heap", "xen,sci_type", "xen,shared-mem",
    "xen,shm-id", "xen,reg", "xen,path", "xen,force-assign-without-iommu",
    "xen,passthrough", "xen,evtchn", "xen,dom0-bootargs",
    "skerry,role", "skerry,dma",
    "skerry,config", "skerry,version", "skerry,min-version",
}
KNOWN_NODES = {
    "skerry,vbd", "skerry,vif", "xen,evtchn-v1", "xen,domain-shared-memory-v1",
}
# Parts of a guest, by `compatible`; the first three go into its FIT.
MODULES = {
    "multiboot,kernel": "kernel", "multiboot,ramdisk": "ramdisk",
    "multiboot,device-tree": "device-tree", "skerry,fit": "fit",
}
ALL_OFF = ("poweroff", "reboot", "stay")


@dataclass
class Module:
    """A part of a guest: `file` in the source form, else a `reg`."""
    node: fdt.Node
    kind: str			# a value of MODULES
    file: str = None
    address: int = None
    size: int = None
    data: bytes = field(default=None, repr=False)


@dataclass
class Guest:
    node: fdt.Node
    name: str
    memory: int = 0		# bytes
    cpus: int = 0
    vpl011: bool = False
    later: bool = False		# not started at boot
    parts: dict = field(default_factory=dict)	# kind to Module
    bootargs: str = ""
    version: int = 0		# signed, with the parts
    affinity: dict = field(default_factory=dict)
    wfi: str = None		# as described
    own: Sched = field(default_factory=Sched)	# of vCPUs without another
    vcpus: dict = field(default_factory=dict)	# number to (node, Sched)
    sound: bool = False		# nothing in it was refused

    @property
    def kernel(self):
        return self.parts.get("kernel")

    def sched(self, number):
        """A vCPU's, with the node to blame for it: its own only where that
        says other than the guest's."""
        node, sched = self.vcpus.get(number, (None, self.own))
        return (self.node if sched == self.own else node), sched

    def modules(self):
        return [self.parts[k] for k in MODULES.values() if k in self.parts]


class Errors(list):
    """One line each: `file: node: property: reason`."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def add(self, node, prop, reason):
        path = node if isinstance(node, str) else node.path
        self.append(f"{self.file}: {path}: {prop}: {reason}")


class Checker:
    """Reads /chosen of a tree into guests, errors into `errors`."""

    def __init__(self, errors, nr_cpus=None):
        self.errors = errors
        self.nr_cpus = nr_cpus
        self.guests = []
        self.when_all_off = "poweroff"

    def read(self, root):
        for name in root.nodes:
            if name != "chosen":
                self.errors.add(root.nodes[name], "node",
                                "only /chosen belongs in a guest description")
        chosen = root.nodes.get("chosen")
        if not chosen:
            self.errors.add("/chosen", "node", "missing")
            return
        self._chosen(chosen)
        for node in chosen.nodes.values():
            if node.compatible("xen,domain"):
                self._guest(node)
            else:
                self._foreign(node)
        if not self.guests:
            self.errors.add(chosen, "xen,domain", "no guest is described")

    # --- helpers -----------------------------------------------------------

    def _get(self, node, prop, reader):
        """reader(prop) with its ValueError turned into an error line."""
        try:
            return reader(prop)
        except ValueError as e:
            self.errors.add(node, prop, str(e))
            return None

    def _unknown(self, node, prop):
        """Properties that no rule took."""
        if prop in REFUSED or prop in KNOWN:
            self.errors.add(node, prop, LATER)
        elif prop.startswith(("xen,", "skerry,")):
            self.errors.add(node, prop, "unknown property")

    def _foreign(self, node):
        """A child of /chosen that is not a domain."""
        try:
            names = node.strings("compatible") or []
        except ValueError:
            names = []
        for name in names:
            if name.startswith(("xen,", "skerry,", "multiboot,")):
                self.errors.add(node, "compatible", f"{name}: {LATER}")
                return

    def _chosen(self, chosen):
        for prop in chosen.props:
            if prop == "skerry,when-all-off":
                value = self._get(chosen, prop, chosen.string)
                if value in ALL_OFF:
                    self.when_all_off = value
                elif value is not None:
                    self.errors.add(chosen, prop, "must be \"poweroff\", "
                                    "\"reboot\" or \"stay\"")
            elif prop == "xen,xen-bootargs":
                self._get(chosen, prop, chosen.string)
            elif prop == "skerry,revoked-keys":
                self._revoked(chosen, prop)
            elif prop == "skerry,attested":
                self.errors.add(chosen, prop, "only a loader may set it")
            else:
                self._unknown(chosen, prop)

    def _revoked(self, chosen, prop):
        keys = self._get(chosen, prop, chosen.strings)
        if keys == []:
            self.errors.add(chosen, prop, "must be a list of fingerprints")
        for key in keys or []:
            if not FINGERPRINT.fullmatch(key):
                self.errors.add(chosen, prop, f"\"{key}\": must be a key's "
                                "SHA-256 in 64 hex digits")

    # --- a guest -----------------------------------------------------------

    def _guest(self, node):
        name = node.name.split("@")[0]
        guest, before = Guest(node, name), len(self.errors)
        if len(name) > NAME_SIZE:
            self.errors.add(node, "name", f"longer than {NAME_SIZE} characters")
        if not NAME.fullmatch(name):
            self.errors.add(node, "name", "only letters, digits and ,._+-")
        if any(g.name == name for g in self.guests):
            self.errors.add(node, "name", "two guests have this name")
        self.guests.append(guest)
        for prop in node.props:
            handler = PROPS.get(prop)
            if handler:
                handler(self, guest, node, prop)
            elif prop not in IGNORED:
                self._unknown(node, prop)
        for prop in ("memory", "cpus"):
            if prop not in node.props:
                self.errors.add(node, prop, "missing")
        for child in node.nodes.values():
            self._child(guest, child)
        self._vcpus(guest)
        if "fit" in guest.parts:
            self._whole(guest, guest.parts["fit"].node)
        elif not guest.kernel:
            self.errors.add(node, "multiboot,kernel", "missing")
        guest.sound = len(self.errors) == before

    def _whole(self, guest, fit):
        """What a guest that is a signed image already cannot have."""
        if len(guest.parts) > 1:
            self.errors.add(fit, "compatible", "skerry,fit is the whole "
                            "guest: no other module beside it")
        if "skerry,version" in guest.node.props:
            self.errors.add(guest.node, "skerry,version", "is signed in the "
                            f"image of {fit.name}")

    def _memory(self, guest, node, prop):
        if len(node.props[prop]) != 8:
            self.errors.add(node, prop, "must be two cells (KiB)")
            return
        kib = node.u64(prop)
        if not kib or kib % PAGE_KIB:
            self.errors.add(node, prop, f"{kib} KiB: must be a multiple of "
                            f"{PAGE_KIB} KiB and not zero")
        guest.memory = kib * 1024

    def _cpus(self, guest, node, prop):
        count = self._get(node, prop, node.u32)
        if count is None:
            return
        if not 1 <= count <= MAX_VCPUS:
            self.errors.add(node, prop, f"{count}: must be 1 to {MAX_VCPUS}")
        guest.cpus = count

    def _vpl011(self, guest, node, prop):
        if node.props[prop]:
            self.errors.add(node, prop, "must be empty")
        guest.vpl011 = True

    def _nr_spis(self, _guest, node, prop):
        count = self._range(node, prop, 0, MAX_SPIS)
        if count == 0 and "vpl011" in node.props:
            self.errors.add(node, prop, "0: vpl011 needs one")
        elif count == 0 and "skerry,watchdog-ms" in node.props:
            self.errors.add(node, prop, "0: skerry,watchdog-ms needs one")

    def _range(self, node, prop, low, high):
        value = self._get(node, prop, node.u32)
        if value is None or low <= value <= high:
            return value
        self.errors.add(node, prop, f"{value}: must be {low} to {high}")
        return None

    def _sched(self, guest, node, prop):
        self._sched_into(guest.own, node, prop)

    def _sched_into(self, sched, node, prop):
        name, low, high = SCHED[prop]
        setattr(sched, name, self._flag(node, prop) if name == "extra_time"
                else self._range(node, prop, low, high))

    def _flag(self, node, prop):
        """By itself; a string may have the length of a cell, too."""
        value = node.props[prop]
        if value in (b"", fdt.cells(0, 1), fdt.cells(1, 1)):
            return int(value != fdt.cells(0, 1))
        self.errors.add(node, prop, "is a flag: by itself, or <0> or <1>")
        return None

    def _watchdog(self, _guest, node, prop):
        self._range(node, prop, 1, MAX_WATCHDOG_MS)

    def _version(self, guest, node, prop):
        guest.version = self._get(node, prop, node.u32) or 0

    def _min_version(self, _guest, node, prop):
        self._get(node, prop, node.u32)

    def _enhanced(self, _guest, node, prop):
        value = self._get(node, prop, lambda p: node.strings(p) or [""])
        if value is not None and value != ["disabled"]:
            self.errors.add(node, prop, PV)

    def _wfi(self, guest, node, prop):
        guest.wfi = self._get(node, prop, node.string)
        if guest.wfi not in (None, "trap", "native"):
            self.errors.add(node, prop, "must be \"trap\" or \"native\"")

    def _restart(self, _guest, node, prop):
        if self._get(node, prop, node.string) not in (
                None, "never", "on-crash", "always"):
            self.errors.add(node, prop, "must be \"never\", \"on-crash\" "
                            "or \"always\"")

    def _start(self, guest, node, prop):
        value = self._get(node, prop, node.string)
        if value not in (None, "boot", "later"):
            self.errors.add(node, prop, "must be \"boot\" or \"later\"")
        guest.later = value == "later"

    def _pool(self, _guest, node, prop):
        self._range(node, prop, 1, 1024)

    def _cells(self, _guest, node, prop):
        self._range(node, prop, 1, 2)

    def _passthrough(self, _guest, node, prop):
        if self._get(node, prop, node.string) not in (None, "disabled"):
            self.errors.add(node, prop, "not supported (only \"disabled\")")

    def _zero(self, _guest, node, prop):
        """A capability that is accepted only when it is off."""
        self._only(node, prop, 0)

    def _trap_unmapped(self, _guest, node, prop):
        self._only(node, prop, 1)

    def _only(self, node, prop, value):
        if node.props[prop] != fdt.cells(value, 1):
            self.errors.add(node, prop, f"not supported (only {value})")

    def _accept(self, guest, node, prop):
        pass

    # --- its sub-nodes -------------------------------------------------------

    def _child(self, guest, node):
        try:
            names = node.strings("compatible") or []
        except ValueError as e:
            self.errors.add(node, "compatible", str(e))
            return
        kind = next((n for n in MODULES if n in names), None)
        if kind:
            self._module(guest, node, kind)
        elif "xen,vcpu" in names:
            self._vcpu(guest, node)
        elif set(names) & KNOWN_NODES:
            name = next(n for n in names if n in KNOWN_NODES)
            self.errors.add(node, "compatible", f"{name}: {LATER}")
        else:
            self.errors.add(node, "compatible",
                            f"{names[0] if names else 'missing'}: unknown "
                            "kind of sub-node")

    def _module(self, guest, node, compatible):
        kind = MODULES[compatible]
        if kind in guest.parts:
            self.errors.add(node, "compatible",
                            f"a second {compatible} module")
            return
        module = Module(node, kind)
        guest.parts[kind] = module
        for prop in node.props:
            if prop == "skerry,file":
                module.file = self._get(node, prop, node.string)
            elif prop == "bootargs" and kind == "kernel":
                guest.bootargs = self._get(node, prop, node.string) or ""
            elif prop == "bootargs":
                self.errors.add(node, prop, "is signed in the image"
                                if kind == "fit" else
                                "belongs in the kernel's node")
            elif prop == "skerry,config" and kind == "fit":
                self._get(node, prop, node.string)
            elif prop not in ("compatible", "reg", "phandle"):
                self._unknown(node, prop)
        has_file, has_reg = "skerry,file" in node.props, "reg" in node.props
        if has_file and has_reg:
            self.errors.add(node, "reg", "skerry,file has its reg written")
        elif has_reg:
            self._module_reg(guest, module)
        elif not has_file:
            self.errors.add(node, "reg", "missing, and no skerry,file")

    def _module_reg(self, guest, module):
        node = module.node
        try:
            counts = [guest.node.u32(p) for p in
                      ("#address-cells", "#size-cells")]
            if None in counts:
                raise ValueError("the guest lacks #address-cells or "
                                 "#size-cells")
            pairs = fdt.reg_pairs(node, *counts)
            if len(pairs) != 1 or not pairs[0][1]:
                raise ValueError("must be one address and a size")
            module.address, module.size = pairs[0]
        except ValueError as e:
            self.errors.add(node, "reg", str(e))

    def _vcpu(self, guest, node):
        sched = replace(guest.own)
        for prop in node.props:
            if prop in SCHED:
                self._sched_into(sched, node, prop)
            elif prop not in ("compatible", "id", "hard-affinity", "phandle"):
                self._unknown(node, prop)
        number = self._get(node, "id", node.u32)
        if "id" not in node.props:
            self.errors.add(node, "id", "missing")
        elif number is not None and guest.cpus and number >= guest.cpus:
            self.errors.add(node, "id", f"{number}: the guest has "
                            f"{guest.cpus} vCPUs")
        elif number in guest.vcpus:
            self.errors.add(node, "id", f"{number}: described twice")
        elif number is not None:
            guest.vcpus[number] = node, sched
        self._affinity(guest, node, number)

    def _affinity(self, guest, node, number):
        cpus = self._get(node, "hard-affinity", node.string)
        if cpus is None:
            return
        allowed = cpu_list(cpus)
        if not allowed:
            self.errors.add(node, "hard-affinity",
                            f"\"{cpus}\" is not a list of CPUs")
            return
        if self.nr_cpus and not any(c < self.nr_cpus for c in allowed):
            self.errors.add(node, "hard-affinity", f"\"{cpus}\": the board "
                            f"has {self.nr_cpus} CPUs")
        guest.affinity[number] = allowed

    def _vcpus(self, guest):
        """When all nodes are read, as each vCPU has something of two."""
        found = [guest.sched(n) for n in range(min(guest.cpus, MAX_VCPUS))]
        if guest.wfi == "native" and any(s.budget_us for _, s in found):
            self.errors.add(guest.node, "skerry,wfi",
                            "a deadline vCPU's WFI always traps")
        for node, sched in {n.path: (n, s) for n, s in found}.values():
            for prop, reason in sched.wrong():
                self.errors.add(node, prop, reason)


PROPS = {
    "compatible": Checker._accept,
    "memory": Checker._memory,
    "cpus": Checker._cpus,
    "vpl011": Checker._vpl011,
    "nr_spis": Checker._nr_spis,
    "capabilities": Checker._zero,
    "sve": Checker._zero,
    "passthrough": Checker._passthrough,
    "trap-unmapped-accesses": Checker._trap_unmapped,
    "xen,enhanced": Checker._enhanced,
    "xen,domain-p2m-mem-mb": Checker._pool,
    "skerry,version": Checker._version,
    "skerry,min-version": Checker._min_version,
    "skerry,wfi": Checker._wfi,
    "skerry,restart": Checker._restart,
    "skerry,start": Checker._start,
    **dict.fromkeys(SCHED, Checker._sched),
    "skerry,watchdog-ms": Checker._watchdog,
    "#address-cells": Checker._cells,
    "#size-cells": Checker._cells,
}


def cpu_list(value):
    """The set of "0-3,5", or an empty set where it is not such a list."""
    out = set()
    for part in value.split(","):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip())
        if not match:
            return set()
        first = int(match[1])
        last = int(match[2] or first)
        if last < first:
            return set()
        out.update(range(first, last + 1))
    return out
