# SPDX-License-Identifier: GPL-2.0
"""What the runner of the benchmarks counts as a result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.bench.guest import Bench, Result
from lab.bench.runner import Report, Step, Task, run
from lab.guest.variants import OURS, Variant

BENCH = Bench("tcg", 1)


def perform(folder: Path, built_meanwhile: bool) -> Path:
    """Run a step whose kernel is a file, and return the report."""
    kernel = folder / "kernel"
    kernel.write_text("old")

    def measure(_bench: Bench, _variant: Variant) -> Result:
        if built_meanwhile:
            kernel.write_text("new")
        return {"seconds": 1}

    step = Step("step", 1, measure, (OURS,), lambda _variant: [kernel])
    path = folder / "report.json"
    head = {"scale": BENCH.scale, "accelerator": BENCH.accel}
    run(BENCH, Report(path, head), [Task(step, OURS)])
    return path


def test_result_is_kept_with_what_was_measured(tmp_path: Path) -> None:
    """The stamp is that of the kernel, the commit that of the repository."""
    report = json.loads(perform(tmp_path, False).read_text(encoding="utf-8"))
    kept = report["results"]["step/ours"]
    assert kept["seconds"] == 1 and kept["stamp"] and kept["commit"]


def test_kernel_built_anew_meanwhile_does_not_count(tmp_path: Path) -> None:
    """Nobody knows which of the two was measured."""
    with pytest.raises(SystemExit, match="step/ours were built anew"):
        perform(tmp_path, True)
    assert not (tmp_path / "report.json").exists()
