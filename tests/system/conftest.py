# SPDX-License-Identifier: Apache-2.0
"""Makes the harness importable and sees that there is something to boot."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(scope="session", autouse=True)
def built():
    needed = [harness.HYP, harness.INITRAMFS, harness.kernel("6.1")] + \
        [harness.bare(n) for n in ("hello", "bench", "systest")]
    missing = [p for p in needed if not os.path.exists(p)]
    if missing:
        pytest.exit(f"not built: {' '.join(missing)}; run `make all guests`",
                    returncode=3)
