# SPDX-License-Identifier: GPL-2.0
"""What is kept of measurements: one chapter is written anew, the others stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import bench_report
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


@pytest.mark.parametrize("path", KEPT.glob("*.json"), ids=lambda path: path.stem)
def test_kept_results_can_be_shown(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was run, the report shows what is kept, with its pictures."""
    monkeypatch.setattr(bench_report, "REPORT", tmp_path)
    shown = load(path.stem)
    assert shown is not None and shown.kept
    assert shown.pictures and shown.section.reading
