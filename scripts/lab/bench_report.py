#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Present what was measured: build/report/index.html, and the same as a document.

Takes for each benchmark the largest size that was run here, and what is kept in
the repository where nothing was.  With --keep, the results of runs at full size
become those that are kept: as numbers in tests/bench/results/, and as pictures in
Documentation/images/.  From all that is kept two documents are written:
tests/bench/results/details.rst has everything, and the short one of the kernel's
documentation, mm/page_reporting_results.rst, what matters most.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import (
    bench_build,
    bench_density,
    bench_discard,
    bench_fault,
    bench_hold,
    bench_memhog,
    bench_policy,
    bench_scale,
    bench_scatter,
    bench_xen,
)
from lab.bench_html import page
from lab.bench_policy_text import describe as describe_policy
from lab.bench_rst import details, summary
from lab.bench_runner import SMOKE_SCALE, Benchmark, Results, all_tasks
from lab.bench_section import Section
from lab.demo import REPORT
from lab.paths import ROOT

SECTIONS: dict[str, tuple[Benchmark, Callable[[Results], Section]]] = {
    benchmark.name: (benchmark, describe)
    for benchmark, describe in (
        (bench_density.BENCHMARK, bench_density.describe),
        (bench_memhog.BENCHMARK, bench_memhog.describe),
        (bench_policy.BENCHMARK, describe_policy),
        (bench_build.BENCHMARK, bench_build.describe),
        (bench_scatter.BENCHMARK, bench_scatter.describe),
        (bench_fault.BENCHMARK, bench_fault.describe),
        (bench_scale.BENCHMARK, bench_scale.describe),
        (bench_hold.BENCHMARK, bench_hold.describe),
        (bench_discard.BENCHMARK, bench_discard.describe),
        (bench_xen.BENCHMARK, bench_xen.describe),
    )
}

KEPT = ROOT / "tests" / "bench" / "results"
IMAGES = ROOT / "Documentation" / "images"
DOCUMENTS: dict[Path, Callable[[list[Chapter]], str]] = {
    ROOT / "Documentation" / "mm" / "page_reporting_results.rst": summary,
    KEPT / "details.rst": details,
}


@dataclass(frozen=True)
class Chapter:
    """A benchmark that was run: its report, what it says, its pictures."""

    name: str
    path: Path
    data: dict[str, Any]
    section: Section
    pictures: list[Path]

    @property
    def kept(self) -> bool:
        """Was it run elsewhere, and only its results are here?"""
        return self.path.parent == KEPT

    @property
    def missing(self) -> list[str]:
        """Which steps were not done."""
        benchmark, _ = SECTIONS[self.name]
        wanted = {task.key for task in all_tasks(benchmark)}
        return sorted(wanted - set(self.data["results"]))

    @property
    def dates(self) -> tuple[str, str]:
        """When the first and the last step were done."""
        dates = sorted(result["date"] for result in self.data["results"].values())
        return dates[0], dates[-1]

    @property
    def commits(self) -> list[str]:
        """Which versions of this repository were measured."""
        results = self.data["results"].values()
        return sorted({result.get("commit", "unknown") for result in results})


def largest(name: str) -> Path | None:
    """Return the report of the run at the largest size."""
    found = {
        int(json.loads(path.read_text(encoding="utf-8"))["scale"]): path
        for path in [*REPORT.glob(f"{name}.json"), *REPORT.glob(f"{name}-scale*.json")]
    }
    sizes = [scale for scale in found if scale < SMOKE_SCALE]
    return found[min(sizes)] if sizes else None


def load(name: str) -> Chapter | None:
    """Return what there is of a benchmark."""
    path = largest(name) or KEPT / f"{name}.json"
    if not path.exists():
        print(f"No results of {name}: make bench-{name}", flush=True)
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    if path.parent == KEPT:
        print(f"Results of {name} are those kept in the repository.", flush=True)
        pictures = sorted(IMAGES.glob(f"bench-{name}*.png"))
    else:
        pictures = sorted(REPORT.glob(f"{path.stem}*.png"))
        if data["scale"] == 1:
            pictures = [file for file in pictures if "-scale" not in file.stem]
    return Chapter(name, path, data, described(name, data), pictures)


def described(name: str, data: dict[str, Any]) -> Section:
    """Return what a benchmark says; notes on this very run come last."""
    _, describe = SECTIONS[name]
    section = describe(data["results"])
    return replace(section, reading=[*section.reading, *data.get("notes", [])])


def load_kept() -> list[Chapter]:
    """Return what is kept of all benchmarks."""
    chapters = []
    for name, path in ((name, KEPT / f"{name}.json") for name in SECTIONS):
        if not path.exists():
            continue
        data = json.loads(path.read_text(encoding="utf-8"))
        pictures = sorted(IMAGES.glob(f"bench-{name}*.png"))
        chapters.append(Chapter(name, path, data, described(name, data), pictures))
    return chapters


def check_complete(chapter: Chapter) -> None:
    """Do not let a run of some steps take the place of all."""
    if chapter.missing:
        raise SystemExit(
            f"report: {chapter.name} is not kept, steps of it were not run:"
            f" {' '.join(chapter.missing)}"
        )


def keep(chapters: list[Chapter]) -> None:
    """Keep the results, and write the document and the pictures beside it."""
    full = [
        chapter
        for chapter in chapters
        if chapter.data["scale"] == 1 and not chapter.kept
    ]
    KEPT.mkdir(exist_ok=True)
    for chapter in full:
        check_complete(chapter)
    for chapter in full:
        shutil.copy(chapter.path, KEPT / f"{chapter.name}.json")
        for picture in chapter.pictures:
            shutil.copy(picture, IMAGES / f"bench-{picture.name}")
    kept = load_kept()
    for path, write in DOCUMENTS.items():
        path.write_text(write(kept), encoding="utf-8")
        print(f"Wrote {path.relative_to(ROOT)} ({len(full)} new benchmarks).")


def main() -> None:
    """Entry point of `make report`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the document, too")
    arguments = parser.parse_args()
    chapters = [chapter for name in SECTIONS if (chapter := load(name))]
    if not chapters:
        raise SystemExit("report: nothing was measured yet, run `make bench`")
    REPORT.mkdir(parents=True, exist_ok=True)
    target = REPORT / "index.html"
    target.write_text(page(chapters), encoding="utf-8")
    print(f"Wrote build/report/{target.name} ({len(chapters)} benchmarks).")
    if arguments.keep:
        keep(chapters)


if __name__ == "__main__":
    main()
