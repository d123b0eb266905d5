# SPDX-License-Identifier: Apache-2.0
"""Signed guests: what is started, what is refused and by which line, and that
judging a large image delays nobody."""
import os
import re
import subprocess

import pytest

from harness import (BUILD, TOP, WORK, Boot, Guest, bare, build,
                     expect, expect_clean, expect_not, expect_status, expect_tap,
                     hello, image_of, of_round, one_at_a_time, report, sign,
                     systest)
from skerry_pack import fdt

KEYS = os.path.join(BUILD, "test-keys")
RSA = ["RSA", "-pkeyopt", "rsa_keygen_bits:"]
EC = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
ALGOS = {"rsa2048": RSA, "rsa3072": RSA, "rsa4096": RSA, "pss2048": RSA,
         "pss3072": RSA, "pss4096": RSA, "ecdsa": EC}
DIGEST = r"sha256 [0-9a-f]{64}"


def key(name):
    """A throw-away private key; what one of these names stands for."""
    path = os.path.join(KEYS, f"{name}.key")
    with one_at_a_time():
        if not os.path.exists(path):
            os.makedirs(KEYS, exist_ok=True)
            algo = list(ALGOS.get(name, RSA))
            if algo[0] == "RSA":
                algo[-1] += name[-4:] if name in ALGOS else "2048"
            subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm",
                            *algo, "-out", path], check=True)
    return path + (":pss" if name.startswith("pss") else "")


def ring(*names):
    """The value of CONFIG_GUEST_KEYS."""
    return ",".join(os.path.relpath(key(n), TOP) for n in names)


def given(boot, name, data, config=None, more=""):
    """A guest whose image was made elsewhere; the boot's own, as tests run at
    the same time."""
    folder = os.path.join(WORK, of_round(f"images-{boot}"))
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, f"{name}.itb")
    with open(path, "wb") as f:
        f.write(data)
    return GivenGuest(name, path, config=config or name, extra=more)


class GivenGuest(Guest):
    def __init__(self, name, path, config, extra):
        super().__init__(name, path, extra=extra)
        self.config = config

    def dts(self):
        return f"""
		{self.name} {{
			compatible = "xen,domain";
			#address-cells = <2>;
			#size-cells = <2>;
			memory = <0 {self.mib * 1024:#x}>;
			cpus = <1>;
			vpl011;
			{self.extra}
			image {{
				compatible = "skerry,fit";
				skerry,file = "{self.kernel}";
				skerry,config = "{self.config}";
			}};
		}};"""


def data_of(image):
    """Where its kernel begins and ends."""
    kernel = fdt.parse(image).find("/images/kernel")
    begin = (int.from_bytes(image[4:8], "big") + 3 & ~3) + \
        kernel.u32("data-offset")
    return begin, begin + kernel.u32("data-size")


def changed(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def ticking():
    """A guest that is there until it is destroyed, and does not wait: counted
    instructions race ahead while all do."""
    return Guest("hello", bare("bench"), bootargs="spin_ms=1000000")


def older(version, at_least):
    return hello("older", extra=f"skerry,version = <{version}>; "
                 f"skerry,min-version = <{at_least}>;")


def test_refused():
    """Each kind of bad image by its line; the good one runs."""
    boot = "refused-images"
    stranger = sign.Policy(sign.Key(key("stranger"), name="dev"))
    forged = image_of(hello("forged"), stranger)
    whole = image_of(hello("cut"))
    end = data_of(whole)[1]
    broken = image_of(hello("broken"))
    unknown = image_of(hello("unknown"), sign.Policy(key("stranger")))
    guests = [
        hello(extra="skerry,version = <7>; skerry,min-version = <7>;"),
        hello("plain"), given(boot, "forged", forged),
        given(boot, "cut", whole[:end - 4]),
        given(boot, "broken", changed(broken, data_of(broken)[1] - 1)),
        given(boot, "unknown", unknown), older(3, 4),
        given(boot, "other", whole)]
    result = Boot(boot, guests, cpus=1, force=True,
                  signer=sign.Policy(unsigned=["plain"])).run()
    expect_status(result, 2)
    expect(result, r"^\(sk\) d1 hello: verified, key \"dev\", version 7, "
           rf"{DIGEST}$", 1)
    expect(result, r"^\(sk\) d1 hello: off$", 1)
    for line in (
            r"plain: unsigned: this build starts signed images only "
            r"\(skerry,fit\)",
            r"forged: image: /configurations/forged/signature: not a "
            r"signature of key \"dev\"",
            rf"cut: image: /images/kernel: truncated: its data ends at {end} "
            rf"of {end - 4} bytes",
            r"broken: image: kernel: its data does not have the signed hash",
            r"unknown: image: /configurations/unknown/signature: key "
            r"\"stranger\" is not one of this build",
            r"older: image: /configurations/older: skerry,version: 3 is older "
            r"than 4, the least allowed",
            r"other: image: /configurations: no node other"):
        expect(result, rf"^\(sk\) refused: {line}$", 1)
    expect(result, r"^\(sk\) refused: ", 7)
    expect(result, r"^\(sk\) all guests are off$", 1)


@pytest.mark.parametrize("plain", (False, True), ids=("simd", "plain"))
def test_algorithms(plain):
    """A guest by each algorithm, in both layouts; with the CPU's SHA-256 and
    without it."""
    settings = f"GUEST_KEYS={ring(*ALGOS)} MAX_DOMAINS={2 * len(ALGOS)}"
    if plain:
        settings += " SHA256_PLAIN=y"
    hyp = build("all-keys-plain" if plain else "all-keys", settings)
    boot = f"algorithms-{plain}"
    guests = []
    for name in ALGOS:
        for attached in (False, True):
            guest = hello(f"{name}-{attached:d}", mib=8)
            guests.append(given(boot, guest.name, image_of(guest, sign.Policy(
                key(name), attached=attached))))
    result = Boot(boot, guests, cpus=1, hyp=hyp, timeout=60).run()
    expect_clean(result)
    expect_not(result, "DEVELOPMENT")
    for i, guest in enumerate(guests, 1):
        expect(result, rf"^\(sk\) d{i} {guest.name}: verified, key "
               rf"\"{guest.name[:-2]}\", version 0, {DIGEST}$", 1)
        expect(result, rf"^\(sk\) d{i} {guest.name}: off$", 1)


def fingerprint(name):
    der = subprocess.run(["openssl", "pkey", "-in", key(name), "-pubout",
                          "-outform", "DER"], capture_output=True, check=True)
    out = subprocess.run(["sha256sum"], input=der.stdout, capture_output=True,
                         check=True).stdout
    return out[:64].decode()


def test_rotation():
    """Two keys are good until one of them is revoked."""
    hyp = build("rotated", f"GUEST_KEYS={ring('old', 'new')}")
    guests = [given("rotation", n, image_of(hello(n), sign.Policy(key(n))))
              for n in ("old", "new")]
    result = Boot("rotation", guests, hyp=hyp).run()
    expect_clean(result)
    expect(result, r"^\(sk\) d\d \w+: verified, key \"(old|new)\"", 2)
    result = Boot("revocation", guests, hyp=hyp, force=True,
                  chosen=f"skerry,revoked-keys = \"{fingerprint('old')}\";"
                  ).run()
    expect_status(result, 2)
    expect(result, r"^\(sk\) key \"old\" is revoked$", 1)
    expect(result, r"^\(sk\) refused: old: image: /configurations/old/"
           r"signature: key \"old\" is revoked$", 1)
    expect(result, r"^\(sk\) d2 new: off$", 1)


def test_development_key():
    """It is warned of, and what was started is on record."""
    result = Boot("measurements", [ticking(), hello("next")],
                  typed=((r"d2 next: off", "\x01\x01\x01"),
                         (r"skerry> ", "measurements\rlist\rdestroy 1\r"))
                  ).run()
    expect_clean(result)
    expect(result, r"^\(sk\) key \"dev\" is a DEVELOPMENT KEY: ", 1)
    expect(result, r"^\(sk\) description: not attested by the loader", 1)
    expect_not(result, "UNSIGNED")
    for i, name in ((1, "hello"), (2, "next")):
        lines = result.matching(rf"^\(sk\) d{i} {name}: verified, ")
        shown = result.matching(rf"^\(sk\) d{i} +{name} +{DIGEST} key \"dev\" "
                                r"version 0$")
        assert len(lines) == len(shown) == 1, report(result, "no record")
        assert re.search(DIGEST, lines[0])[0] == \
            re.search(DIGEST, shown[0])[0]


def test_unsigned():
    """A build for bringing up boards starts plain modules, and says so."""
    hyp = build("unsigned", "ALLOW_UNSIGNED=y")
    result = Boot("unsigned", [ticking(), hello("fit")],
                  hyp=hyp, signer=sign.Policy(unsigned=["hello"]), typed=(
                      (r"d2 fit: off", "\x01\x01\x01"),
                      (r"skerry> ", "list\rmeasurements\rdestroy 1\r"))).run()
    expect_clean(result)
    expect(result, r"^\(sk\) guests may be UNSIGNED in this build$", 1)
    expect(result, rf"^\(sk\) d1 hello: UNSIGNED, {DIGEST}$", 1)
    expect(result, r"^\(sk\) d2 fit: verified, ", 1)
    expect(result, r"^\(sk\) d1 +hello +running .* UNSIGNED$", 1)
    expect_not(result, r"^\(sk\) d2 +fit +.* UNSIGNED$")
    expect(result, rf"^\(sk\) d1 +hello +{DIGEST} UNSIGNED$", 1)


def large(boot, name, mib):
    """hello with so much behind it, which each boot has its own of."""
    path = os.path.join(WORK, of_round(f"{name}-{boot}.bin"))
    os.makedirs(WORK, exist_ok=True)
    with open(bare("hello"), "rb") as f:
        data = bytearray(f.read())
    data += os.urandom((mib << 20) - len(data))
    data[16:24] = len(data).to_bytes(8, "little")
    with open(path, "wb") as f:
        f.write(data)
    return Guest(name, path, mib=2 * mib)


@pytest.mark.parametrize("algo", ("rsa4096", "ecdsa"))
@pytest.mark.parametrize("plain", (False, True), ids=("simd", "plain"))
def test_control_loop(algo, plain):
    """It misses nothing while 32 MiB are copied, hashed and verified beside
    it, on its own CPU."""
    settings = f"GUEST_KEYS={ring(*ALGOS)} MAX_DOMAINS={2 * len(ALGOS)}"
    hyp = build("all-keys-plain" if plain else "all-keys",
                settings + " SHA256_PLAIN=y" if plain else settings)
    periods = 2500 if plain else 400
    loop = Guest("rt", bare("rt"), mib=16,
                 bootargs=f"period_us=1000 periods={periods} max_late_us=100",
                 extra="skerry,weight = <65535>;")
    boot = f"verify-beside-{algo}-{plain}"
    result = Boot(boot, [loop, large(boot, "large", 32)], cpus=1, hyp=hyp,
                  timeout=120, signer=sign.Policy(key(algo))).run()
    expect_clean(result)
    expect(result, r"^\(d1\) ok 1 - rt: ", 1)
    expect(result, r"^\(d1\) ok 2 - rt: ", 1)
    order = [next(i for i, l in enumerate(result.lines) if re.search(p, l))
             for p in (r"^\(d1\) # rt: start", r"d2 large: verified",
                       r"^\(d1\) ok 1 - rt: ")]
    assert order == sorted(order), report(result, f"order {order}")
    expect(result, r"^\(sk\) d2 large: off$", 1)


def test_simd_registers():
    """EL2 hashes with the SIMD registers that a guest beside it uses."""
    boot = "verify-simd"
    result = Boot(boot, [systest("fplong"), large(boot, "large", 32)],
                  cpus=1, timeout=60).run()
    expect_clean(result)
    expect_tap(result, 1)
    order = [next(i for i, l in enumerate(result.lines) if re.search(p, l))
             for p in (r"^\(d1\) # fplong", r"d2 large: verified",
                       r"^\(d1\) ok 1 - FP")]
    assert order == sorted(order), report(result, f"order {order}")


@pytest.mark.parametrize("beside", ("fplong", "rt"))
def test_simd_in_signatures(beside):
    """PSS padding is hashed, too: while the signature is verified other vCPUs
    run, whose registers are not to be lost, and with their FP traps."""
    hyp = build("all-keys", f"GUEST_KEYS={ring(*ALGOS)} "
                f"MAX_DOMAINS={2 * len(ALGOS)}")
    first = systest("fplong") if beside == "fplong" else \
        Guest("rt", bare("rt"), mib=16, bootargs="period_us=1000 periods=100",
              extra="skerry,weight = <65535>;")
    result = Boot(f"pss-beside-{beside}",
                  [first, *(hello(f"pss{i}", mib=8) for i in range(8))],
                  cpus=1, hyp=hyp, timeout=60,
                  signer=sign.Policy(key("pss4096"))).run()
    expect_clean(result)
    expect(result, r"^\(sk\) d\d pss\d: verified, key \"pss4096\"", 8)
    expect(result, r"^\(d1\) ok 1 - ", 1)
