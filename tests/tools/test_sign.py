# SPDX-License-Identifier: Apache-2.0
"""Signed guests: what tools/mkboot and stock mkimage make is taken apart here
without their code, and openssl judges the signatures."""
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position,unused-import,redefined-outer-name
import keys  # noqa: E402
from test_mkboot import (GUEST, MKBOOT, TOP, arm64_image,  # noqa: E402
                         mkboot, refused, work, write)
from skerry_pack import admit, fdt, pack, sign  # noqa: E402

UNHASHED = ("data", "data-size", "data-offset", "data-position")
RAMDISK = "r { compatible = \"multiboot,ramdisk\"; skerry,file = \"initrd\"; };"
TREE = "d { compatible = \"multiboot,device-tree\"; skerry,file = \"p.dts\"; };"
BOTH = [("kernel", ""), ("ramdisk", RAMDISK), ("fdt", TREE)]


# --- what a signature covers, from the format's description -----------------

def tokens(blob):
    """(token, from, to, path, name) of the structure block."""
    at, strings = struct.unpack_from(">2I", blob, 8)
    path = []
    while True:
        start, (token,) = at, struct.unpack_from(">I", blob, at)
        at, name = at + 4, None
        if token == 1:
            end = blob.index(0, at)
            path.append(blob[at:end].decode())
            at = (end + 4) & -4
        elif token == 3:
            size, offset = struct.unpack_from(">2I", blob, at)
            offset += strings
            name = blob[offset:blob.index(0, offset)].decode()
            at = (at + 8 + size + 3) & -4
        yield token, start, at, "/".join(path) or "/", name
        if token == 2:
            path.pop()
        if token == 9:
            return


def signed_bytes(blob, nodes, nr_strings):
    """Tags and properties of the nodes, tags of their children, the end, and
    the first strings."""
    out = b""
    for token, start, end, path, name in tokens(blob):
        parent = path.rpartition("/")[0] or "/"
        tag = token in (1, 2) and (path in nodes or parent in nodes)
        prop = token == 3 and path in nodes and name not in UNHASHED
        if tag or prop or token == 9:
            out += blob[start:end]
    strings, = struct.unpack_from(">I", blob, 12)
    return out + blob[strings:strings + nr_strings]


def der_signature(raw):
    """r and s, 32 bytes each, as openssl wants them."""
    out = b""
    for half in (raw[:32], raw[32:]):
        half = half.lstrip(b"\0") or b"\0"
        half = bytes(half[0] >> 7) + half
        out += bytes([2, len(half)]) + half
    return bytes([0x30, len(out)]) + out


def openssl_accepts(data, signature, kind, pss, tmp):
    if kind == "ecdsa256":
        signature = der_signature(signature)
    (tmp / "data").write_bytes(data)
    (tmp / "sig").write_bytes(signature)
    padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt",
               "rsa_pss_saltlen:auto"] if pss else []
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-verify", keys.public(kind),
         "-signature", tmp / "sig", *padding, tmp / "data"],
        capture_output=True, check=False)
    return done.returncode == 0


def nodes_of(config, images):
    return ["/", f"/configurations/{config}"] + [
        f"/images/{i}{end}" for i in images for end in ("", "/hash-1")]


def verifies(blob, kind, pss, tmp, config="g", images=("kernel",)):
    node = fdt.parse(blob).find(f"/configurations/{config}/signature")
    first, count = struct.unpack(">2I", node.props["hashed-strings"])
    assert first == 0
    return openssl_accepts(signed_bytes(blob, nodes_of(config, images), count),
                           node.props["value"], kind, pss, tmp)


def data_of(blob, node):
    """An image's data, inside the tree or behind it."""
    if "data" in node.props:
        assert "data-offset" not in node.props
        return node.props["data"]
    total, = struct.unpack_from(">I", blob, 4)
    at = ((total + 3) & -4) + node.u32("data-offset")
    return blob[at:at + node.u32("data-size")]


def fit_of(work, guest="g"):
    return (work / f"out/{guest}-fit.bin").read_bytes()


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def tree(work):
    (work / "p.dts").write_text("/dts-v1/;\n/ { passthrough { a = <1>; }; };")
    return work


# --- every algorithm and layout ------------------------------------------------

@pytest.mark.parametrize("attached", [False, True],
                         ids=["external", "attached"])
@pytest.mark.parametrize("kind, pss", [
    ("rsa2048", False), ("rsa2048", True), ("rsa3072", False),
    ("rsa3072", True), ("rsa4096", False), ("rsa4096", True),
    ("ecdsa256", False)])
def test_signed(tree, kind, pss, attached):
    write(tree, "skerry,version = <7>;" + RAMDISK + TREE,
          kernel_body="bootargs = \"a=\\\"b c\\\" \\\\d\";")
    done = mkboot(tree, "direct", "--key",
                  keys.private(kind) + (":pss" if pss else ""),
                  *(["--attached"] if attached else []))
    assert (done.returncode, done.stderr) == (0, "")
    blob = fit_of(tree)
    root = fdt.parse(blob)
    images = root.nodes["images"].nodes
    assert list(images) == ["kernel", "ramdisk", "fdt"]
    assert ("data" in images["kernel"].props) == attached
    want = {"kernel": arm64_image(), "ramdisk": b"initrd",
            "fdt": fdt.compile_blob(str(tree / "p.dts"))}
    for name, data in want.items():
        node = images[name]
        assert list(node.nodes) == ["hash-1"]
        assert data_of(blob, node) == data
        assert node.nodes["hash-1"].string("algo") == "sha256"
        assert node.nodes["hash-1"].props["value"] == \
            hashlib.sha256(data).digest()
        assert [node.string(p) for p in ("type", "arch", "os", "compression")
                ] == [{"fdt": "flat_dt"}.get(name, name), "arm64", "linux",
                      "none"]
    assert images["kernel"].u32("load") == images["kernel"].u32("entry") == 0
    assert root.nodes["configurations"].string("default") == "g"
    assert list(root.nodes["configurations"].nodes) == ["g"]
    config = root.find("/configurations/g")
    assert config.u32("skerry,version") == 7
    assert config.string("skerry,bootargs") == "a=\"b c\" \\d"
    assert [config.string(i) for i in want] == list(want)
    signature = config.nodes["signature"]
    assert signature.string("algo") == f"sha256,{kind}"
    assert signature.string("key-name-hint") == kind
    assert signature.string("padding") == ("pss" if pss else None)
    assert signature.strings("sign-images") == list(want)
    assert signature.strings("hashed-nodes") == nodes_of("g", want)
    assert verifies(blob, kind, pss, tree, images=want)


def test_the_check_above_can_fail(tree):
    """Each byte of what is signed counts, as does the key."""
    write(tree, RAMDISK + TREE, kernel_body="bootargs = \"quiet\";")
    assert mkboot(tree).returncode == 0
    blob = fit_of(tree)
    images = ["kernel", "ramdisk", "fdt"]
    assert verifies(blob, "rsa2048", False, tree, images=images)
    assert not verifies(blob, "other2048", False, tree, images=images)
    assert not verifies(blob, "rsa2048", True, tree, images=images)
    assert not verifies(blob, "rsa2048", False, tree, images=images[:2])
    hits = {"quiet": b"quiet\0", "version": b"skerry,version\0",
            "load": b"load\0", "compression": b"none\0",
            "digest": hashlib.sha256(b"initrd").digest()}
    for name, what in hits.items():
        at = blob.index(what)
        bad = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]
        assert not verifies(bad, "rsa2048", False, tree, images=images), name
    at = blob.index(b"mkimage\0")		# the signature node is not signed
    loose = blob[:at] + b"M" + blob[at + 1:]
    assert verifies(loose, "rsa2048", False, tree, images=images)


@pytest.mark.parametrize("images, body", [
    (["kernel"], ""), (["kernel", "ramdisk"], RAMDISK),
    (["kernel", "fdt"], TREE)])
def test_parts_that_are_there(tree, images, body):
    write(tree, body)
    assert mkboot(tree).returncode == 0
    blob = fit_of(tree)
    config = fdt.parse(blob).find("/configurations/g")
    assert config.u32("skerry,version") == 0
    assert "skerry,bootargs" not in config.props
    assert config.nodes["signature"].strings("sign-images") == images
    assert verifies(blob, "rsa2048", False, tree, images=images)


# --- the packed description -----------------------------------------------------

def packed(work, path):
    return fdt.parse((work / "out/host.dtb").read_bytes()).find(path)


def placed(work):
    with open(work / "out/plan.json", encoding="utf-8") as f:
        return json.load(f)["modules"]


def test_packed_form(tree):
    fingerprint = "0123456789abcdefABCDEF" + 42 * "0"
    write(tree, "skerry,version = <7>; skerry,min-version = <5>;" + RAMDISK +
          TREE + "image { compatible = \"xen,vcpu\"; id = <0>; };",
          kernel_body="bootargs = \"x\";",
          chosen=f"skerry,revoked-keys = \"{fingerprint}\", "
          f"\"{fingerprint}\";")
    assert mkboot(tree).returncode == 0
    guest = packed(tree, "/chosen/g")
    assert "skerry,version" not in guest.props
    assert guest.u32("skerry,min-version") == 5
    assert packed(tree, "/chosen").strings("skerry,revoked-keys") == \
        2 * [fingerprint]
    assert len(guest.nodes) == 2 and guest.nodes["image"].compatible(
        "xen,vcpu"), "a node of that name is kept"
    image = next(n for n in guest.nodes.values() if n.compatible("skerry,fit"))
    assert image.string("skerry,config") == "g"
    assert set(image.props) == {"compatible", "skerry,config", "reg"}
    module, = placed(tree)
    assert module["kind"] == "fit"
    assert fdt.reg_pairs(image, 2, 2) == [(module["address"],
                                           module["size"])]
    assert module["size"] == len(fit_of(tree))


def test_attested_is_for_loaders(work):
    root = fdt.parse((work / "board.dtb").read_bytes())
    root.nodes["chosen"].props["skerry,attested"] = b""
    (work / "board.dtb").write_bytes(fdt.build(root))
    write(work)
    assert mkboot(work).returncode == 0
    assert "skerry,attested" not in packed(work, "/chosen").props
    shutil.rmtree(work / "out")
    write(work, chosen="skerry,attested;")
    refused(work, "/chosen: skerry,attested: only a loader may set it")


def two(work):
    one = GUEST.format(body="", kernel="kernel", kernel_body="")
    write(work, text=one + one.replace("g {", "h {"))


def test_each_guest_has_its_own(work):
    two(work)
    assert mkboot(work).returncode == 0
    first, second = placed(work)
    assert first["address"] + first["size"] <= second["address"]
    for name in "gh":
        assert verifies(fit_of(work, name), "rsa2048", False, work, name)


def test_some_unsigned(work):
    two(work)
    done = mkboot(work, "direct", "--unsigned", "h")
    assert (done.returncode, done.stderr) == \
        (0, "mkboot: warning: h: not signed\n")
    assert [m["kind"] for m in placed(work)] == ["fit", "kernel"]
    assert packed(work, "/chosen/h/k").props["reg"]
    assert packed(work, "/chosen/g/k") is None


def test_all_unsigned(tree):
    write(tree, "skerry,version = <1>;" + RAMDISK + TREE,
          kernel_body="bootargs = \"x\";")
    done = mkboot(tree, "direct", "--unsigned", "all", "--key", "absent")
    assert (done.returncode, done.stderr) == \
        (0, "mkboot: warning: g: not signed\n")
    guest = packed(tree, "/chosen/g")
    assert guest.nodes["k"].string("bootargs") == "x"
    assert "skerry,version" not in guest.props
    assert [m["kind"] for m in placed(tree)] == \
        ["kernel", "ramdisk", "device-tree"]
    assert (tree / "out/g-device-tree.bin").read_bytes() == \
        fdt.compile_blob(str(tree / "p.dts"))


def test_unsigned_names(work):
    write(work)
    done = mkboot(work, "check", "--unsigned", "g,nobody")
    assert done.returncode == 1
    assert done.stderr == f"mkboot: {work / 'guests.dts'}: /chosen/nobody: " \
        "--unsigned: no guest has this name\n"


def test_signed_elsewhere(work):
    """A FIT from somewhere is packed as it is, without any key."""
    blob = fdt.build(fdt.Node()) + b"behind"
    (work / "x.itb").write_bytes(blob)
    guest = "\tg { compatible = \"xen,domain\"; memory = <0 0x10000>; " \
        "cpus = <1>; i { compatible = \"skerry,fit\"; " \
        "skerry,file = \"x.itb\"; %s }; };"
    for config in ("skerry,config = \"other\";", ""):
        write(work, text=guest % config)
        done = mkboot(work, "direct", "--key", "absent")
        assert (done.returncode, done.stderr) == (0, "")
        assert fit_of(work) == blob
        image = packed(work, "/chosen/g/i")
        assert image.string("skerry,config") == ("other" if config else None)
        assert set(image.props) - {"skerry,config"} == {"compatible", "reg"}
    shutil.rmtree(work / "out")
    (work / "x.itb").write_bytes(b"\xd0\x0d\xfe\xeeno")
    refused(work, f"/chosen/g/i: skerry,file: {work / 'x.itb'}: no device "
            "tree or FIT (bad magic)")


def test_placed_already(work):
    """The packed form as source is left alone."""
    write(work, text="\tg { compatible = \"xen,domain\"; #address-cells = <2>;"
          " #size-cells = <2>; memory = <0 0x10000>; cpus = <1>; k { "
          "compatible = \"multiboot,kernel\"; reg = <0 0x44000000 0 4>; }; };")
    done = mkboot(work, "direct", "--key", "absent")
    assert (done.returncode, done.stderr) == \
        (0, "mkboot: warning: g: not signed, its modules are placed already\n")
    assert packed(work, "/chosen/g/k").props["reg"] == \
        fdt.cells(0x44000000, 2) + fdt.cells(4, 2)


FIT = "i { compatible = \"skerry,fit\"; skerry,file = \"x.itb\"; %s };"


@pytest.mark.parametrize("body, line", [
    (FIT % "", "g/i: compatible: skerry,fit is the whole guest: no other "
     "module beside it"),
    (FIT % "skerry,config = <0>;",
     "g/i: skerry,config: must be one string"),
    (FIT % "bootargs = \"x\";", "g/i: bootargs: is signed in the image"),
    ("skerry,version = <1>;" + FIT % "",
     "g: skerry,version: is signed in the image of i"),
    (FIT % "" + "j { compatible = \"skerry,fit\"; };",
     "g/j: compatible: a second skerry,fit module"),
    (TREE + "e { compatible = \"multiboot,device-tree\"; };",
     "g/e: compatible: a second multiboot,device-tree module"),
    (RAMDISK + "e { compatible = \"multiboot,ramdisk\"; };",
     "g/e: compatible: a second multiboot,ramdisk module"),
    ("d { compatible = \"multiboot,device-tree\"; };",
     "g/d: reg: missing, and no skerry,file"),
    ("d { compatible = \"multiboot,device-tree\"; bootargs = \"x\"; };",
     "g/d: bootargs: belongs in the kernel's node"),
    ("d { compatible = \"multiboot,device-tree\"; reg = <0 1 0 1>; };",
     "g/d: reg: not in a file: cannot be signed with the guest's other "
     "modules"),
    ("r { compatible = \"multiboot,ramdisk\"; skerry,file = \"initrd\"; "
     "skerry,config = \"g\"; };", "g/r: skerry,config: not supported"),
    ("skerry,version = <0 1>;",
     "g: skerry,version: must be one cell"),
    ("skerry,min-version = \"1\";",
     "g: skerry,min-version: must be one cell"),
])
def test_refused(tree, body, line):
    (tree / "x.itb").write_bytes(fdt.build(fdt.Node()))
    write(tree, body)
    refused(tree, f"/chosen/{line}")


@pytest.mark.parametrize("source", [
    ("p.dts", "/dts-v1/; / { a = ; };"), ("p.dtb", "no tree at all")])
def test_damaged_device_tree(work, source):
    (work / source[0]).write_text(source[1])
    write(work, TREE.replace("p.dts", source[0]))
    done = mkboot(work)
    assert done.returncode == 1
    assert f"/chosen/g/d: skerry,file: {work / source[0]}" in done.stderr
    assert not (work / "out").exists()


@pytest.mark.parametrize("value, reason", [
    ("\"12\"", "\"12\": must be a key's SHA-256 in 64 hex digits"),
    ("\"" + 64 * "0" + "\", \"" + 64 * "g" + "\"",
     f"\"{64 * 'g'}\": must be a key's SHA-256 in 64 hex digits"),
    ("<1>", "must be a string"), ("[]", "must be a list of fingerprints")])
def test_revoked_keys(work, value, reason):
    write(work, chosen=f"skerry,revoked-keys = {value};")
    refused(work, f"/chosen: skerry,revoked-keys: {reason}")


def test_guest_names(work):
    """A name that dtc would not let pass, and no FIT should have."""
    root = fdt.compile_source(str(write(work)))
    guest = root.nodes["chosen"].nodes.pop("g")
    guest.name, guest.path = "g\"", "/chosen/g\""
    root.nodes["chosen"].nodes[guest.name] = guest
    (work / "guests.dtb").write_bytes(fdt.build(root))
    done = subprocess.run([MKBOOT, "check", work / "guests.dtb", "--top",
                           work], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "/chosen/g\": name: only letters, digits and ,._+-\n")


def test_ram_for_both_copies(work):
    """`needs` counts an image where it is placed and where U-Boot loads it."""
    (work / "initrd").write_bytes(bytes(300 << 20))
    write(work, RAMDISK)
    small = pack.Pack(str(work / "guests.dts"), str(work))
    small.read()
    assert small.errors == []
    assert small.needs()[1] >= 64 + 600 + pack.SPARE_MIB


def test_policy():
    for unsigned in ("a,b", ["a", "b"], ("b", "a"), {"a", "b"}):
        policy = sign.Policy(unsigned=unsigned)
        assert [policy.signs(n) for n in "abc"] == [False, False, True]
    assert sign.Policy().signs("all") and not sign.Policy(unsigned="all") \
        .signs("a")
    assert sign.Policy("k").boot_key.file == "k"
    assert sign.Policy("k", boot_key="l:pss").boot_key.pss
    assert sign.Policy("k", boot_key="none").boot_key is None
    assert sign.Policy().key.file == os.path.join(TOP, "build/keys/dev.key")


# --- keys -------------------------------------------------------------------------

def fails(work, *args, mode="direct"):
    done = mkboot(work, mode, *args)
    assert done.returncode == 1, done.stderr
    assert not (work / "out").exists()
    line, = done.stderr.splitlines()
    return line.removeprefix("mkboot: ")


WANT = "must be rsa2048, rsa3072, rsa4096, ecdsa256"


@pytest.mark.parametrize("kind, what", [
    ("rsa1024", "rsa1024"), ("rsapss", "an RSA-PSS key"),
    ("ecdsa384", "curve P-384"), ("ed25519", "Ed25519"),
    ("brainpool", "algorithm 1.3.36.3.3.2.8.1.1.7")])
def test_other_kinds(work, kind, what):
    write(work)
    key = keys.private(kind)
    assert fails(work, "--key", key) == f"{key}: {what}: {WANT}"


def test_bad_key_files(work):
    write(work)
    key = work / "k"
    assert fails(work, "--key", "k/absent") == "k/absent: no such key"
    key.write_bytes(b"x")
    assert fails(work, "--key", key) == f"{key}: not in PEM form"
    why = f"{key}: not a private key, or one with a passphrase"
    shutil.copy(keys.public("rsa2048"), key)
    assert fails(work, "--key", key) == why
    keys.openssl("pkey", "-in", keys.private("rsa2048"), "-aes128",
                 "-passout", "pass:secret", "-out", str(key))
    assert fails(work, "--key", key) == why
    ecdsa = keys.private("ecdsa256")
    assert fails(work, "--key", ecdsa + ":pss") == \
        f"{ecdsa}: is ecdsa256: pss is for RSA"
    rsa = keys.private("rsa2048")
    assert fails(work, "--key", rsa, "--algo", "rsa4096") == \
        f"{rsa}: is rsa2048, not rsa4096"
    assert fails(work, "--key-name", "a/b") == \
        "key name \"a/b\": only letters, digits and ,._+-"
    assert fails(work, "--key-name", 32 * "a") == \
        f"key name \"{32 * 'a'}\": longer than 31 characters"


def test_key_name_and_algo(work):
    write(work)
    assert mkboot(work, "direct", "--key-name", "site-1", "--algo",
                  "rsa2048:pss").returncode == 0
    blob = fit_of(work)
    node = fdt.parse(blob).find("/configurations/g/signature")
    assert node.string("key-name-hint") == "site-1"
    assert verifies(blob, "rsa2048", True, work)


def test_mkimage_that_does_not_sign(work, monkeypatch):
    """It ends with 0 all the same, here where the key went away."""
    write(work)
    (work / "bin").mkdir()
    script(work / "bin/mkimage", "#!/bin/sh\nrm $4/*.key\nexec "
           f"{shutil.which('mkimage')} \"$@\"\n")
    monkeypatch.setenv("PATH", f"{work / 'bin'}:{os.environ['PATH']}")
    done = fails(work)
    assert done.startswith("mkimage did not sign g with rsa2048: no "
                           "signature: ")
    assert "Failed to sign 'signature' signature node" in done


def test_engine(work):
    """mkimage's words for an engine that is not there."""
    write(work)
    done = subprocess.run(
        [MKBOOT, "direct", work / "guests.dts", "-k", work / "hyp", "-d",
         work / "board.dtb", "-o", work / "out", "--top", work, "--engine",
         "absent", "--keydir", "token=t;pin-value=1234", "--algo",
         "rsa2048:pss",
         "--key-name", "k"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert " -N absent -k token=t;pin-value=... " in done.stderr
    assert "Engine isn't available" in done.stderr
    assert not (work / "out").exists()


def test_what_was_signed_is_checked(work):
    """sign.unsigned_why() against outputs of mkimage that are not enough."""
    write(work, RAMDISK)
    assert mkboot(work).returncode == 0
    blob, images = fit_of(work), ["kernel", "ramdisk"]
    node = fdt.parse(blob).find("/configurations/g/signature")
    assert sign.unsigned_why(blob, "g", images, 256) is None
    assert sign.unsigned_why(blob, "g", images, 512) == \
        "256 bytes of signature instead of 512"
    assert "hashed-nodes is / " in \
        sign.unsigned_why(blob, "g", ["kernel"], 256)
    assert "hashed-nodes is / " in \
        sign.unsigned_why(blob, "g", images + ["fdt"], 256)
    assert sign.unsigned_why(blob.replace(node.props["value"], bytes(256)),
                             "g", images, 256) == "no signature"


@pytest.mark.parametrize("args", [
    ("--algo", "rsa1024"), ("--engine", "pkcs11"), ("--keydir", "x"),
    ("--engine", "pkcs11", "--algo", "rsa2048", "--key-name", "k"),
    ("--engine", "pkcs11", "--keydir", "object=k", "--key-name", "k"),
    ("--engine", "pkcs11", "--keydir", "object=k", "--algo", "rsa2048"),
    ("--engine", "pkcs11", "--keydir", "object=k", "--algo", "ecdsa256",
     "--key-name", "k")])
def test_usage(work, args):
    write(work)
    key = [] if "--engine" in args else ["--key", keys.private("rsa2048")]
    done = subprocess.run([MKBOOT, "direct", work / "guests.dts", *key, *args],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "usage:" in done.stderr and "mkboot: error: " in done.stderr


# --- what U-Boot loads ---------------------------------------------------------

def boot_fit(work):
    return (work / "out/skerry.itb").read_bytes()


@pytest.mark.parametrize("boot, kind", [((), "rsa2048"),
                                        (("rsa3072",), "rsa3072")])
def test_boot_key(work, boot, kind):
    two(work)
    args = ["--boot-key", keys.private(boot[0])] if boot else []
    assert mkboot(work, "uboot", "--unsigned", "h", *args).returncode == 0
    blob = boot_fit(work)
    images = ["hypervisor", "fdt", "g-fit", "h-kernel"]
    config = fdt.parse(blob).find("/configurations/skerry")
    assert config.nodes["signature"].strings("hashed-nodes") == \
        nodes_of("skerry", images)
    assert config.strings("loadables") == images[2:]
    for image in images:
        node = fdt.parse(blob).find(f"/images/{image}")
        assert node.nodes["hash-1"].string("algo") == "sha256"
    assert verifies(blob, kind, False, work, "skerry", images)
    guest = data_of(blob, fdt.parse(blob).find("/images/g-fit"))
    assert verifies(guest, "rsa2048", False, work)


def test_boot_unsigned(work):
    write(work)
    assert mkboot(work, "uboot", "--boot-key", "none").returncode == 0
    root = fdt.parse(boot_fit(work))
    assert not root.find("/configurations/skerry").nodes
    assert root.find("/images/g-fit/hash-1").string("algo") == "crc32"
    assert verifies(data_of(boot_fit(work), root.find("/images/g-fit")),
                    "rsa2048", False, work)


def test_boot_key_missing(work):
    write(work)
    assert fails(work, "--boot-key", "absent", mode="uboot") == \
        "absent: no such key"


# --- another project folder: default key, verify ----------------------------------

@pytest.fixture
def project(work):
    """A copy of the tools that has a build folder of its own."""
    (work / "tools").mkdir()
    (work / "build/tools").mkdir(parents=True)
    (work / "build/keys").mkdir()
    for name in ("mkboot", "run", "skerry_pack"):
        (work / "tools" / name).symlink_to(os.path.join(TOP, "tools", name))
    (work / admit.PROGRAM).symlink_to(admit.program())
    return work


def run_tool(work, *args, env=None):
    return subprocess.run([work / "tools" / args[0], *args[1:]],
                          capture_output=True, text=True, check=False,
                          env=env, cwd=work)


def test_default_key(project):
    write(project)
    args = ["mkboot", "uboot", "guests.dts", "-k", "hyp", "-d", "board.dtb",
            "-o", "out"]
    done = run_tool(project, *args)
    assert done.returncode == 1
    assert done.stderr == \
        f"mkboot: {project / 'build/keys/dev.key'}: no such key: run " \
        "`make`, which makes it, or name another with --key\n"
    assert not (project / "out").exists()
    assert run_tool(project, *args, "--unsigned", "all", "--boot-key",
                    "none").returncode == 0
    shutil.copy(keys.private("rsa2048"), project / "build/keys/dev.key")
    assert run_tool(project, *args).returncode == 0
    blob = boot_fit(project)
    signature = fdt.parse(blob).find("/configurations/skerry/signature")
    assert signature.string("key-name-hint") == "dev"
    assert verifies(blob, "rsa2048", False, project, "skerry",
                    ["hypervisor", "fdt", "g-fit"])


def test_development_key_is_marked(work):
    """Whatever its file is called, and as its public half."""
    dev, copy = work / "dev.key", work / "copy.pem"
    shutil.copy(keys.private("rsa2048"), dev)
    shutil.copy(keys.public("rsa2048"), copy)
    for word, marked in ((dev, "true"), (f"x={work}/./dev.key:pss", "true"),
                         (copy, "true"), (keys.public("other2048"), "false")):
        subprocess.run(["/usr/bin/python3", os.path.join(TOP, "tools/genkeys.py"),
                        "--header", work / "h", "--development", dev, word],
                       check=True)
        assert f".development = {marked}," in (work / "h").read_text(), word


def test_verify_calls(project):
    done = run_tool(project, "mkboot", "verify", "hyp", "--key", "k")
    check = project / "build/tools/fitcheck"
    assert (done.returncode, done.stderr) == \
        (1, f"mkboot: {check}: not built: run make tools first\n")
    (project / "tools/genkeys.py").write_text(
        "import sys\nopen(sys.argv[2], 'w').write(' '.join(sys.argv[3:]))\n"
        "sys.exit('bad' in sys.argv)\n")
    script(check, "#!/bin/sh\ncat $1; shift; echo; echo $*; exit ${RC:-0}\n")
    args = ["mkboot", "verify", "hyp", "--key", "a=k:pss", "--key", "l"]
    done = run_tool(project, *args)
    assert (done.returncode, done.stdout) == (0, "a=k:pss l\nhyp\n")
    done = run_tool(project, *args, "--config", "c", "--min-version", "0x10",
                    env=dict(os.environ, RC="1"))
    assert (done.returncode, done.stdout) == \
        (1, "a=k:pss l\nhyp --config c --min-version 16\n")
    assert run_tool(project, *args, "--key", "bad").returncode == 1
    assert run_tool(project, "mkboot", "verify", "hyp").returncode == 2
    assert run_tool(project, "mkboot", "verify", "absent", "--key",
                    "k").returncode == 1


def test_verify(work):
    """The hypervisor's own code agrees."""
    if not os.path.exists(os.path.join(TOP, "build/tools/fitcheck")):
        pytest.skip("build/tools/fitcheck is not built: make tools")
    write(work, "skerry,version = <4>;")
    assert mkboot(work).returncode == 0

    def verify(*args):
        return subprocess.run([MKBOOT, "verify", work / "out/g-fit.bin",
                               *args], capture_output=True, text=True,
                              check=False)
    key = ("--key", keys.public("rsa2048"))
    done = verify(*key, "--min-version", "4", "--config", "g")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "version: 4" in done.stdout
    for args in ((*key, "--min-version", "5"), (*key, "--config", "h"),
                 ("--key", keys.public("other2048"))):
        done = verify(*args)
        assert done.returncode == 1
        assert done.stdout.startswith("refused: ")


# --- tools/run --------------------------------------------------------------------

def dry_run(work, *args, **env):
    return subprocess.run(
        [os.path.join(TOP, "tools/run"), work / "guests.dts", "--dry-run",
         "--output", work / "out", *args],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={k: v for k, v in os.environ.items()
             if k not in ("KEY", "UNSIGNED", "BOOT_KEY")}
        | {"HYP": str(work / "hyp")} | env)


def test_run(work):
    write(work)
    done = dry_run(work, BOOT="direct", KEY=keys.private("rsa2048") + ":pss")
    assert done.returncode == 0, done.stderr
    assert verifies(fit_of(work), "rsa2048", True, work)
    done = dry_run(work, BOOT="direct", UNSIGNED="g")
    assert (done.returncode, done.stderr) == \
        (0, "run: warning: g: not signed\n")
    assert (work / "out/g-kernel.bin").exists()
    done = dry_run(work, BOOT="uboot", KEY=keys.private("rsa2048"),
                   BOOT_KEY=keys.private("rsa3072"))
    assert done.returncode == 0, done.stderr
    assert verifies(boot_fit(work), "rsa3072", False, work, "skerry",
                    ["hypervisor", "fdt", "g-fit"])
    done = dry_run(work, BOOT="direct", KEY="absent")
    assert (done.returncode, done.stderr) == \
        (1, "run: absent: no such key\n")


def test_run_bad_description(work):
    """Its errors are told, and not what QEMU has against what it asks for."""
    write(work, body="skerry,period-us = <1000>;")
    dts = work / "guests.dts"
    dts.write_text(dts.read_text().replace("cpus = <1>", "cpus = <4000000000>"))
    done = dry_run(work, BOOT="direct", UNSIGNED="all")
    assert (done.returncode, done.stderr.splitlines()) == (2, [
        f"run: {dts}: /chosen/g: cpus: 4000000000: must be 1 to 8",
        f"run: {dts}: /chosen/g: skerry,budget-us: missing"])
    # In spite of them, on a machine of another size.
    done = dry_run(work, "--force", BOOT="direct", UNSIGNED="all", CPUS="2")
    assert done.returncode == 0, done.stderr
    assert f"run: warning: {dts}: /chosen/g: skerry,budget-us: missing\n" in \
        done.stderr


def test_run_demo(work, monkeypatch):
    """However it is named, its guests share one CPU."""
    loader = importlib.machinery.SourceFileLoader(
        "run_tool", os.path.join(TOP, "tools/run"))
    tool = importlib.util.module_from_spec(
        importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(tool)
    write(work)
    dts = work / "guests.dts"
    dts.write_text(dts.read_text().replace("cpus = <1>", "cpus = <3>"))
    (work / "link.dts").symlink_to(dts)
    monkeypatch.chdir(work)
    monkeypatch.delenv("CPUS", raising=False)
    for demo, name, cpus in (("other", "guests.dts", 3),
                             ("guests.dts", "guests.dts", 1),
                             ("guests.dts", dts, 1),
                             ("guests.dts", "./link.dts", 1),
                             ("link.dts", "guests.dts", 1)):
        monkeypatch.setattr(tool, "DEMO", str(work / demo))
        monkeypatch.setattr(sys, "argv", ["run", str(name), "--unsigned",
                                          "all"])
        assert tool.make_machine(tool.arguments(), False).cpus == cpus, name
