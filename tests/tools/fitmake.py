# SPDX-License-Identifier: Apache-2.0
"""Makes signed FITs of the shape that guests have, with mkimage and openssl,
so that checkers can be compared on the same files. Nothing of Skerry's own
packing tool is used."""
import os
import struct
import subprocess
from dataclasses import dataclass

CONFIG = "guest"
IMAGES = {"kernel": ("kernel", "arm64"), "ramdisk": ("ramdisk", "arm64"),
          "fdt": ("flat_dt", "arm64")}
RSA_BITS = {"rsa2048": 2048, "rsa3072": 3072, "rsa4096": 4096}

# algo, padding (None: the algorithm has none), data inside the tree
COMBINATIONS = [(algo, padding, attached)
                for algo, padding in
                [(rsa, pad) for rsa in RSA_BITS for pad in ("pkcs-1.5", "pss")]
                + [("ecdsa256", None)]
                for attached in (True, False)]


@dataclass
class Key:
    """A key pair below folder: NAME.pem, NAME.key and NAME.crt (RSA only) as
    mkimage looks for them, NAME.pub.pem with the public half alone."""
    folder: str
    name: str
    algo: str

    def file(self, ending):
        return os.path.join(self.folder, f"{self.name}.{ending}")


def run(*args, **options):
    done = subprocess.run(args, capture_output=True, text=True, check=False,
                          **options)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.stdout}{done.stderr}")
    return done


def make_key(folder, algo, name="prod"):
    os.makedirs(folder, exist_ok=True)
    key = Key(str(folder), name, algo)
    if algo in RSA_BITS:
        run("openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
            f"rsa_keygen_bits:{RSA_BITS[algo]}", "-out", key.file("pem"))
        run("openssl", "req", "-batch", "-new", "-x509", "-key",
            key.file("pem"), "-subj", f"/CN={name}", "-out", key.file("crt"))
    else:
        run("openssl", "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-out", key.file("pem"))
    if not os.path.lexists(key.file("key")):
        os.symlink(f"{name}.pem", key.file("key"))
    run("openssl", "pkey", "-in", key.file("pem"), "-pubout", "-out",
        key.file("pub.pem"))
    return key


def tree():
    """A small device tree; fit_check_sign looks at the part's header."""
    done = subprocess.run(["dtc", "-q", "-O", "dtb", "-o", "-", "-"],
                          input=b"/dts-v1/; / { compatible = \"acme\"; };",
                          capture_output=True, check=True)
    return done.stdout


SIGNATURE = """
			signature {{
				algo = "sha256,{algo}";
				key-name-hint = "{name}";
				{padding}
				sign-images = {signed};
			}};"""


def source(parts, signature, version, bootargs):
    """The FIT's tree source; data of the parts beside it."""
    images = "".join(f"""
		{name} {{
			description = "{name}";
			data = /incbin/("{name}");
			type = "{IMAGES[name][0]}";
			arch = "{IMAGES[name][1]}";
			os = "linux";
			compression = "none";
			load = <0>;
			entry = <0>;
			hash-1 {{ algo = "sha256"; }};
		}};""" for name in parts)
    names = "".join(f"\t\t\t{n} = \"{n}\";\n" for n in parts)
    return f"""/dts-v1/;
/ {{
	description = "A guest";
	#address-cells = <1>;
	images {{{images}
	}};
	configurations {{
		default = "{CONFIG}";
		{CONFIG} {{
{names}			skerry,version = <{version}>;
			skerry,bootargs = "{bootargs}";{signature}
		}};
	}};
}};
"""


def make(folder, algo, padding, attached, key=None, version=3,
         bootargs="console=hvc0 quiet", **parts):
    """Builds and signs a FIT in folder; returns its bytes and its key.

    parts: the images' data by name, in place of a small default. In folder
    are left: guest.itb, and keys.dtb with the public half as a required key.
    """
    folder = str(folder)
    key = key or make_key(os.path.join(folder, "keys"), algo)
    parts = parts or default_parts()
    its = write_source(folder, parts, SIGNATURE.format(
        algo=algo, name=key.name,
        padding=f'padding = "{padding}";' if padding else "",
        signed=", ".join(f'"{n}"' for n in parts)), version, bootargs)
    image = os.path.join(folder, "guest.itb")
    control = os.path.join(folder, "keys.dtb")
    # mkimage 2023.01 adds ECDSA keys to a /signature that is there only.
    run("dtc", "-q", "-p", "4096", "-O", "dtb", "-o", control, "-",
        input="/dts-v1/; / { signature { }; };")
    run("mkimage", "-f", its, "-k", key.folder, "-K", control, "-r",
        *([] if attached else ["-E"]), image)
    # RSA keys are marked as required by -r, in key-NAME; of ECDSA keys the
    # same mkimage writes the point only, in NAME.
    if algo not in RSA_BITS:
        node = f"/signature/{key.name}"
        run("fdtput", control, "-t", "s", node, "required", "conf")
        run("fdtput", control, "-t", "s", node, "algo", f"sha256,{algo}")
    with open(image, "rb") as f:
        return f.read(), key


def make_unsigned(folder, attached):
    """The same image without a signature node; its bytes."""
    its = write_source(str(folder), default_parts(), "", 3, "")
    image = os.path.join(str(folder), "unsigned.itb")
    run("mkimage", "-f", its, *([] if attached else ["-E"]), image)
    with open(image, "rb") as f:
        return f.read()


def default_parts():
    return {"kernel": b"A kernel. " * 50, "ramdisk": b"Files. " * 50,
            "fdt": tree()}


def write_source(folder, parts, signature, version, bootargs):
    os.makedirs(folder, exist_ok=True)
    for name, data in parts.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)
    its = os.path.join(folder, "guest.its")
    with open(its, "w", encoding="ascii") as f:
        f.write(source(parts, signature, version, bootargs))
    return its


# --- where things are, to change them ------------------------------------------

def properties(blob):
    """(path, name, offset, size) of each property's value."""
    at, strings = struct.unpack_from(">II", blob, 8)
    path = []
    while True:
        token, = struct.unpack_from(">I", blob, at)
        at += 4
        if token == 1:
            end = blob.index(b"\0", at)
            path.append(blob[at:end].decode())
            at = (end + 4) & ~3
        elif token == 2:
            path.pop()
        elif token == 3:
            size, name = struct.unpack_from(">II", blob, at)
            end = blob.index(b"\0", strings + name)
            yield ("/".join(path) or "/", blob[strings + name:end].decode(),
                   at + 8, size)
            at = (at + 8 + size + 3) & ~3
        elif token == 9:
            return


def value_of(blob, path, name):
    """Offset and size of a property's value."""
    return next((at, size) for p, n, at, size in properties(blob)
                if (p, n) == (path, name))


def data_of(blob, part):
    """Offset and size of a part's data, in the tree or behind it."""
    path = f"/images/{part}"
    names = {n: at for p, n, at, _ in properties(blob) if p == path}
    if "data" in names:
        return value_of(blob, path, "data")
    offset, = struct.unpack_from(">I", blob, names["data-offset"])
    size, = struct.unpack_from(">I", blob, names["data-size"])
    total, = struct.unpack_from(">I", blob, 4)
    return ((total + 3) & ~3) + offset, size


def flip(blob, at):
    """The blob with one bit changed."""
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1:]
