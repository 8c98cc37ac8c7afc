# SPDX-License-Identifier: GPL-2.0
"""Every benchmark runs, at a small size and mostly on our kernel only."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab.base import paths
from lab.bench.catalogue import BENCHMARKS

SCALE = "16"
FOLDER = paths.BUILD / "report"

Result = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A benchmark, the step and the kernel that stand for it, what it must find."""

    name: str
    step: str
    variant: str
    holds: Callable[[Result], object]
    # whether nobody else needs the kernel that it boots
    own_kernel: bool = False

    @property
    def report(self) -> Path:
        """Where the results go."""
        return FOLDER / f"{self.name}-scale{SCALE}.json"


def small_and_goes_on(found: Result) -> bool:
    """A guest that was saved is small, and goes on reporting when it is loaded."""
    small = 0 < found["file_mib"] < found["freed_mib"]
    most = found["loaded_mib"] + found["again_mib"] / 2
    return bool(small and 0 < found["after_mib"] < most)


CASES = (
    Case(
        "density", "density", "ours",
        # the second guest uses what the first has given back: it adds itself only
        lambda found: found["series"][1][2] - found["series"][0][2]
        < found["touch_mib"],
    ),
    Case(
        "memhog", "memhog", "ours",
        lambda found: len(found["seconds"]) == 3
        and 0 < max(found["used_mib"]) <= found["host_mib"],
    ),
    Case(
        "memhog", "memhog", "none",
        lambda found: len(found["seconds"]) == 3 and max(found["swap_mib"]) > 0,
        own_kernel=True,
    ),
    Case(
        "page_fault", "count-1", "ours",
        lambda found: 1000 < found["4k"]["median"] < found["file"]["median"],
    ),
    Case(
        "page_fault", "boot-1", "ours",
        lambda found: len(found) > 4 and found["file/processes/1"] > 0,
    ),
    Case(
        "scale", "scale-1", "uml",
        lambda found: {row[0] for row in found["series"]} == {"walk", "tracker"},
    ),
    Case(
        "hold", "poisoned", "ours",
        lambda found: len(found["series"]) == 9
        and all(row["functions"]["fpr_return_pages"] > 0 for row in found["series"]),
        own_kernel=True,
    ),
    Case(
        "discard", "reuse-1", "free",
        lambda found: found["lazy_mib"][-1] > found["touched_mib"] / 2,
    ),
    Case(
        "discard", "neighbour-1", "dontneed",
        lambda found: found["touch_seconds"] > 0
        and found["giver_mib_after"] < found["touched_mib"],
    ),
    Case(
        "scatter", "scatter-4", "ours",
        lambda found: found["back_mib"][-1] > found["free_mib"] / 2
        and found["moved_mib"] > 0,
    ),
    Case(
        "busy", "probe", "on",
        lambda found: 0 < found["median_us"] <= found["p99_us"] <= found["worst_us"]
        and found["probes"] >= 200 and found["moved_mib"] > 0,
    ),
    Case(
        "busy", "compute", "on",
        lambda found: found["per_second"] > 0 and found["moved_mib"] > 0,
    ),
    Case(
        "snapshot", "file-now", "ours", small_and_goes_on,
    ),
    Case(
        "snapshot", "snapshot-now", "ours", small_and_goes_on,
    ),
    Case(
        "xen", "cost", "on",
        lambda found: found["dom0"]["given_mib"] > 0 and found["dom0"]["take_us"] > 0,
    ),
    Case(
        "build", "build-1", "ours",
        lambda found: 0 < found["mib_after_drop"] < found["peak_mib"]
        and found["given_mib"] > 0 and found["gib_minutes"] > 0,
        own_kernel=True,
    ),
)  # fmt: skip


def bench(case: Case, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a step of a benchmark."""
    chosen = {"SCALE": SCALE, "ONLY": case.step, "VARIANT": case.variant}
    return subprocess.run(
        ["/usr/bin/python3", "-m", "lab", "bench", case.name],
        cwd=paths.ROOT / "scripts",
        env=os.environ | chosen | settings,
        capture_output=True,
        text=True,
        check=False,
    )


def parameter(case: Case) -> Any:
    """Return a case as a parameter with its name and its mark."""
    name = f"{case.name}-{case.step}-{case.variant}"
    return pytest.param(case, id=name, marks=[pytest.mark.long] * case.own_kernel)


@pytest.mark.parametrize("case", map(parameter, CASES))
def test_benchmark_measures_something(case: Case) -> None:
    """The result is one that only a real run has; a second run keeps it."""
    case.report.unlink(missing_ok=True)
    try:
        done = bench(case)
        assert done.returncode == 0, done.stdout + done.stderr
        results = json.loads(case.report.read_text(encoding="utf-8"))["results"]
        assert case.holds(results[f"{case.step}/{case.variant}"]), results
        assert BENCHMARKS[case.name].describe(results).tables[0].rows
        assert case.report.with_suffix(".png").stat().st_size > 0
        again = bench(case)
        assert "1 of 1 steps were done before" in again.stdout, again.stderr
    finally:
        for path in FOLDER.glob(f"{case.report.stem}*"):
            path.unlink()


def test_unknown_benchmark_is_refused() -> None:
    """The message says which there are."""
    done = bench(Case("nonsense", "", "", bool))
    assert done.returncode != 0
    assert "nonsense" in done.stderr and "density" in done.stderr
