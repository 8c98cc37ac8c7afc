# SPDX-License-Identifier: GPL-2.0
"""Every benchmark runs, at a small size and on our kernel only."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from lab.base import paths

SCALE = "16"
REPORT = paths.BUILD / "report" / f"policy-scale{SCALE}.json"
STEPS = (
    "return-3072", "churn-0.1", "counted-0.1", "many", "mixed", "pieces", "age-bursty",
)  # fmt: skip


def bench(**settings: str) -> subprocess.CompletedProcess[str]:
    """Run the benchmarks with these settings."""
    return subprocess.run(
        ["/usr/bin/python3", "-m", "lab", "bench", "policy"],
        cwd=paths.ROOT / "scripts",
        env=os.environ | {"SCALE": SCALE, "VARIANT": "ours"} | settings,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module", autouse=True)
def fresh_report() -> Iterator[None]:
    """Start without results, and leave none behind."""
    REPORT.unlink(missing_ok=True)
    yield
    for path in REPORT.parent.glob(f"{REPORT.stem}*"):
        path.unlink()


@pytest.fixture(scope="module", params=STEPS)
def result(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run a step; return its name and its result."""
    done = bench(ONLY=request.param)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(REPORT.read_text(encoding="utf-8"))["results"]
    return request.param, results[f"{request.param}/ours"]


def test_step_measures_something(result: tuple[str, dict[str, Any]]) -> None:
    """The result has numbers that only a real run has."""
    name, numbers = result
    expected: dict[str, Callable[[], object]] = {
        "return-3072": lambda: numbers["seconds_50"] > 0,
        "churn-0.1": lambda: numbers["cycles"] > 2 and numbers["risen_mib"] > 0,
        "counted-0.1": lambda: numbers["million_instructions"] > 1,
        "many": lambda: numbers["peak_mib"] > numbers["idle_mib"]
        and numbers["seconds"] is not None,
        # at this size, a machine with other work to do may see none of it back
        "mixed": lambda: numbers["freed_mib"] > 0 and "seconds_95" in numbers,
        "pieces": lambda: numbers["freed_mib"] > 0 and numbers["redundancy"] > 0,
        "age-bursty": lambda: len(numbers["series"]) > 3,
    }
    assert expected[name](), numbers


def test_a_finished_run_is_not_repeated() -> None:
    """What was measured before is kept, and drawn."""
    done = bench(ONLY=" ".join(STEPS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(STEPS)} of {len(STEPS)} steps were done before" in done.stdout
    for suffix in ("", "-age"):
        assert (REPORT.parent / f"{REPORT.stem}{suffix}.png").stat().st_size > 0


@pytest.mark.parametrize("setting", ["SCALE", "ONLY", "VARIANT"])
def test_bad_setting_is_named(setting: str) -> None:
    """A setting that makes no sense is refused with what is allowed."""
    done = bench(**{setting: "nonsense"})
    assert done.returncode == 1
    assert setting in done.stderr and "nonsense" in done.stderr
    assert "from 1 to 32" in done.stderr or "not among" in done.stderr
