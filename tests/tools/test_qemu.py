# SPDX-License-Identifier: Apache-2.0
"""tools/skerry_pack/qemu.py: what is typed when the console shows what is
awaited, in a machine that is a script, and however the lines are torn."""
import os
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))
# pylint: disable=wrong-import-position
from skerry_pack import qemu  # noqa: E402

OFF = "(sk) all guests are off"


@pytest.fixture(name="machine")
def fixture_machine(tmp_path):
    """Makes one of what it prints and reads; it tells what it has read."""
    def make(body):
        path = tmp_path / "machine"
        path.write_text(f"""#!/bin/sh
typed() {{ read -r text; printf 'typed %s\\r\\n' "$text"; }}
clock() {{
	for n in $(seq "$1"); do printf '(d1) CLOCK %d\\r\\n' "$n"; done
}}
{body}
printf '{OFF}\\r\\n'
""", encoding="utf-8")
        path.chmod(0o755)
        return qemu.Machine(qemu=str(path))
    return make


@pytest.fixture(autouse=True, params=(1, 7, 65536))
def fixture_torn(request, monkeypatch):
    """So many bytes come at a time."""
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, size:
                        read(fd, min(size, request.param)))


def run(machine, *typed):
    result = qemu.run(machine, [], timeout=10, typed=typed)
    assert result.status == qemu.EXIT_OK, result
    assert result.lines[-1] == OFF
    return [l for l in result.lines if "typed" in l]


def test_lines(machine):
    """Each line is seen once, from its beginning to its end."""
    assert run(machine("clock 11\ntyped"),
               (r"\A(?:\(d1\) CLOCK \d+\n){11}\Z", "go\n")) == ["typed go"]


def test_no_more_lines(machine):
    """Pieces of a line are not counted as more of them."""
    early = []
    run(machine("clock 4"), (r"(?:CLOCK[\s\S]*){5}", lambda: early.append(1)))
    assert not early


def test_prompt(machine):
    """What has no end of line is seen; of what came before only its line is."""
    assert run(machine("clock 3\nprintf '> '\ntyped\nclock 3\n"
                       "printf '> '\ntyped"),
               (r"> \Z", "first\n"),
               (r"\A> typed first\n(?:\(d1\) CLOCK \d\n){3}> \Z",
                "second\n")) == ["> typed first", "> typed second"]
