# SPDX-License-Identifier: GPL-2.0
"""Several versions of Xen: where each is."""

from __future__ import annotations

import os
import subprocess

import pytest
from lab.base import paths


@pytest.mark.parametrize("version, folder", [("4.17", "xen"), ("4.20", "xen-4.20")])
def test_where_each_is_built(version: str, folder: str) -> None:
    """The default has its old place, and nothing of two versions mixes."""
    program = "from lab.xen import image; print(image.XEN, image.TOOLS)"
    names = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", program],
        env=os.environ
        | {"XEN": version, "PYTHONPATH": str(paths.ROOT / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    assert names == [str(paths.BUILD / folder), f"usr/lib/xen-{version}/bin"]
