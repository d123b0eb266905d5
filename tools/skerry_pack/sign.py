# SPDX-License-Identifier: Apache-2.0
"""Signed images: which key signs which guest, and U-Boot FITs whose
configuration stock mkimage signs. What was signed is checked afterwards:
mkimage succeeds without signing, too."""
import contextlib
import os
import re
import struct
import subprocess
import tempfile

from . import describe, fdt
from .tool import ToolError, run, without_pin

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
DEFAULT_KEY = os.path.join(TOP, "build/keys/dev.key")

ALGOS = {"rsa2048": 256, "rsa3072": 384, "rsa4096": 512, "ecdsa256": 64}
MAX_NAME = 31			# of a key, as in tools/genkeys.py
ALL = "all"
ROOM = 32 << 10			# a guest's FIT beside the files in it

# Names for what a public key may say of itself (RFC 3279, 5480, 8410).
OID_RSA, OID_EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
OID_P256 = "1.2.840.10045.3.1.7"
OTHERS = {
    "1.2.840.113549.1.1.10": "an RSA-PSS key", "1.2.840.10040.4.1": "DSA",
    "1.3.132.0.10": "curve secp256k1", "1.3.132.0.33": "curve P-224",
    "1.3.132.0.34": "curve P-384", "1.3.132.0.35": "curve P-521",
    "1.3.101.112": "Ed25519", "1.3.101.113": "Ed448",
}

FIT = """\
/dts-v1/;
/ {{
	description = "Skerry guest {name}";
	#address-cells = <1>;
	images {{
{images}	}};
	configurations {{
		default = "{name}";
		{name} {{
			description = "{name}";
{parts}			skerry,version = <{version}>;
{bootargs}{signature}		}};
	}};
}};
"""

IMAGE = """\
		{node} {{
			description = "{name} {node}";
			data = /incbin/("{node}");
			type = "{kind}";
			arch = "arm64";
			os = "linux";
			compression = "none";
{load}			hash-1 {{ algo = "sha256"; }};
		}};
"""

# Of a guest's modules: the node in the FIT, and U-Boot's word for its type.
IMAGES = {"kernel": ("kernel", "kernel"), "ramdisk": ("ramdisk", "ramdisk"),
          "device-tree": ("fdt", "flat_dt")}


class SignError(ToolError):
    """A key that does not serve, or a signature that was not made."""


class Key:
    """A private key: in a file, or known to an engine of OpenSSL."""

    def __init__(self, spec=None, algo=None, name=None, engine=None,
                 keydir=None):
        self.engine, self.keydir = engine, keydir
        self.file, self.pss = split_spec(spec or DEFAULT_KEY)
        self.default = not spec
        self.algo, suffix = split_spec(algo or "")
        self.pss |= suffix
        self.name = name
        self.found = False

    def find(self):
        """Looks at the key itself, once; SignError if it cannot sign."""
        if self.found:
            return self
        if not self.engine:
            kind = self._kind()
            if self.algo and self.algo != kind:
                raise SignError(f"{self.file}: is {kind}, not {self.algo}")
            self.algo = kind
            self.name = self.name or \
                os.path.splitext(os.path.basename(self.file))[0]
        if not describe.NAME.fullmatch(self.name):
            raise SignError(f"key name \"{self.name}\": only letters, digits "
                            "and ,._+-")
        if len(self.name) > MAX_NAME:
            raise SignError(f"key name \"{self.name}\": longer than "
                            f"{MAX_NAME} characters")
        if self.pss and not self.algo.startswith("rsa"):
            raise SignError(f"{self.file}: is {self.algo}: pss is for RSA")
        self.found = True
        return self

    def _kind(self):
        if not os.path.isfile(self.file):
            raise SignError(f"{self.file}: no such key" + (
                ": run `make`, which makes it, or name another with --key"
                if self.default else ""))
        with open(self.file, "rb") as f:
            if b"-----BEGIN " not in f.read():
                raise SignError(f"{self.file}: not in PEM form")
        return key_kind(self.file)

    def signature(self, indent, images):
        """The source of the signature node over these images."""
        padding = "\tpadding = \"pss\";\n" + indent if self.pss else ""
        names = ", ".join(f'"{i}"' for i in images)
        return (f"{indent}signature {{\n"
                f"{indent}\talgo = \"sha256,{self.algo}\";\n{indent}"
                f"\tkey-name-hint = \"{self.name}\";\n{indent}{padding}"
                f"\tsign-images = {names};\n{indent}}};\n")

    @contextlib.contextmanager
    def options(self):
        """mkimage's arguments; it wants a folder and fixed file names."""
        if self.engine:
            yield ["-N", self.engine, "-k", self.keydir]
            return
        end = "key" if self.algo.startswith("rsa") else "pem"
        with tempfile.TemporaryDirectory() as tmp:
            os.symlink(os.path.abspath(self.file),
                       os.path.join(tmp, f"{self.name}.{end}"))
            yield ["-k", tmp]

    def mkimage(self, source, out, config, nodes, *options):
        """Makes the FIT and sees that `config` is signed, with `nodes`."""
        with self.options() as where:
            said = run("mkimage", "-f", source, *where, *options, out)
        with open(out, "rb") as f:
            why = unsigned_why(f.read(), config, nodes, ALGOS[self.algo])
        if why:
            os.unlink(out)
            said = "".join(": " + l.strip() for l in said.splitlines()
                           if re.search("fail|couldn't|error", l, re.I))
            raise SignError(without_pin(f"mkimage did not sign {config} with "
                                        f"{self.name}: {why}{said}"))


class Policy:
    """Who signs what: `key` the guests that are not in `unsigned` ("all",
    "a,b" or a list); `boot_key` what U-Boot loads, default the same, "none"
    nobody."""

    def __init__(self, key=None, unsigned=(), attached=False, boot_key=None):
        self.key = key if isinstance(key, Key) else Key(key)
        if unsigned != ALL:
            names = unsigned.split(",") if isinstance(unsigned, str) \
                else unsigned
            unsigned = {n for n in names if n}
        self.unsigned = unsigned
        self.attached = attached
        if boot_key is None or boot_key == "none":
            self.boot_key = None if boot_key else self.key
        else:
            self.boot_key = boot_key if isinstance(boot_key, Key) \
                else Key(boot_key)

    def signs(self, name):
        return self.unsigned != ALL and name not in self.unsigned


def add_options(parser, env=lambda name: None):
    """The options of mkboot and run; `env` has the defaults."""
    p = parser.add_argument_group("signatures")
    p.add_argument("--key", metavar="FILE[:pss]", default=env("KEY"),
                   help="private key, PEM; with :pss RSA signs with PSS\n"
                   "padding. Default: build/keys/dev.key")
    p.add_argument("--algo", metavar="ALGO",
                   help="rsa2048, rsa3072, rsa4096 (each with :pss) or\n"
                   "ecdsa256; default: what the key is")
    p.add_argument("--key-name", metavar="NAME",
                   help="key-name-hint; default: the file's name")
    p.add_argument("--engine", metavar="NAME",
                   help="engine of OpenSSL that has the key (pkcs11), needs\n"
                   "--keydir, --algo and --key-name")
    p.add_argument("--keydir", metavar="URI", help="its key store, as "
                   "mkimage's -k")
    p.add_argument("--unsigned", metavar="all|NAME,...",
                   default=env("UNSIGNED"),
                   help="guests that are packed as plain modules; only a\n"
                   "hypervisor with CONFIG_ALLOW_UNSIGNED starts them")
    p.add_argument("--attached", action="store_true",
                   help="image data inside the FITs' trees, not behind them")
    p.add_argument("--boot-key", metavar="FILE[:pss]|none",
                   default=env("BOOT_KEY"),
                   help="signs what U-Boot loads; default: as the guests")


def policy(parser, args):
    """What the options say; parser.error() where they do not fit."""
    if args.algo and split_spec(args.algo)[0] not in ALGOS:
        parser.error(f"--algo {args.algo}: must be {', '.join(ALGOS)}")
    if args.engine:
        for name in ("keydir", "algo", "key_name"):
            if not getattr(args, name):
                parser.error(f"--engine needs --{name.replace('_', '-')}")
        if args.key:
            parser.error("--engine and --key: one of them")
        if not args.algo.startswith("rsa"):
            parser.error("--engine: mkimage takes only RSA keys from one")
    elif args.keydir:
        parser.error("--keydir is for --engine")
    key = Key(args.key, args.algo, args.key_name, args.engine, args.keydir)
    return Policy(key, args.unsigned or "", args.attached, args.boot_key)


def guest_fit(guest, policy_):
    """A guest's modules as one signed FIT."""
    key = policy_.key.find()
    images, parts, names = [], [], []
    with tempfile.TemporaryDirectory() as tmp:
        for module in guest.modules():
            node, kind = IMAGES[module.kind]
            with open(os.path.join(tmp, node), "wb") as f:
                f.write(module.data)
            load = "\t\t\tload = <0>;\n\t\t\tentry = <0>;\n" \
                if node == "kernel" else ""
            images.append(IMAGE.format(node=node, name=guest.name, kind=kind,
                                       load=load))
            parts.append(f"\t\t\t{node} = \"{node}\";\n")
            names.append(node)
        source, out = os.path.join(tmp, "its"), os.path.join(tmp, "itb")
        bootargs = f"\t\t\tskerry,bootargs = \"{quoted(guest.bootargs)}\";\n" \
            if guest.bootargs else ""
        with open(source, "w", encoding="ascii") as f:
            f.write(FIT.format(
                name=guest.name, images="".join(images), parts="".join(parts),
                version=guest.version, bootargs=bootargs,
                signature=key.signature("\t\t\t", names)))
        key.mkimage(source, out, guest.name, names,
                    *(() if policy_.attached else ("-E", "-B", "1000")))
        with open(out, "rb") as f:
            return f.read()


def unsigned_why(blob, config, images, size):
    """Why the configuration is not signed as it should be, or None."""
    node = fdt.parse(blob).find(f"/configurations/{config}/signature")
    value = node.props.get("value", b"")
    if not value or not any(value):
        return "no signature"
    if len(value) != size:
        return f"{len(value)} bytes of signature instead of {size}"
    want = ["/", f"/configurations/{config}"]
    for image in images:
        want += [f"/images/{image}", f"/images/{image}/hash-1"]
    signed = node.strings("hashed-nodes") or []
    if signed != want:
        return f"hashed-nodes is {' '.join(signed)}"
    strings = node.props.get("hashed-strings", b"")
    if len(strings) != 8 or strings[:4] != bytes(4):
        return "hashed-strings is damaged"
    return None


def quoted(text):
    """The inside of a string of dtc's, in ASCII."""
    return "".join(chr(b) if 32 <= b < 127 and b not in b"\"\\"
                   else f"\\x{b:02x}" for b in text.encode())


def split_spec(spec):
    """FILE[:pss] as file and bool."""
    return (spec[:-4], True) if spec.endswith(":pss") else (spec, False)


# --- what a key file holds -------------------------------------------------

def key_kind(path):
    """The name in ALGOS of the private key in a file."""
    try:
        done = subprocess.run(
            ["openssl", "pkey", "-in", path, "-passin", "pass:", "-pubout",
             "-outform", "DER"], capture_output=True, check=False,
            stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise SignError("openssl is not installed") from None
    if done.returncode:
        raise SignError(f"{path}: not a private key, or one with a "
                        "passphrase")
    try:
        what = public_kind(done.stdout)
    except (IndexError, ValueError, struct.error):
        what = "unknown"
    if what not in ALGOS:
        raise SignError(f"{path}: {what}: must be {', '.join(ALGOS)}")
    return what


def public_kind(der):
    """The algorithm of a SubjectPublicKeyInfo (RFC 5280)."""
    algorithm, bits = children(children(der)[0])
    parts = children(algorithm)
    name = oid(parts[0])
    if name == OID_RSA:
        modulus = children(children(bits[1:])[0])[0]
        return f"rsa{int.from_bytes(modulus, 'big').bit_length()}"
    if name == OID_EC and len(parts) == 2:
        name = oid(parts[1])
        if name == OID_P256:
            return "ecdsa256"
    return OTHERS.get(name, f"algorithm {name}")


def children(der):
    """The contents of the DER values that stand one after another."""
    out = []
    while der:
        size, at = der[1], 2
        if size & 0x80:
            at += size & 0x7f
            size = int.from_bytes(der[2:at], "big")
        if at + size > len(der):
            raise ValueError("cut off")
        out.append(der[at:at + size])
        der = der[at + size:]
    return out


def oid(data):
    numbers, value = [], 0
    for byte in data:
        value = value << 7 | byte & 0x7f
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, [first, numbers[0] - 40 * first] + numbers[1:]))
