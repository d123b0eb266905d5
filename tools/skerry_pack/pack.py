# SPDX-License-Identifier: Apache-2.0
"""From a checked description to bytes: modules read, addresses planned, one
device tree made of the board's and the guests'. `direct` and `uboot` differ
only in who loads it; see their functions."""
import json
import os

from . import admit, describe, fdt, image, plan, sign, uboot

SPARE_MIB = 192			# asked for beside guests and modules
OWN_MIB = 16			# what the hypervisor cannot do without


READERS = {"kernel": image.read_kernel, "ramdisk": image.read,
           "device-tree": image.read_tree, "fit": image.read_tree}


class PackError(Exception):
    """Lines for the user; nothing was written."""

    def __init__(self, lines):
        super().__init__("\n".join(lines))
        self.lines = lines


def cell_counts(node):
    """Of addresses and of sizes in its children."""
    out = []
    for prop, default in ("#address-cells", 2), ("#size-cells", 1):
        try:
            out.append(node.u32(prop) or default)
        except ValueError as e:
            raise fdt.FdtError(f"{node.path}: {prop}: {e}") from None
    return tuple(out)


def reg_pairs(node, counts):
    try:
        return fdt.reg_pairs(node, *counts)
    except ValueError as e:
        raise fdt.FdtError(f"{node.path}: reg: {e}") from None


class Board:
    """What the packing tool reads from a host device tree, which errors call
    by its name."""

    def __init__(self, blob, name="the board's device tree"):
        self.reserved_nodes = []
        self.has_kept = False
        try:
            self.root = fdt.parse(blob)
            self.reserved = fdt.reserve_map(blob)
            self._read()
            self._read_reserved()
        except fdt.FdtError as e:
            raise fdt.FdtError(f"{name}: {e}") from None

    def _read(self):
        self.nr_cpus = min(describe.MAX_CPUS, sum(
            n.props.get("device_type") == b"cpu\0"
            for n in self.root.walk()))
        self.counts = cell_counts(self.root)
        self.banks = [pair for n in self.root.nodes.values()
                      if n.props.get("device_type") == b"memory\0"
                      for pair in reg_pairs(n, self.counts) if pair[1]]
        if not self.nr_cpus or not self.banks:
            raise fdt.FdtError("no CPUs or no memory in it")

    def _read_reserved(self):
        """Statically placed ranges are nobody's, a loader's neither."""
        node = self.root.nodes.get("reserved-memory")
        if not node:
            return
        counts = cell_counts(node)
        for child in node.nodes.values():
            if "reg" in child.props and "reusable" not in child.props:
                self.reserved_nodes += reg_pairs(child, counts)
                self.has_kept |= child.compatible("ramoops")

    def keep_log(self, address, size):
        """Reserves what a warm reset leaves as it is (Linux's binding)."""
        node = self.root.add("reserved-memory")
        node.props.setdefault("#address-cells", fdt.cells(self.counts[0], 1))
        node.props.setdefault("#size-cells", fdt.cells(self.counts[1], 1))
        node.props.setdefault("ranges", b"")
        node.add(f"ramoops@{address:x}").props.update({
            "compatible": fdt.text("ramoops"),
            "reg": fdt.cells(address, node.u32("#address-cells")) +
            fdt.cells(size, node.u32("#size-cells"))})


class Pack:
    """A description being packed. Reading it collects errors; after sign()
    and place() the modules have data and addresses and `host_dtb()` works.
    `signer` is a sign.Policy; by default the development key signs all."""

    def __init__(self, dts, top=".", signer=None):
        self.dts = dts
        self.top = top
        self.signer = signer or sign.Policy()
        self.warnings = []
        self.errors = describe.Errors(dts)
        try:
            self.root = fdt.compile_source(dts) if dts.endswith(".dts") \
                else fdt.parse(image.read(dts))
        except (fdt.FdtError, image.ImageError) as e:
            raise PackError(str(e).splitlines()) from None
        self.check = describe.Checker(self.errors)
        self.board = None
        self.files = {}

    def guests(self):
        return self.check.guests

    def read(self, nr_cpus=None):
        """Checks the description and loads its files."""
        self.check.nr_cpus = nr_cpus
        self.check.read(self.root)
        for guest in self.guests():
            for module in guest.modules():
                if module.file:
                    self._load(guest, module)
            self._one_form(guest)
        if self.signer.unsigned != sign.ALL:
            names = {g.name for g in self.guests()}
            for name in sorted(self.signer.unsigned - names):
                self.errors.add(f"/chosen/{name}", "--unsigned",
                                "no guest has this name")

    def _one_form(self, guest):
        """A guest is signed by us as a whole, or placed by someone else."""
        if not self._signs(guest):
            return
        for module in guest.modules():
            if "reg" in module.node.props and \
                    "skerry,file" not in module.node.props:
                self.errors.add(module.node, "reg", "not in a file: cannot "
                                "be signed with the guest's other modules")

    def _signs(self, guest):
        """Whether the guest's modules are to become a signed image."""
        return "fit" not in guest.parts and \
            any(m.file for m in guest.modules()) and \
            self.signer.signs(guest.name)

    def _load(self, guest, module):
        try:
            path = image.locate(module.file, self.dts, self.top)
            reader = READERS[module.kind]
            # Guests that name the same file share it, and its place in RAM.
            if (path, module.kind) not in self.files:
                self.files[path, module.kind] = reader(path)
            module.data = self.files[path, module.kind]
            if module.kind == "kernel":
                self._fits(guest, module, path)
        except image.ImageError as e:
            self.errors.add(module.node, "skerry,file", str(e))

    def _fits(self, guest, module, path):
        head = image.header(module.data, path)
        need = head.text_offset % plan.ALIGN + head.image_size
        if guest.memory and need > guest.memory:
            self.errors.add(guest.node, "memory",
                            f"{guest.memory >> 10} KiB: the kernel alone "
                            f"needs {(need + 1023) >> 10} KiB")

    def needs(self):
        """CPUs and MiB that a board must have for these guests."""
        cpus = max(1, sum(g.cpus for g in self.guests()))
        for guest in self.guests():
            for allowed in guest.affinity.values():
                cpus = max(cpus, min(allowed) + 1)
        total = sum(g.memory for g in self.guests())
        # Once where they are placed and once in what U-Boot loads.
        total += 2 * sum(plan.up(len(m.data)) for _, m in self.modules())
        total += 2 * sum(sign.ROOM for g in self.guests() if self._signs(g))
        mib = -(-total // plan.MIB) + SPARE_MIB
        return cpus, max(512, plan.up(mib, 128))

    def fits_board(self, board):
        """The rules that need to know the machine."""
        self.board = board
        ram = sum(size for _, size in board.banks)
        want = sum(g.memory for g in self.guests() if not g.later)
        if want + (OWN_MIB << 20) > ram:
            self.errors.add("/chosen", "memory", f"the guests want "
                            f"{want >> 20} MiB and the hypervisor {OWN_MIB}, "
                            f"the board has {ram >> 20} MiB")
        self._admit(board.nr_cpus)

    def _admit(self, nr_cpus):
        """Each vCPU's CPU has the time for it."""
        nodes = {g.name: g.node for g in self.guests() if g.sound}
        for line in admit.log(self.guests(), nr_cpus):
            if line.startswith("refused: "):
                _, name, prop, reason = line.split(": ", 3)
                self.errors.add(nodes[name], prop, reason)
            elif line.startswith(" "):
                self.errors.append(f"{self.dts}: {line}")
            else:
                self.warnings.append(line)

    def sign(self):
        """Makes one signed image of each guest's modules, or says why not
        in `warnings`."""
        for guest in self.guests():
            guest.node.props.pop("skerry,version", None)
            if "fit" in guest.parts:
                continue
            if not self._signs(guest):
                self.warnings.append(f"{guest.name}: not signed" + (
                    "" if any(m.file for m in guest.modules())
                    else ", its modules are placed already"))
            elif guest.kernel and all(m.data for m in guest.modules()):
                self._make_fit(guest)

    def _make_fit(self, guest):
        data = sign.guest_fit(guest, self.signer)
        nodes = guest.node.nodes
        for module in guest.modules():
            del nodes[module.node.name]
        name = "image"
        while name in nodes:
            name += "-"
        node = guest.node.add(name)
        node.props["compatible"] = fdt.text("skerry,fit")
        node.props["skerry,config"] = fdt.text(guest.name)
        guest.parts = {"fit": describe.Module(node, "fit", data=data)}

    def place(self, hypervisor):
        """Plans all addresses. `hypervisor` is its image's bytes."""
        head = image.header(hypervisor, "hypervisor")
        self.plan = plan.Plan(self.board.banks, self.board.reserved +
                              self.board.reserved_nodes)
        base = self.plan.base
        self.plan.reserve("loader", base, plan.LOADER_LOW)
        self.hyp = plan.Slot("hypervisor", base + plan.HYP_OFFSET,
                             head.image_size)
        self.plan.reserve("dtb", self.plan.dtb_address(), plan.DTB_ROOM)
        if self.hyp.end > base + plan.LOADER_LOW:
            self.plan.reserve("hypervisor", self.hyp.address, self.hyp.size)
        # Before all else: guests that change do not move it.
        if not self.board.has_kept and \
                self.board.root.compatible("linux,dummy-virt"):
            kept = self.plan.place("kept log", plan.KEPT)
            self.board.keep_log(kept.address, plan.KEPT)
        placed = {}
        for guest in self.guests():
            for module in guest.modules():
                if module.data is None:
                    continue
                if id(module.data) not in placed:
                    placed[id(module.data)] = self.plan.place(
                        f"{guest.name} {module.kind}", len(module.data))
                module.address = placed[id(module.data)].address
                module.size = len(module.data)
                self._write_reg(guest, module)

    @staticmethod
    def _write_reg(guest, module):
        counts = []
        for prop in ("#address-cells", "#size-cells"):
            guest.node.props.setdefault(prop, fdt.cells(2, 1))
            counts.append(int.from_bytes(guest.node.props[prop], "big"))
        module.node.props.pop("skerry,file", None)
        module.node.props["reg"] = (fdt.cells(module.address, counts[0]) +
                                    fdt.cells(module.size, counts[1]))

    def host_dtb(self):
        """The board's tree with our /chosen in it, as a blob."""
        chosen = self.board.root.add("chosen")
        for prop in list(chosen.props):
            if prop in ("bootargs", "kaslr-seed", "rng-seed",
                        "skerry,attested") or prop.startswith("linux,"):
                del chosen.props[prop]
        ours = self.root.nodes["chosen"]
        chosen.props.update(ours.props)
        chosen.nodes.update(ours.nodes)
        return fdt.build(self.board.root, self.board.reserved)

    def modules(self):
        """What is to be loaded, once each: (guest, module) pairs."""
        seen, out = set(), []
        for guest in self.guests():
            for module in guest.modules():
                if module.data is not None and id(module.data) not in seen:
                    seen.add(id(module.data))
                    out.append((guest, module))
        return out

    def raise_errors(self):
        if self.errors:
            raise PackError(self.errors)


def prepare(dts, hypervisor, board, top=".", force=False, bootargs=None,
            interactive=False, signer=None):
    """A Pack with everything placed, or PackError. `force` packs in spite of
    errors that leave something to pack (to show the hypervisor's own). The
    tree of `board` becomes the one that is booted."""
    pack = Pack(dts, top, signer)
    pack.read(board.nr_cpus)
    pack.fits_board(board)
    if not force or "chosen" not in pack.root.nodes:
        pack.raise_errors()
    if bootargs:
        pack.root.add("chosen").props["xen,xen-bootargs"] = fdt.text(bootargs)
    for guest in pack.guests():
        if interactive and guest.kernel and "ramdisk" in guest.parts:
            guest.bootargs = (guest.bootargs + " interactive").strip()
            guest.kernel.node.props["bootargs"] = fdt.text(guest.bootargs)
    pack.sign()
    try:
        pack.place(hypervisor)
    except plan.PlanError as e:
        raise PackError([f"{dts}: /chosen: memory: {e}"]) from None
    return pack


def write_direct(pack, out, hyp_path):
    """Files for QEMU's -kernel and -dtb: host.dtb, the modules, and plan.json
    with the arguments that load them."""
    os.makedirs(out, exist_ok=True)
    dtb = os.path.join(out, "host.dtb")
    _write(dtb, pack.host_dtb())
    args = ["-kernel", hyp_path, "-dtb", dtb]
    for guest, module in pack.modules():
        path = os.path.join(out, f"{guest.name}-{module.kind}.bin")
        _write(path, module.data)
        args += ["-device", f"loader,file={path},addr={module.address:#x},"
                 "force-raw=on"]
    result = {"qemu": args, "modules": describe_modules(pack),
              "when_all_off": pack.check.when_all_off}
    _write(os.path.join(out, "plan.json"),
           (json.dumps(result, indent=2) + "\n").encode())
    return result


def write_uboot(pack, out, hypervisor):
    """boot.scr, skerry.itb and disk.img for U-Boot."""
    key = pack.signer.boot_key and pack.signer.boot_key.find()
    os.makedirs(out, exist_ok=True)
    parts = [uboot.Part(f"{g.name}-{m.kind}", m.address, m.data)
             for g, m in pack.modules()]
    load = pack.plan.place("hypervisor image", pack.hyp.size)
    fit_at = pack.plan.place(
        "FIT", sum(len(p.data) for p in parts) + len(hypervisor) + plan.MIB)
    uboot.write_boot_dir(out, uboot.Boot(
        hypervisor=hypervisor, hyp_address=load.address,
        dtb=pack.host_dtb(), dtb_address=pack.plan.dtb_address(),
        parts=parts, fit_address=fit_at.address, key=key))
    result = {"disk": os.path.join(out, "disk.img"),
              "modules": describe_modules(pack),
              "when_all_off": pack.check.when_all_off}
    _write(os.path.join(out, "plan.json"),
           (json.dumps(result, indent=2) + "\n").encode())
    return result


def describe_modules(pack):
    return [{"guest": g.name, "kind": m.kind, "address": m.address,
             "size": m.size} for g, m in pack.modules()]


def _write(path, data):
    with open(path, "wb") as f:
        f.write(data)
