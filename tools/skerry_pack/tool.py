# SPDX-License-Identifier: Apache-2.0
"""Programs that packing calls: mkimage, mtools, openssl."""
import os
import re
import subprocess

EPOCH = "1767225600"		# of every time stamp: outputs repeat


class ToolError(Exception):
    """A program failed or is not there."""


def run(*args, data=""):
    """What the program says on both outputs, with `data` on its input; ToolError
    unless it succeeds."""
    env = dict(os.environ, SOURCE_DATE_EPOCH=EPOCH, TZ="UTC",
               MTOOLS_SKIP_CHECK="1")
    try:
        done = subprocess.run(args, capture_output=True, env=env, check=False,
                              input=data.encode())
    except FileNotFoundError:
        raise ToolError(f"{args[0]} is not installed") from None
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        # mkimage follows an error with all of its options.
        said = (done.stderr or done.stdout).decode(errors="replace")
        said = said.partition("Usage:")[0].strip()
        raise ToolError(without_pin(f"{' '.join(args)}: {said}"))
    return said


def without_pin(text):
    """Errors end up in logs: RFC 7512's PINs do not belong there."""
    return re.sub(r"(pin-value=)[^;&?\s]*", r"\1...", text)
