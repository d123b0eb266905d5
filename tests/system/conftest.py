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


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "one_gic: says itself which GIC its machine has, or has none")


def pytest_generate_tests(metafunc):
    """Each test runs for both versions of the GIC, with one binary."""
    one = metafunc.definition.get_closest_marker("one_gic")
    metafunc.parametrize("gic", [3] if one else [3, 2], indirect=True,
                         ids=["gicv3"] if one else ["gicv3", "gicv2"])


@pytest.fixture(autouse=True)
def gic(request):
    harness.GIC = request.param
    return request.param
