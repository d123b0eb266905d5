#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signatures, good and forged, for tests/unit/verify_test.c.

sigvectors.py KEYS OUT: KEYS has the private keys that fitgen.py makes. C goes
to OUT/vectors.h, a `struct vector` of each signature, and OUT/digests.h, the
digests of the first bytes of a pattern. Forged paddings are signed with the
real key: arithmetic is in order, what it yields is not.
"""
import hashlib
import os
import random
import subprocess
import sys

P256_N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
DIGEST = hashlib.sha256(b"skerry").digest()


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


class Rsa:
    """Numbers of a private key that openssl made, or of own primes."""

    def __init__(self, path=None, n=0, e=0, d=0):
        self.n, self.e, self.d = n, e, d
        if path:
            fields, name = {}, ""
            for line in openssl("pkey", "-in", path, "-text",
                                "-noout").decode().splitlines():
                if line[0] != " ":
                    name, _, rest = line.partition(":")
                    fields[name] = rest.strip()
                else:
                    fields[name] += line.strip()
            self.n, self.d = (int(fields[f].replace(":", ""), 16)
                              for f in ("modulus", "privateExponent"))
            self.e = int(fields["publicExponent"].split()[0])
        self.size = (self.n.bit_length() + 7) // 8

    def raw(self, em):
        assert len(em) == self.size
        return self.bytes(pow(int.from_bytes(em, "big"), self.d, self.n))

    def bytes(self, x):
        return x.to_bytes(self.size, "big")


def pkcs1(size, digest=DIGEST, first=b"\0\1", fill=0xff, cut=0, info=DIGEST_INFO,
          separator=b"\0"):
    """EMSA-PKCS1-v1_5 (RFC 8017 9.2), with something wrong if wanted; the last
    `cut` bytes of the filling stand behind the digest."""
    tail = separator + info + digest
    room = size - len(first) - len(tail) - cut
    return first + bytes([fill]) * room + tail + b"\xff" * cut


def mgf1(seed, size, h=hashlib.sha256):
    out = b"".join(h(seed + i.to_bytes(4, "big")).digest()
                   for i in range(size // 20 + 1))
    return out[:size]


def pss(bits, salt=b"s" * 32, trailer=b"\xbc", one=1, zero=0, mask=True,
        digest=DIGEST, mgf_hash=hashlib.sha256):
    """EMSA-PSS (RFC 8017 9.1.1), with something wrong if wanted."""
    size = bits // 8
    h = hashlib.sha256(bytes(8) + digest + salt).digest()
    room = size - len(salt) - len(h) - 2
    db = bytes([zero]) * room + bytes([one]) + salt
    out = bytearray(a ^ b for a, b in zip(db, mgf1(h, len(db), mgf_hash)))
    if mask:
        out[0] &= 0x7f
    return bytes(out) + h + trailer


def is_prime(n, rng):
    r, d = 0, n - 1
    while d % 2 == 0:
        r, d = r + 1, d // 2
    for _ in range(12):
        x = pow(rng.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(r - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(rng):
    """Of 1024 bits, 3 mod 4 so that a square root is a power."""
    while True:
        p = rng.getrandbits(1024) | 3 << 1022 | 3
        if all(p % q for q in (3, 5, 7, 11, 13)) and (p - 1) % 65537 and \
                (p - 1) % 3 and is_prime(p, rng):
            return p


def weak(rng):
    """(name, key, digest, signature): good ones, but of exponents too small
    or even."""
    p, q = prime(rng), prime(rng)
    n, phi = p * q, (p - 1) * (q - 1)
    em = int.from_bytes(pkcs1(256), "big")
    for e in (1, 3):
        key = Rsa(n=n, e=e, d=pow(e, -1, phi))
        yield f"exponent {e}", key, DIGEST, key.raw(pkcs1(256))
    key = Rsa(n=n, e=65537, d=pow(65537, -1, phi))
    yield "exponent 65537", key, DIGEST, key.raw(pkcs1(256))
    for i in range(1000):
        digest = hashlib.sha256(b"%d" % i).digest()
        em = int.from_bytes(pkcs1(256, digest), "big")
        if pow(em, (p - 1) // 2, p) == 1 and pow(em, (q - 1) // 2, q) == 1:
            break
    # A square root of the padded digest, then the root of 65537.
    roots = [pow(em % f, (f + 1) // 4, f) for f in (p, q)]
    root = roots[0] + p * ((roots[1] - roots[0]) * pow(p, -1, q) % q)
    assert pow(root, 2, n) == em
    sig = pow(root, pow(65537, -1, phi), n)
    yield "exponent 131074", Rsa(n=n, e=131074), digest, \
        sig.to_bytes(256, "big")


def c_bytes(data):
    return "(const u8[]){" + ", ".join(str(b) for b in data) + "}"


def emit(out, name, algo, key, sig, good, digest=DIGEST):
    if isinstance(key, Rsa):
        bits, point, e = key.n.bit_length(), key.bytes(key.n), key.e
        rr = c_bytes(key.bytes(pow(2, 2 * bits, key.n)))
    else:
        bits, point, e, rr = 256, key, 0, "NULL"
    out.append(f"""{{
	.name = "{name}",
	.key = {{ "test", VERIFY_{algo}, {bits}, false, {{0}},
		{c_bytes(point)}, {rr}, {e} }},
	.digest = {c_bytes(digest)},
	.sig = {c_bytes(sig)},
	.size = {len(sig)},
	.good = {int(good)},
}},
""")


def rsa_vectors(out, keys):
    for bits in (2048, 3072, 4096):
        path = os.path.join(keys, f"rsa{bits}.key")
        key = Rsa(path)
        for algo, mode in (("RSA_PKCS1", "pkcs1"), ("RSA_PSS", "pss")):
            sig = openssl("pkeyutl", "-sign", "-inkey", path, "-pkeyopt",
                          "digest:sha256", "-pkeyopt",
                          f"rsa_padding_mode:{mode}", data=DIGEST)
            emit(out, f"rsa{bits} {mode}", algo, key, sig, True)
            other = "RSA_PSS" if mode == "pkcs1" else "RSA_PKCS1"
            emit(out, f"rsa{bits} {mode} for a key of the other padding",
                 other, key, sig, False)
        if bits == 2048:
            padding_vectors(out, key)


def padding_vectors(out, key):
    size = key.size
    info = DIGEST_INFO
    sha1 = bytes.fromhex("3021300906052b0e03021a05000414")
    no_null = bytes.fromhex("302f300b0609608648016503040201") + info[17:]
    long_form = bytes.fromhex("308131") + info[2:]
    for name, em in (
            ("none", bytes(size - 32) + DIGEST),
            ("pkcs1: block type 2", pkcs1(size, first=b"\0\2")),
            ("pkcs1: first byte 1", pkcs1(size, first=b"\1\1")),
            ("pkcs1: filled with fe", pkcs1(size, fill=0xfe)),
            ("pkcs1: digest not at the end", pkcs1(size, cut=194)),
            ("pkcs1: one byte behind the digest", pkcs1(size, cut=1)),
            ("pkcs1: no zero before the digest", pkcs1(size, separator=b"\xff")),
            ("pkcs1: two zeros", pkcs1(size, separator=b"\0\0")),
            ("pkcs1: no digest info", pkcs1(size, info=b"")),
            ("pkcs1: digest info without NULL", pkcs1(size, info=no_null)),
            ("pkcs1: length in the long form", pkcs1(size, info=long_form)),
            ("pkcs1: oid of sha384", pkcs1(size, info=info[:14] + b"\2" +
                                           info[15:])),
            ("pkcs1: sha1", pkcs1(size, info=sha1, digest=DIGEST[:20])),
            ("pkcs1: digest cut", pkcs1(size, digest=DIGEST[:31]))):
        emit(out, name, "RSA_PKCS1", key, key.raw(em), False)
    emit(out, "pkcs1: made here", "RSA_PKCS1", key, key.raw(pkcs1(size)), True)
    bits = size * 8
    for name, em, good in (
            ("made here", pss(bits), True),
            ("no salt", pss(bits, salt=b""), True),
            ("longest salt", pss(bits, salt=bytes(size - 34)), True),
            ("trailer bb", pss(bits, trailer=b"\xbb"), False),
            ("no 1 before the salt", pss(bits, one=0), False),
            ("2 before the salt", pss(bits, one=2), False),
            ("filled with 2", pss(bits, zero=2), False),
            ("mask by sha1", pss(bits, mgf_hash=hashlib.sha1), False),
            ("digest of another", pss(bits, digest=bytes(32)), False)):
        emit(out, "pss: " + name, "RSA_PSS", key, key.raw(em), good)
    # The bits above the modulus' must be zero; of some salt they are not.
    for i in range(64):
        em = pss(bits, salt=b"%032d" % i, mask=False)
        if em[0] & 0x80 and int.from_bytes(em, "big") < key.n:
            emit(out, "pss: top bit", "RSA_PSS", key, key.raw(em), False)
            break


def range_vectors(out, key):
    """The same power by other representatives, and numbers without one."""
    good = int.from_bytes(key.raw(pkcs1(key.size)), "big")
    for name, x in (("plus n", good + key.n), ("n", key.n), ("n - 1", key.n - 1),
                    ("n + 1", key.n + 1), ("0", 0), ("1", 1),
                    ("minus", key.n - good)):
        if x < 1 << 8 * key.size:
            emit(out, f"rsa: signature {name}", "RSA_PKCS1", key, key.bytes(x),
                 False)


def der_numbers(sig):
    """r and s of a DER signature."""
    found, at = [], 2
    for _ in range(2):
        size = sig[at + 1]
        found.append(int.from_bytes(sig[at + 2:at + 2 + size], "big"))
        at += 2 + size
    return found


def ecdsa_vectors(out, keys):
    path = os.path.join(keys, "p256.key")
    point = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-64:]
    # Small enough for r + n to have 32 bytes does not happen: n is close to
    # 2^256. What is above n is offered as n + 1 and as all ones.
    r, s = der_numbers(openssl("pkeyutl", "-sign", "-inkey", path, data=DIGEST))
    n, top = P256_N, (1 << 256) - 1
    for name, a, b, good in (
            ("p256", r, s, True),
            # (r, n - s) is as good by FIPS 186-5, and anybody can make it of
            # (r, s). What has been signed is the same: docs/testing.md.
            ("p256: n - s", r, n - s, True),
            ("p256: r 0", 0, s, False), ("p256: s 0", r, 0, False),
            ("p256: both 0", 0, 0, False), ("p256: both n", n, n, False),
            ("p256: r n", n, s, False), ("p256: s n", r, n, False),
            ("p256: r n + 1", n + 1, s, False),
            ("p256: s n + 1", r, n + 1, False),
            ("p256: r 1", 1, s, False), ("p256: s 1", r, 1, False),
            ("p256: n - r", n - r, s, False),
            ("p256: r + 1", r + 1, s, False), ("p256: s + 1", r, s + 1, False),
            ("p256: r + n", min(r + n, top), s, False),
            ("p256: s + n", r, min(s + n, top), False),
            ("p256: exchanged", s, r, False)):
        sig = a.to_bytes(32, "big") + b.to_bytes(32, "big")
        emit(out, name, "ECDSA_P256", point, sig, good)
    sig = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    x, y = point[:32], point[32:]
    ones = b"\xff" * 32
    for name, bad in (("off the curve", x + bytes([y[0] ^ 1]) + y[1:]),
                      ("0, 0", bytes(64)), ("exchanged", y + x),
                      ("beyond the field", ones + ones)):
        emit(out, f"p256: point {name}", "ECDSA_P256", bad, sig, False)
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    minus = x + (p - int.from_bytes(y, "big")).to_bytes(32, "big")
    emit(out, "p256: point negated", "ECDSA_P256", minus, sig, False)


def main():
    keys, folder = sys.argv[1:]
    rng = random.Random(1)
    out = []
    rsa_vectors(out, keys)
    range_vectors(out, Rsa(os.path.join(keys, "rsa2048.key")))
    for name, key, digest, sig in weak(rng):
        emit(out, name, "RSA_PKCS1", key, sig, key.e == 65537, digest)
    ecdsa_vectors(out, keys)
    with open(os.path.join(folder, "vectors.h"), "w", encoding="ascii") as f:
        f.write("".join(out))
    data = bytes((i * 11 + i // 256) % 256 for i in range(1100))
    with open(os.path.join(folder, "digests.h"), "w", encoding="ascii") as f:
        for n in range(len(data)):
            f.write("{" + ", ".join(str(b) for b in hashlib.sha256(
                data[:n]).digest()) + "},\n")


if __name__ == "__main__":
    main()
