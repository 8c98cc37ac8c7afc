# SPDX-License-Identifier: GPL-2.0
"""The report as two documents: a short one for the kernel's, and all of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from textwrap import fill
from typing import TYPE_CHECKING

from lab import bench_summary
from lab.bench_section import Table

if TYPE_CHECKING:
    from lab.bench_report import Chapter

WIDTH = 78
TITLE = "Free page reporting: measurements"
ALL = "tests/bench/results/details.rst"

KERNELS = (
    "The kernels have the same configuration; \"this library\" is the tree of this"
    " repository, \"stock kernel\" is unmodified Linux 6.12, and \"no reporting\" the"
    " stock kernel with a device that does not offer it."
)
# What holds for every figure.
CAVEAT = (
    "All guests were emulated on a machine with two processors. Times are those of"
    " slow guests, so counts, amounts of memory and instructions mean more. Behind a"
    " ± is how far the boots of a kernel differ."
)


def summary(chapters: list[Chapter]) -> str:
    """Return the short document: one table, and what each benchmark says first."""
    lines = [*head(TITLE), *paragraph(f"What the benchmarks say in short. {KERNELS}")]
    lines += [*paragraph(CAVEAT), *table_lines(bench_summary.table(chapters))]
    for chapter in chapters:
        lines += outline(chapter)
    lines += [
        *paragraph(
            f"All figures, with the machine and the versions, are in {ALL} of the"
            " repository that this comes from; its make targets measure them anew."
        )
    ]
    return "\n".join(lines).rstrip() + "\n"


def details(chapters: list[Chapter]) -> str:
    """Return the whole report."""
    lines = [*head(f"{TITLE} in full"), *paragraph(KERNELS)]
    for chapter in chapters:
        lines += body(chapter)
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
        yield from (f".. image:: {folder}/{picture.name}",
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


def body(chapter: Chapter) -> Iterable[str]:
    """Yield the lines of a benchmark in the whole report."""
    section = chapter.section
    yield from titled(chapter, "../../../Documentation/images")
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
        f" {data['accelerator'].upper()}."
        f" Command: {data['command']}"
    )


def table_lines(table: Table) -> Iterable[str]:
    """Yield the lines of a table, one for each row."""
    yield from (f".. csv-table:: {escape(table.caption)}", "   :header-rows: 1", "")
    for row in [table.head, *table.rows]:
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(map(escape, row))
        yield f"   {line.getvalue()}"
    yield ""
