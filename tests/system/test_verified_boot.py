# SPDX-License-Identifier: Apache-2.0
"""U-Boot's verified boot in front of Skerry: Debian's u-boot.bin for QEMU,
with a key in its device tree, which QEMU's -dtb gives it. It starts a boot FIT
that is signed with that key, and no other. The tests sign it themselves, so that
the key is theirs."""
import os
import shutil
import sys
from dataclasses import dataclass

import pytest

from harness import (HYP, LOGS, TOP, description, expect, expect_clean,
                     expect_not, expect_tap, hello, pack, qemu)
from skerry_pack import fdt, uboot

sys.path.insert(0, os.path.join(TOP, "tests/tools"))
# pylint: disable=wrong-import-position
import fitmake  # noqa: E402

pytestmark = pytest.mark.one_gic

# Debian's u-boot.bin of 2023.01 has RSA, PKCS#1 v1.5 only.
ALGO = "rsa2048"
WHO = "U-Boot, key loader"

# The command of docs/security.md, here for QEMU's disk. It looks for the key
# first: without one U-Boot takes everything. What fails stops it, and nobody
# comes to a prompt.
COMMAND = (
    "setenv fdt_high 0xffffffffffffffff; virtio scan; "
    "fdt addr ${{fdtcontroladdr}} && "
    "fdt get value req /signature/key-loader required && "
    "test \"${{req}}\" = conf && "
    "load virtio 0:1 {fit} skerry.itb && bootm start {fit}#skerry && "
    "bootm loados && bootm fdt && "
    f"fdt set /chosen skerry,attested \"{WHO}\" && fdt print /chosen && "
    "bootm prep && bootm go; reset")


def read(path):
    with open(path, "rb") as f:
        return f.read()


@dataclass
class Loader:
    """What mkboot made for hello, once, and what U-Boot knows of keys."""
    folder: str
    machine: qemu.Machine
    fit_address: str
    key: fitmake.Key
    other: fitmake.Key

    def path(self, name):
        return os.path.join(self.folder, name)

    def unsigned(self):
        """What mkboot made, without a signature."""
        root = fdt.parse(read(self.path("skerry.itb")))
        config = root.find(f"/configurations/{uboot.CONFIG}")
        config.nodes.pop("signature", None)
        return root, config

    def sign(self, key, name, control=None):
        """skerry.itb signed into a file of that name; its bytes."""
        root, config = self.unsigned()
        config.add("signature").props.update({
            "algo": fdt.text(f"sha256,{ALGO}"),
            "key-name-hint": fdt.text(key.name),
            "sign-images": fdt.text("kernel\0fdt\0loadables")})
        with open(self.path(name), "wb") as f:
            f.write(fdt.build(root))
        fitmake.run("mkimage", "-F", "-k", key.folder,
                    *(["-K", control, "-r"] if control else []),
                    self.path(name))
        return read(self.path(name))

    def boot(self, name, image, command=None, until=None, keys="control"):
        """Boots with this boot FIT on the disk.

        command: U-Boot's built-in boot command, else it runs boot.scr.
        keys: which of the device trees it has.
        """
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        itb = os.path.join(folder, "skerry.itb")
        disk = os.path.join(folder, "disk.img")
        with open(itb, "wb") as f:
            f.write(image)
        uboot.write_disk(disk, [self.path("boot.scr"), itb])
        control = os.path.join(folder, "control.dtb")
        shutil.copy(self.path(f"{keys}.dtb"), control)
        if command:
            fitmake.run("fdtput", "-c", control, "/config")
            fitmake.run("fdtput", "-t", "s", control, "/config", "bootcmd",
                        command.format(fit=self.fit_address))
            # -2: no countdown, and no key that ends it.
            fitmake.run("fdtput", "-t", "x", control, "/config", "bootdelay",
                        "fffffffe")
        os.makedirs(LOGS, exist_ok=True)
        return qemu.run(self.machine, qemu.uboot_args(disk) +
                        ["-dtb", control], timeout=300, until=until,
                        log=os.path.join(LOGS, f"verified-{name}.log"))


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("verified"))
    dts = os.path.join(folder, "guests.dts")
    with open(dts, "w", encoding="utf-8") as f:
        f.write(description([hello()], ""))
    machine = qemu.Machine(cpus=1, mem=1024)
    control = os.path.join(folder, "control.dtb")
    board = pack.Board(machine.device_tree(control))
    image = read(HYP)
    pack.write_uboot(pack.prepare(dts, image, board, TOP), folder, image)
    with open(os.path.join(folder, "boot.cmd"), encoding="ascii") as f:
        script = f.read()
    made = Loader(folder, machine, script.split("bootm ")[1].split("#")[0],
                  *(fitmake.make_key(os.path.join(folder, which), ALGO,
                                     "loader") for which in ("key", "other")))
    shutil.copy(control, os.path.join(folder, "keyless.dtb"))
    made.sign(made.key, "signed.itb", control)
    return made


@pytest.fixture
def signed(loader):
    return read(loader.path("signed.itb"))


def changed(image, part):
    start, size = fitmake.data_of(image, part)
    return fitmake.flip(image, start + size // 2)


BAD = {
    "changed description": (lambda s, l: changed(s, "fdt"),
                            "Bad hash value for 'hash-1' hash node in 'fdt'"),
    "changed hypervisor": (lambda s, l: changed(s, "hypervisor"),
                           "Bad hash value for 'hash-1' hash node in "
                           "'hypervisor'"),
    "changed load address": (
        lambda s, l: fitmake.flip(
            s, fitmake.value_of(s, "/images/hypervisor", "load")[0] + 1),
        "Failed to verify required signature 'key-loader'"),
    "other key": (lambda s, l: l.sign(l.other, "other.itb"),
                  "Failed to verify required signature 'key-loader'"),
    "unsigned": (lambda s, l: fdt.build(l.unsigned()[0]),
                 "Failed to verify required signature 'key-loader'"),
}


def expect_refused(result, why):
    expect(result, why)
    expect_not(result, r"^Starting kernel|^\((sk|d\d)\)")


def test_signed(loader, signed):
    """By boot.scr: verified, and nobody says so."""
    result = loader.boot("signed", signed)
    expect(result, r"Verifying Hash Integrity .* sha256,rsa2048:loader\+ OK")
    expect_tap(result, 1)
    expect_clean(result)
    assert "attested" not in read(loader.path("boot.scr")).decode("latin1")


@pytest.mark.parametrize("what", BAD)
def test_refused(loader, signed, what):
    make, why = BAD[what]
    expect_refused(
        loader.boot(what.replace(" ", "-"), make(signed, loader),
                    until="Skerry could not be started"), why)


@pytest.mark.parametrize("what", BAD)
def test_refused_by_the_command(loader, signed, what):
    make, why = BAD[what]
    result = loader.boot(f"command-{what}".replace(" ", "-"),
                         make(signed, loader), COMMAND)
    expect_refused(result, why)
    expect(result, "^resetting")
    expect_not(result, "Hit any key|^=> |attested")


def test_no_key(loader, signed):
    """A U-Boot that nobody gave a key verifies nothing, and says nothing."""
    result = loader.boot("no-key", signed, COMMAND, keys="keyless")
    expect_refused(result, "^resetting")
    expect_not(result, "attested|Loading kernel")


def test_attested(loader, signed):
    """The built-in command verifies, says so and starts."""
    result = loader.boot("attested", signed, COMMAND)
    expect(result, rf"^\tskerry,attested = \"{WHO}\";$", 1)
    expect(result, r"^\(sk\) Skerry ", 1)
    expect(result,
           rf"^\(sk\) description: attested by the loader: {WHO}$", 1)
    expect_tap(result, 1)
    expect_clean(result)
