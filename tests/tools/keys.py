# SPDX-License-Identifier: Apache-2.0
"""Throw-away keys, made once for a run of the tests."""
import atexit
import functools
import os
import shutil
import subprocess
import tempfile

KINDS = {
    "rsa1024": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    "rsa2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "other2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa3072": ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    "rsa4096": ["RSA", "-pkeyopt", "rsa_keygen_bits:4096"],
    "rsapss": ["RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ecdsa256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "ecdsa384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "brainpool": ["EC", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"],
    "ed25519": ["ED25519"],
}


@functools.cache
def folder():
    path = tempfile.mkdtemp(prefix="skerry-keys-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def openssl(*args, data=None):
    return subprocess.run(["openssl", *args], input=data, check=True,
                          capture_output=True).stdout


@functools.cache
def private(kind):
    path = os.path.join(folder(), f"{kind}.key")
    openssl("genpkey", "-quiet", "-algorithm", *KINDS[kind], "-out", path)
    return path


@functools.cache
def public(kind):
    path = os.path.join(folder(), f"{kind}.pem")
    openssl("pkey", "-in", private(kind), "-pubout", "-out", path)
    return path
