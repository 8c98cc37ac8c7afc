# SPDX-License-Identifier: GPL-2.0
"""Present what was measured: build/report/index.html, and the same as a document.

Takes for each benchmark the largest size that was run here, and what is kept in
the repository where nothing was.  With --keep, results become those that are kept,
kept.py says which: as numbers in tests/bench/results/, and as pictures in
Documentation/images/.  From all that is kept documents are written: details.rst
beside the numbers has everything, and the short one of the kernel's documentation,
mm/page_reporting_results.rst, what matters most.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab.base import paths
from lab.base.paths import REPORT
from lab.bench.catalogue import BENCHMARKS
from lab.bench.runner import SMOKE_SCALE, Results, all_tasks
from lab.report.html import page
from lab.report.model import IMAGES, Chapter, Shelf
from lab.report.rst import details, summary
from lab.report.section import Section
from lab.results import upstream
from lab.results.kept import DEFAULT, HERE, OTHERS

SUMMARY = paths.ROOT / "Documentation" / "mm" / "page_reporting_results.rst"
DETAILS = "details.rst"
DEMO = "demo.json"


def largest(name: str) -> Path | None:
    """Return the report of the run at the largest size."""
    found = {
        int(json.loads(path.read_text(encoding="utf-8"))["scale"]): path
        for path in [*REPORT.glob(f"{name}.json"), *REPORT.glob(f"{name}-scale*.json")]
    }
    sizes = [scale for scale in found if scale < SMOKE_SCALE]
    return found[min(sizes)] if sizes else None


def load(name: str) -> Chapter | None:
    """Return what there is of a benchmark: what was run here, or what is kept."""
    path = largest(name)
    if not path:
        return load_kept_one(name, HERE)
    data = json.loads(path.read_text(encoding="utf-8"))
    pictures = sorted(REPORT.glob(f"{path.stem}*.png"))
    if data["scale"] == 1:
        pictures = [file for file in pictures if "-scale" not in file.stem]
    return chapter(name, path, data, pictures, HERE)


def load_kept_one(name: str, shelf: Shelf) -> Chapter | None:
    """Return what is kept of a benchmark."""
    path = shelf.folder / f"{name}.json"
    if not path.exists():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    pictures = sorted(IMAGES.glob(shelf.picture(f"{name}*.png").name))
    return chapter(name, path, data, pictures, shelf)


def chapter(
    name: str, path: Path, data: dict[str, Any], pictures: list[Path], shelf: Shelf
) -> Chapter:
    """Return what a benchmark has found."""
    section = described(name, data)
    return Chapter(name, path, data, section, pictures, shelf, wanted(name, shelf))


def wanted(name: str, shelf: Shelf) -> frozenset[str]:
    """Name the results that a benchmark has to have."""
    tasks = all_tasks(BENCHMARKS[name])
    return frozenset(task.key for task in tasks if shelf.needs(name, task.step.name))


def described(name: str, data: dict[str, Any]) -> Section:
    """Return what a benchmark says; notes on this very run come last."""
    section = BENCHMARKS[name].describe(data["results"])
    return replace(section, reading=[*section.reading, *data.get("notes", [])])


def load_kept(shelf: Shelf = DEFAULT) -> list[Chapter]:
    """Return what is kept of all benchmarks with a kernel."""
    return [found for name in BENCHMARKS if (found := load_kept_one(name, shelf))]


def without_curves(demo: Path) -> dict[str, Any]:
    """Return what the demo has found, but for its curves."""
    found: dict[str, Any] = json.loads(demo.read_text(encoding="utf-8"))
    for run in found["runs"]:
        run.pop("samples", None)
    return found


def results_of(chapters: list[Chapter]) -> dict[str, Results]:
    """Return the results by benchmark."""
    return {chapter.name: chapter.data["results"] for chapter in chapters}


def compared(shelf: Shelf, chapters: list[Chapter], demo: Path) -> Chapter | None:
    """Return what the results with another kernel tell of that one's reporting."""
    if not shelf.part or not chapters or not demo.exists():
        return None
    new = results_of(chapters)
    sides = upstream.Sides(
        DEFAULT.source, shelf.source, results_of(load_kept()), new, without_curves(demo)
    )
    data = {
        **chapters[0].data,
        "scale": 1,
        "command": f"make report KERNEL_SOURCE={shelf.source}",
        "results": {
            f"{name}/{key}": result
            for name, results in new.items()
            for key, result in results.items()
        },
    }
    kept = shelf.picture("demo.png")
    pictures = [kept if demo.parent == shelf.folder else demo.with_suffix(".png")]
    section = upstream.describe(sides)
    return Chapter(demo.stem, demo, data, section, pictures, shelf)


def with_upstream(shelf: Shelf, chapters: list[Chapter], demo: Path) -> list[Chapter]:
    """Return the chapters, after one that compares the kernel with the default one."""
    found = compared(shelf, chapters, demo)
    return [found, *chapters] if found else chapters


def check_complete(chapter: Chapter) -> None:
    """Do not let a run of some steps take the place of all."""
    if chapter.missing:
        raise SystemExit(
            f"report: {chapter.name} is not kept, steps of it were not run:"
            f" {' '.join(chapter.missing)}"
        )


def check_origin(chapter: Chapter) -> None:
    """Do not keep what nobody can measure again."""
    dirty = [commit for commit in chapter.commits if "-dirty" in commit]
    if dirty:
        raise SystemExit(
            f"report: {chapter.name} is not kept, files were changed and not"
            f" committed when it was run: {' '.join(dirty)}"
        )


def fresh(chapters: list[Chapter]) -> list[Chapter]:
    """Return what is to be kept, of what was run here."""
    return [
        chapter
        for chapter in chapters
        if HERE.takes(chapter.data["scale"])
        and HERE.wants(chapter.name)
        and not chapter.kept
    ]


def keep_demo() -> None:
    """Keep what the demo has found with a kernel besides the default one."""
    demo = REPORT / DEMO
    if HERE.part and demo.exists():
        text = json.dumps(without_curves(demo)) + "\n"
        (HERE.folder / DEMO).write_text(text, encoding="utf-8")
        shutil.copy(demo.with_suffix(".png"), HERE.picture("demo.png"))


def keep(chapters: list[Chapter]) -> None:
    """Keep the results, and write the documents and the pictures beside them."""
    full = fresh(chapters)
    HERE.folder.mkdir(exist_ok=True)
    for chapter in full:
        check_complete(chapter)
        check_origin(chapter)
    for chapter in full:
        shutil.copy(chapter.path, HERE.folder / f"{chapter.name}.json")
        for picture in chapter.pictures:
            shutil.copy(picture, chapter.image(picture))
    keep_demo()
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {paths.shown(path)} ({len(full)} new benchmarks).")


def documents() -> dict[Path, str]:
    """Return the documents of all that is kept, by their places."""
    default, others = load_kept(), []
    texts = {DEFAULT.folder / DETAILS: details(default, DEFAULT, IMAGES)}
    for shelf in OTHERS:
        chapters = with_upstream(shelf, load_kept(shelf), shelf.folder / DEMO)
        others += [each for each in chapters if each.name not in BENCHMARKS]
        if chapters:
            texts[shelf.folder / DETAILS] = details(chapters, shelf, IMAGES)
    return {SUMMARY: summary(default, others), **texts}


def main(arguments: list[str]) -> None:
    """Entry point of `make report`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="write the document, too")
    options = parser.parse_args(arguments)
    chapters = [chapter for name in BENCHMARKS if (chapter := load(name))]
    if not chapters:
        raise SystemExit("report: nothing was measured yet, run `make bench`")
    for name in set(BENCHMARKS) - {chapter.name for chapter in chapters}:
        print(f"No results of {name}: make bench-{name}", flush=True)
    REPORT.mkdir(parents=True, exist_ok=True)
    target = REPORT / "index.html"
    demo = next((path for path in (REPORT / DEMO, HERE.folder / DEMO)
                 if path.exists()), HERE.folder / DEMO)  # fmt: skip
    shown = with_upstream(HERE, chapters, demo)
    target.write_text(page(shown), encoding="utf-8")
    print(f"Wrote {paths.shown(target)} ({len(shown)} chapters).")
    if options.keep:
        keep(chapters)
