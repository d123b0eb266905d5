#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""FITs signed by stock mkimage, for tests/unit/fit_*test.c and tests/fuzz/.

fitgen.py OUT: keys in OUT/keys (made once), OUT/*.itb, and OUT/keys.h: the
keys for C, of which the last one is to be revoked. Parts are small.
"""
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# name: openssl's options; the order of the ring.
RSA = ["-algorithm", "RSA", "-pkeyopt"]
KEYS = {
    "rsa2048": [*RSA, "rsa_keygen_bits:2048"],
    "other": [*RSA, "rsa_keygen_bits:2048"],
    "pss": [*RSA, "rsa_keygen_bits:2048"],
    "rsa3072": [*RSA, "rsa_keygen_bits:3072"],
    "rsa4096": [*RSA, "rsa_keygen_bits:4096"],
    "pss4096": [*RSA, "rsa_keygen_bits:4096"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "old": [*RSA, "rsa_keygen_bits:2048"],
}
ALGO = {"pss": "rsa2048", "other": "rsa2048", "old": "rsa2048",
        "pss4096": "rsa4096", "p256": "ecdsa256"}
# Where the data is: options of mkimage.
LAYOUT = {"in": [], "ext": ["-E"], "pos": ["-E", "-p", "0x1000"]}
IMAGES = [("kernel-1", "kernel", 300), ("kernel-2", "kernel", 304),
          ("ramdisk-1", "ramdisk", 201), ("fdt-1", "flat_dt", 128)]


def run(*args, cwd=None):
    done = subprocess.run(args, cwd=cwd, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        sys.exit(f"fitgen: {' '.join(args)}: {done.stdout}")


def make_keys(folder):
    os.makedirs(folder, exist_ok=True)
    for name, options in KEYS.items():
        path = os.path.join(folder, name + ".key")
        if not os.path.exists(path):
            run("openssl", "genpkey", "-quiet", *options, "-out", path + ".new")
            os.rename(path + ".new", path)
        # mkimage reads an ECDSA key by this name, in the older form.
        if name == "p256":
            run("openssl", "ec", "-in", path, "-out", path[:-4] + ".pem")


def image(name, kind, nr):
    return f"""{name} {{
	description = "{name} of a test";
	data = /incbin/("{name}.bin");
	type = "{kind}"; arch = "arm64"; os = "linux"; compression = "none";
	load = <0x40000000>; entry = <0x40000000>;
	hash-{nr} {{ algo = "sha256"; }};
}};
"""


def config(nr, parts, key, version):
    text = f"""conf-{nr} {{
	description = "configuration {nr}";
	{parts}
	skerry,bootargs = "console=hvc0 conf={nr}";
"""
    if version:
        text += f"	skerry,version = <{version}>;\n"
    if key:
        algo = "sha256," + ALGO.get(key, key)
        padding = 'padding = "pss";' if key.startswith("pss") else ""
        text += f"""	signature-1 {{
		algo = "{algo}"; {padding} key-name-hint = "{key}";
		sign-images = "kernel", "fdt", "ramdisk";
	}};
"""
    return text + "};\n"


def source(images, configs):
    return f"""/dts-v1/;
/ {{
	description = "a guest of a test"; #address-cells = <1>;
	images {{ {images} }};
	configurations {{ default = "conf-1"; {configs} }};
}};
"""


def make_fit(out, name, key, layout, second=None, configs=None):
    """Two signed configurations if there is a second key, else one of a
    kernel only."""
    parts = 'kernel = "kernel-1"; ramdisk = "ramdisk-1"; fdt = "fdt-1";'
    if second is not None:
        images = "".join(image(n, k, 1) for n, k, _ in IMAGES)
        configs = config(1, parts, key, 5) + config(
            2, 'kernel = "kernel-2"; ramdisk = "ramdisk-1";', second, 7)
    else:
        images = image("kernel-1", "kernel", 1)
        configs = configs or config(1, 'kernel = "kernel-1";', key, 0)
    with open(os.path.join(out, name + ".its"), "w", encoding="ascii") as f:
        f.write(source(images, configs))
    run("mkimage", "-q", "-f", name + ".its", "-k", "keys", *LAYOUT[layout],
        "-r", name + ".itb", cwd=out)


def main():
    out = sys.argv[1]
    make_keys(os.path.join(out, "keys"))
    for n, (name, _, size) in enumerate(IMAGES):
        with open(os.path.join(out, name + ".bin"), "wb") as f:
            f.write(bytes((i * 7 + n) % 256 for i in range(size)))
    for layout in LAYOUT:
        make_fit(out, f"two-{layout}", "rsa2048", layout, "rsa2048")
        for key in KEYS:
            make_fit(out, f"{key}-{layout}", key, layout)
    make_fit(out, "mixed-in", "rsa2048", "in", "other")
    make_fit(out, "unsigned-in", "", "in", "")
    both = config(1, 'kernel = "kernel-1";', "rsa2048", 0).replace(
        "	signature-1 {", """	signature-2 {
		algo = "sha256,rsa2048"; key-name-hint = "other";
		sign-images = "kernel", "fdt", "ramdisk";
	};
	signature-1 {""")
    make_fit(out, "both-in", None, "in", configs=both)
    run("/usr/bin/python3", os.path.join(TOP, "tools/genkeys.py"), "--header",
        os.path.join(out, "keys.h"),
        *(os.path.join(out, "keys", k + ".key") +
          (":pss" if k.startswith("pss") else "") for k in KEYS))


if __name__ == "__main__":
    main()
