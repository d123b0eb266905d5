# SPDX-License-Identifier: Apache-2.0
"""The signed FITs of guests before U-Boot's own checker and before Skerry's,
which compiles the hypervisor's code for the host: what Skerry accepts U-Boot
accepts, and neither accepts what was changed after signing.

What U-Boot 2023.01 does, found by trying: the parts are loaded after the
signature was checked, so the data must match its hash and the fdt part must
be a device tree. For ECDSA the key in the device tree is looked at for
`required` only; the point is taken from KEYDIR/NAME.pem (a private key), and
scripts/build-fit-check-sign adds the variable that names KEYDIR.
"""
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
# pylint: disable=wrong-import-position
import fitmake  # noqa: E402

UBOOT_CHECK = os.path.join(TOP, "third_party/host/fit_check_sign")
OUR_CHECK = os.path.join(TOP, "build/tools/fitcheck")
GENKEYS = os.path.join(TOP, "tools/genkeys.py")
ACCEPTED, REFUSED = 0, 1


def name_of(combination):
    algo, padding, attached = combination
    return "-".join(filter(None, [
        algo, padding, "attached" if attached else "external"]))


class Signed:
    """A signed FIT and the two checkers, which know its key."""

    def __init__(self, folder, combination, key):
        algo, self.padding, self.attached = combination
        self.folder = str(folder)
        self.key = key
        self.blob, _ = fitmake.make(folder, algo, self.padding, self.attached,
                                    key)

    def write(self, name, blob):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(blob)
        return path

    def flipped(self, path, prop, at=0):
        """The image with one bit changed in a property's value."""
        start, size = fitmake.value_of(self.blob, path, prop)
        assert at < size
        return fitmake.flip(self.blob, start + at)

    def with_data_flipped(self, part):
        start, size = fitmake.data_of(self.blob, part)
        return fitmake.flip(self.blob, start + size // 2)

    def uboot(self, blob):
        done = subprocess.run(
            [UBOOT_CHECK, "-f", self.write("checked.itb", blob), "-k",
             os.path.join(self.folder, "keys.dtb"), "-c", fitmake.CONFIG],
            env=dict(os.environ, FIT_CHECK_KEYDIR=self.key.folder),
            capture_output=True, text=True, errors="replace", check=False)
        assert done.returncode in (ACCEPTED, REFUSED), done
        return done.returncode, done.stdout + done.stderr

    def ours(self, blob):
        ring = os.path.join(self.folder, "ring")
        pss = ":pss" if self.padding == "pss" else ""
        if not os.path.exists(ring):
            fitmake.run("/usr/bin/python3", GENKEYS, "--ring", ring,
                        f"{self.key.name}={self.key.file('pub.pem')}{pss}")
        done = subprocess.run(
            [OUR_CHECK, ring, self.write("checked.itb", blob), "--config",
             fitmake.CONFIG], capture_output=True, text=True,
            errors="replace", check=False)
        assert done.returncode in (ACCEPTED, REFUSED), done
        return done.returncode, done.stdout + done.stderr


def name_of(combination):
    algo, padding, attached = combination
    return "-".join(filter(None, [
        algo, padding, "attached" if attached else "external"]))


@pytest.fixture(scope="module", autouse=True)
def built():
    for path, how in ((OUR_CHECK, "make tools"), (UBOOT_CHECK, "make setup")):
        assert os.path.exists(path), f"{path}: not there; run `{how}`"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """One key of each algorithm and name; long ones take their time."""
    made = {}

    def get(algo, which="ours"):
        if (algo, which) not in made:
            made[algo, which] = fitmake.make_key(
                str(tmp_path_factory.mktemp(f"{which}-{algo}")), algo)
        return made[algo, which]
    return get


@pytest.fixture(scope="module", params=fitmake.COMBINATIONS, ids=name_of)
def signed(request, tmp_path_factory, keys):
    return Signed(tmp_path_factory.mktemp("fit"), request.param,
                  keys(request.param[0]))


@pytest.fixture(params=["uboot", "skerry"])
def check(request, signed):
    """Checks a blob, with the one checker or with the other."""
    return signed.uboot if request.param == "uboot" else signed.ours


def changes(signed):
    """What is signed, or hashed by what is signed, each changed by one bit."""
    conf = f"/configurations/{fitmake.CONFIG}"
    out = {
        "version": signed.flipped(conf, "skerry,version", 3),
        "bootargs": signed.flipped(conf, "skerry,bootargs", 8),
        "which kernel": signed.flipped(conf, "kernel"),
        "load address": signed.flipped("/images/kernel", "load", 3),
        "type": signed.flipped("/images/ramdisk", "type", 6),
        "description": signed.flipped("/", "description"),
        "hash": signed.flipped("/images/kernel/hash-1", "value", 31),
        "hash's name": signed.flipped("/images/fdt/hash-1", "algo", 5),
        "signature": signed.flipped(f"{conf}/signature", "value", 17),
        "a property's name": fitmake.flip(
            signed.blob, signed.blob.index(b"skerry,version\0") + 7),
    }
    for part in fitmake.IMAGES:
        out[f"data of {part}"] = signed.with_data_flipped(part)
    return out


def claims(signed):
    """What is not signed: a checker may believe it or not."""
    conf = f"/configurations/{fitmake.CONFIG}"
    return {
        "default": signed.flipped("/configurations", "default"),
        "signer": signed.flipped(f"{conf}/signature", "signer-name"),
        "sign-images": signed.flipped(f"{conf}/signature", "sign-images"),
        "hashed-nodes": signed.flipped(f"{conf}/signature", "hashed-nodes",
                                       len("/\0/configurations/")),
        "hashed-strings": signed.flipped(f"{conf}/signature",
                                         "hashed-strings", 7),
        "algorithm": signed.flipped(f"{conf}/signature", "algo", 5),
    }


def test_accepted(signed, check):
    status, said = check(signed.blob)
    assert status == ACCEPTED, said


def test_changed(signed, check):
    for what, blob in changes(signed).items():
        assert blob != signed.blob and len(blob) == len(signed.blob)
        status, said = check(blob)
        assert status == REFUSED, f"{what}: {said}"


def test_other_key(signed, check, keys, tmp_path):
    """Signed well, with another key of that name."""
    algo, padding, attached = signed.key.algo, signed.padding, signed.attached
    blob, _ = fitmake.make(tmp_path, algo, padding, attached,
                           keys(algo, "theirs"))
    status, said = check(blob)
    assert status == REFUSED, said


def test_unsigned(signed, check, tmp_path):
    blob = fitmake.make_unsigned(tmp_path, signed.attached)
    status, said = check(blob)
    assert status == REFUSED, said


def test_skerry_accepts_no_more(signed):
    """Whatever Skerry accepts U-Boot accepts."""
    for what, blob in {"as signed": signed.blob, **changes(signed),
                       **claims(signed)}.items():
        ours, _ = signed.ours(blob)
        uboot, said = signed.uboot(blob)
        assert ours == REFUSED or uboot == ACCEPTED, f"{what}: {said}"
