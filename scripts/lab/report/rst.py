# SPDX-License-Identifier: GPL-2.0
"""The report as two documents: a short one for the kernel's, and all of it."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from textwrap import fill

from lab.report.model import Chapter, Shelf
from lab.report.section import Table
from lab.report.summary import table as comparison

WIDTH = 78
TITLE = "Free page reporting: measurements"
ALL = "tests/bench/results/details.rst"

KERNELS = (
    "The kernels have the same configuration; \"this library\" is the tree of this"
    " repository, \"stock kernel\" is unmodified Linux {}, and \"no reporting\" the"
    " stock kernel with a device that does not offer it."
)
# What holds for every figure.
CAVEAT = (
    "All guests were emulated on a machine with two processors. Times are those of"
    " slow guests, so counts, amounts of memory and instructions mean more. Behind a"
    " ± is how far the boots of a kernel differ."
)


def summary(chapters: list[Chapter], others: list[Chapter]) -> str:
    """Return the short document: one table, and what each benchmark says first.

    Then what there is to say of other kernels than the default one.
    """
    kernels = KERNELS.format(chapters[0].shelf.source)
    lines = [*head(TITLE), *paragraph(f"What the benchmarks say in short. {kernels}")]
    lines += [*paragraph(CAVEAT), *table_lines(comparison(chapters))]
    for chapter in chapters:
        lines += outline(chapter)
    for chapter in others:
        lines += [*titled(chapter, "../images"), *paragraph(chapter.section.how)]
        for table in chapter.section.tables:
            lines += table_lines(table)
    lines += [
        *paragraph(
            f"All figures, with the machine and the versions, are in {ALL} of the"
            " repository that this comes from; its make targets measure them anew."
        )
    ]
    return "\n".join(lines).rstrip() + "\n"


def details(chapters: list[Chapter], shelf: Shelf, images: Path) -> str:
    """Return the whole report on a kernel, to be in the folder of its results."""
    lines = [*head(f"{TITLE} in full"), *paragraph(KERNELS.format(shelf.source))]
    folder = os.path.relpath(images, shelf.folder)
    for chapter in chapters:
        lines += body(chapter, folder)
    return "\n".join(lines).rstrip() + "\n"


def head(title: str) -> Iterable[str]:
    """Yield the first lines of a document."""
    ruler = "=" * len(title)
    yield from (
        ".. SPDX-License-Identifier: GPL-2.0",
        '.. Written by "make report KEEP=1" from results, changes are lost.',
        "", ruler, title, ruler, "",
    )  # fmt: skip


def paragraph(text: str) -> list[str]:
    """Return a paragraph, filled, and an empty line."""
    return [fill(escape(text), WIDTH, break_on_hyphens=False), ""]


def escape(text: str) -> str:
    """Keep the text from being markup."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("_ ", "\\_ ")


def titled(chapter: Chapter, folder: str) -> Iterable[str]:
    """Yield the title of a benchmark, and its pictures in a folder."""
    section = chapter.section
    yield from (section.title, "=" * len(section.title), "")
    for picture in chapter.pictures:
        yield from (f".. image:: {folder}/{chapter.image(picture).name}",
                    f"   :alt: {section.question}", "")


def outline(chapter: Chapter) -> Iterable[str]:
    """Yield the lines of a benchmark in the short document."""
    section = chapter.section
    number, what = section.headline
    command = chapter.data["command"]
    first, *others = section.reading
    yield from titled(chapter, "../images")
    yield from paragraph(f"{first} ({number} {what}; {command})")
    for text in others:
        if ": missed" in text:
            yield from paragraph(text)


def body(chapter: Chapter, folder: str) -> Iterable[str]:
    """Yield the lines of a benchmark in the whole report."""
    section = chapter.section
    yield from titled(chapter, folder)
    yield from paragraph(section.how)
    for table in section.tables:
        yield from table_lines(table)
    for text in section.reading:
        yield from paragraph(text)
    yield from paragraph(provenance(chapter))


def provenance(chapter: Chapter) -> str:
    """Say when, on what and how it was measured."""
    first, last = chapter.dates
    data, host = chapter.data, chapter.data["host"]
    when = first if first == last else f"{first} to {last}"
    return (
        f"Measured {when} with version {', '.join(chapter.commits)}: a machine with"
        f" {host['cpus']} CPUs ({host.get('processor', 'unknown')}),"
        f" {host.get('memory_gib', '?')} GiB and Linux {host['kernel']};"
        f" {data.get('source', 'linux-source-6.12')}, {data['qemu']}, guests with"
        f" {data['accelerator'].upper()}.{size(data['scale'])}"
        f" Command: {data['command']}"
    )


def size(scale: int) -> str:
    """Say so if this is not the full size."""
    return f" Run at 1/{scale} of the full size." if scale != 1 else ""


def table_lines(table: Table) -> Iterable[str]:
    """Yield the lines of a table, one for each row."""
    yield from (f".. csv-table:: {escape(table.caption)}", "   :header-rows: 1", "")
    for row in [table.head, *table.rows]:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(map(escape, row))
        yield f"   {line.getvalue()}"
    yield ""
