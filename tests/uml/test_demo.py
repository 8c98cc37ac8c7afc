# SPDX-License-Identifier: GPL-2.0
"""The demo shows the difference on User Mode Linux."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from lab.base.paths import BUILD, ROOT
from lab.kernel import kernels

REPORT = BUILD / "report" / "demo-uml.json"


def demo(**settings: str) -> subprocess.CompletedProcess[str]:
    """Run the demo with these settings."""
    return subprocess.run(
        ["/usr/bin/python3", "-B", "-m", "lab", "demo"],
        cwd=ROOT / "scripts",
        env=os.environ | {"BACKEND": "uml", "KERNEL": ""} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_demo() -> None:
    """What is freed is back with the backend, and never without it."""
    kernels.build(kernels.KERNELS["uml"])
    REPORT.unlink(missing_ok=True)
    done = demo(MEM="768", FREE="256")
    assert done.returncode == 0, done.stdout + done.stderr
    ours, none = json.loads(REPORT.read_text(encoding="utf-8"))["runs"]
    assert ours["almost_back"] is not None and none["half_back"] is None
    assert ours["peak_mib"] >= 256 and none["samples"][-1][1] >= 256
    assert REPORT.with_suffix(".png").stat().st_size > 0


@pytest.mark.parametrize(
    "name, allowed", [("BACKEND", "virtio, uml"), ("KERNEL", "ours, none, all")]
)
def test_bad_setting_is_named(name: str, allowed: str) -> None:
    """A setting that makes no sense is refused with what is allowed."""
    done = demo(**{name: "nonsense"})
    assert done.returncode == 1
    assert f"{name}=nonsense" in done.stderr and allowed in done.stderr
