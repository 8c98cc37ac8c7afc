# SPDX-License-Identifier: GPL-2.0
"""What is kept of measurements: one chapter is written anew, the others stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab import bench_discard, bench_report, bench_scale
from lab.bench_report import KEPT, Chapter, load
from lab.bench_rst import chapters_of, document
from lab.bench_section import Section

NAMES = ("density", "memhog", "scale")


def chapter(name: str, title: str) -> Chapter:
    """Return what a run of a benchmark says."""
    data = {
        "scale": 1, "qemu": "QEMU", "accelerator": "tcg", "command": "make",
        "host": {"cpus": 2, "kernel": "6.0"},
        "results": {"step/ours": {"date": "2026-01-01", "commit": "abc"}},
    }  # fmt: skip
    section = Section(title, "?", "how", ("1", "one"), [], ["a reading"])
    return Chapter(name, Path(f"{name}.json"), data, section, [])


def test_other_chapters_stay() -> None:
    """Only the benchmark that was run again changes, in its place."""
    first = document(NAMES, [chapter(name, f"Old {name}") for name in NAMES], {})
    before = chapters_of(first)
    assert list(before) == list(NAMES)
    again = document(NAMES, [chapter("memhog", "New memhog")], before)
    assert again == first.replace("Old memhog", "New memhog")


def test_kept_document_has_chapters_for_all_benchmarks() -> None:
    """So `make report KEEP=1` finds what to replace."""
    kept = chapters_of(bench_report.DOCUMENT.read_text(encoding="utf-8"))
    assert list(kept) == list(bench_report.SECTIONS)


def test_kept_results_can_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was run, the report shows what is kept, with its pictures."""
    monkeypatch.setattr(bench_report, "REPORT", tmp_path)
    kept = list(KEPT.glob("*.json"))
    assert kept
    for path in kept:
        shown = load(path.stem)
        assert shown is not None and shown.kept
        assert shown.pictures and shown.section.reading


def test_scale_is_drawn_to_scale(tmp_path: Path) -> None:
    """The curves of times that differ by thousands are all in the picture."""
    rows = [
        [way, gib, 9, percent, 0, ns * gib, ns * gib, ns * gib, 32, 1, 9]
        for way, ns in (("walk", 10_000), ("tracker", 10))
        for gib in bench_scale.SIZES
        for percent in (1, 10, 50)
    ]
    seen: list[tuple[float, float]] = []
    results = {"scale/uml": {"columns": bench_scale.COLUMNS, "series": rows}}

    def look(figure: Any, path: Path) -> Path:
        seen.extend(axes.get_ylim() for axes in figure.axes)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_scale, "save", look)
        bench_scale.draw(results, tmp_path, "scale")
    assert len(seen) == 2
    for bottom, top in seen:
        assert 0 < bottom <= 0.01 and top >= 40_960


def test_discard_is_drawn(tmp_path: Path) -> None:
    """Every number that is compared has its bar."""
    reuse = {name: [1.0, 2.0] for name in bench_discard.SERIES}
    beside: dict[str, Any] = {"touch_seconds": 3.0}
    results: dict[str, dict[str, Any]] = {
        f"{step}-1/{variant.name}": result
        for step, result in (("reuse", reuse), ("neighbour", beside))
        for variant in bench_discard.VARIANTS
    }
    bars: list[int] = []

    def look(figure: Any, path: Path) -> Path:
        bars.extend(len(axes.patches) for axes in figure.axes)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_discard, "save", look)
        bench_discard.draw(results, tmp_path, "discard")
    assert bars == [2, 2, 2]
