#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Public keys from PEM files to what kernel/verify.c reads.

genkeys.py --header OUT [NAME=]FILE[:pss]...   C for kernel/keys.c
genkeys.py --ring OUT [NAME=]FILE[:pss]...     the same for tools/fitcheck.c

FILE holds a public or a private key; of a private one only the public part is
taken. NAME is the file's without its ending. An RSA key is for PKCS#1 v1.5
unless `:pss` follows. --development FILE marks the key of that file, whatever
file it is taken from; FILE may be absent.
"""
import argparse
import hashlib
import os
import struct
import subprocess
import sys
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from skerry_pack import sign  # noqa: E402

RSA = bytes.fromhex("2a864886f70d010101")
EC = bytes.fromhex("2a8648ce3d0201")
P256 = bytes.fromhex("2a8648ce3d030107")
ALGOS = ("RSA_PKCS1", "RSA_PSS", "ECDSA_P256")
MIN_EXPONENT = 65537
MAX_KEYS, MAX_NAME = 64, 31


class KeyFailure(Exception):
    """The text is `file: reason`."""


@dataclass
class Key:
    name: str
    algo: int
    bits: int
    fingerprint: bytes
    point: bytes		# modulus, or X and Y
    square: bytes		# R^2 mod n
    exponent: int
    development: bool


def public_der(path):
    """SubjectPublicKeyInfo (RFC 5280 4.1) of a PEM file."""
    if not os.path.isfile(path):
        raise KeyFailure("no such file")
    for kind in (["-pubin"], []):
        done = subprocess.run(
            ["openssl", "pkey", *kind, "-in", path, "-pubout", "-outform",
             "DER", "-passin", "pass:"], capture_output=True, check=False)
        if done.returncode == 0:
            return done.stdout
    raise KeyFailure("no key in PEM form")


def read_key(path, pss):
    """(algo, bits, point, square, exponent) and the fingerprint."""
    info = public_der(path)
    print_of = hashlib.sha256(info).digest()
    algo, bits = sign.children(sign.children(info)[0])
    kind, *more = sign.children(algo)
    if kind == RSA:
        n, e = (int.from_bytes(number, "big") for number in
                sign.children(sign.children(bits[1:])[0]))
        size = n.bit_length()
        if size not in (2048, 3072, 4096):
            raise KeyFailure(f"RSA with {size} bits; 2048, 3072 or 4096 are "
                             "supported")
        if not MIN_EXPONENT <= e < 1 << 32 or e % 2 == 0:
            raise KeyFailure(f"RSA with exponent {e}; it must be odd, at "
                             f"least {MIN_EXPONENT}, and have 32 bits")
        return (int(pss), size, n.to_bytes(size // 8, "big"),
                pow(2, 2 * size, n).to_bytes(size // 8, "big"), e), print_of
    if kind != EC or more != [P256]:
        raise KeyFailure("neither RSA nor ECDSA with P-256")
    if pss:
        raise KeyFailure(":pss is for RSA keys")
    if len(bits) != 66 or bits[1] != 4:
        raise KeyFailure("a compressed point; write it uncompressed")
    return (2, 256, bits[2:], b"", 0), print_of


def fingerprint_of(path):
    """Of the development key; None when there is none."""
    if not path or not os.path.exists(path):
        return None
    try:
        return hashlib.sha256(public_der(path)).digest()
    except KeyFailure as e:
        raise KeyFailure(f"{path}: {e}") from None


def load(word, development):
    """A Key from [NAME=]FILE[:pss]; `development` is a fingerprint."""
    name, equals, path = word.rpartition("=")
    path, colon, padding = path.partition(":")
    if not equals:
        name = os.path.splitext(os.path.basename(path))[0]
    try:
        if colon and padding != "pss":
            raise KeyFailure(f"{padding!r}: only :pss may follow")
        if not name or len(name) > MAX_NAME or \
                not all(c.isalnum() and c.isascii() or c in "._+-"
                        for c in name):
            raise KeyFailure(f"{name!r}: a name has 1 to {MAX_NAME} letters, "
                             "digits or \"._+-\"")
        fields, fingerprint = read_key(path, bool(colon))
    except KeyFailure as e:
        raise KeyFailure(f"{path}: {e}") from None
    algo, bits, point, square, exponent = fields
    return Key(name, algo, bits, fingerprint, point, square, exponent,
               fingerprint == development)


def check(keys):
    if len(keys) > MAX_KEYS:
        raise KeyFailure(f"{len(keys)} keys; at most {MAX_KEYS}")
    for i, key in enumerate(keys):
        for other in keys[:i]:
            if other.name == key.name:
                raise KeyFailure(f"two keys have the name {key.name!r}")
            if other.fingerprint == key.fingerprint:
                raise KeyFailure(f"{other.name!r} and {key.name!r} are the "
                                 "same key")


def c_bytes(data):
    return "{" + ", ".join(f"{b:#04x}" for b in data) + "}"


def c_array(data):
    return f"(const u8[]){c_bytes(data)}" if data else "NULL"


def c_text(keys):
    return "".join(f"""{{
	.name = "{k.name}",
	.algo = VERIFY_{ALGOS[k.algo]},
	.bits = {k.bits},
	.development = {"true" if k.development else "false"},
	.fingerprint = {c_bytes(k.fingerprint)},
	.point = {c_array(k.point)},
	.rr = {c_array(k.square)},
	.exponent = {k.exponent},
}},
""" for k in keys).encode()


def ring(keys):
    """struct ring_key of tools/fitcheck.c, one behind the other."""
    return b"".join(struct.pack("<32sIIII32s512s512s", k.name.encode(), k.algo,
                                k.bits, k.development, k.exponent,
                                k.fingerprint, k.point, k.square)
                    for k in keys)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--header", metavar="OUT")
    p.add_argument("--ring", metavar="OUT")
    p.add_argument("--development", metavar="FILE")
    p.add_argument("keys", nargs="+", metavar="[NAME=]FILE[:pss]")
    args = p.parse_args()
    try:
        development = fingerprint_of(args.development)
        keys = [load(word, development) for word in args.keys]
        check(keys)
    except KeyFailure as e:
        sys.exit(f"genkeys: {e}")
    for path, text in ((args.header, c_text), (args.ring, ring)):
        if path:
            with open(path, "wb") as f:
                f.write(text(keys))


if __name__ == "__main__":
    main()
