# SPDX-License-Identifier: GPL-2.0
"""Several versions of Xen: which one is meant, and where it is."""

from __future__ import annotations

import os
import subprocess

import pytest
from lab import paths, xen_image


@pytest.mark.parametrize(
    "value, version", [("", "4.17"), ("4.17", "4.17"), ("4.20", "4.20")]
)
def test_chosen(value: str, version: str) -> None:
    """That of the machine's own release is the default."""
    assert paths.chosen("XEN", value, xen_image.VERSIONS) == version


@pytest.mark.parametrize("value", ["4.19", "4", "4.20 ", ".."])
def test_others_are_refused(value: str) -> None:
    """The message has the value and what is allowed."""
    with pytest.raises(SystemExit) as error:
        paths.chosen("XEN", value, xen_image.VERSIONS)
    assert str(error.value) == f"XEN={value}: allowed are 4.17 and 4.20"


@pytest.mark.parametrize("version, folder", [("4.17", "xen"), ("4.20", "xen-4.20")])
def test_where_each_is_built(version: str, folder: str) -> None:
    """The default has its old place, and nothing of two versions mixes."""
    program = "from lab import xen_image; print(xen_image.XEN, xen_image.TOOLS)"
    names = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", program],
        env=os.environ
        | {"XEN": version, "PYTHONPATH": str(paths.ROOT / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    assert names == [str(paths.BUILD / folder), f"usr/lib/xen-{version}/bin"]
