#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write auto.conf (for make) and config.h (for C) from .config.

A bool becomes 0 or 1 in config.h, so C says `if (CONFIG_X)` and -Wundef finds
misspelt names. KCONFIG_SET="A=y B=5" changes values on top of .config.
"""
import os
import sys

import kconfiglib as k

conf_out, header_out = sys.argv[1:]
kconf = k.Kconfig("Kconfig", warn_to_stderr=True)
kconf.warn_assign_undef = True
kconf.load_config()
if kconf.warnings:
    sys.exit("configuration has warnings")
for word in os.environ.get("KCONFIG_SET", "").split():
    name, _, value = word.partition("=")
    if name not in kconf.syms or not kconf.syms[name].nodes:
        sys.exit(f"KCONFIG_SET: {name}: no such option")
    if not kconf.syms[name].set_value(value):
        sys.exit(f"KCONFIG_SET: {name}: bad value {value!r}")
kconf.write_config(conf_out, save_old=False)

lines = ["#pragma once\n"]
for sym in kconf.unique_defined_syms:
    value = sym.str_value
    if sym.type is k.BOOL:
        value = "1" if value == "y" else "0"
    elif sym.type is k.STRING:
        value = f'"{k.escape(value)}"'
    elif not value:
        continue
    lines.append(f"#define CONFIG_{sym.name} {value}\n")
text = "".join(lines)
try:
    with open(header_out, encoding="utf-8") as f:
        same = f.read() == text
except FileNotFoundError:
    same = False
if not same:
    with open(header_out, "w", encoding="utf-8") as f:
        f.write(text)
