# SPDX-License-Identifier: GPL-2.0
"""The report as a document of the kernel's documentation."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill
from typing import TYPE_CHECKING

from lab.bench_section import Table

if TYPE_CHECKING:
    from lab.bench_report import Chapter

WIDTH = 78


def document(chapters: list[Chapter]) -> str:
    """Return the whole document."""
    title = "Free page reporting: measurements"
    lines = [
        ".. SPDX-License-Identifier: GPL-2.0",
        '.. Written by "make report KEEP=1" from results, changes are lost.',
        "",
        "=" * len(title),
        title,
        "=" * len(title),
        "",
        *paragraph(
            "The results of the last run of every benchmark at full size. The kernels"
            " have the same configuration; \"this library\" is the tree of this"
            " repository, \"stock kernel\" is unmodified Linux 6.12, and \"no"
            " reporting\" the stock kernel with a device that does not offer it."
        ),
    ]
    for chapter in chapters:
        lines += body(chapter)
    return "\n".join(lines).rstrip() + "\n"


def paragraph(text: str) -> list[str]:
    """Return a paragraph, filled, and an empty line."""
    return [fill(escape(text), WIDTH, break_on_hyphens=False), ""]


def escape(text: str) -> str:
    """Keep the text from being markup."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("_ ", "\\_ ")


def body(chapter: Chapter) -> Iterable[str]:
    """Yield the lines of a benchmark."""
    section = chapter.section
    yield from (section.title, "=" * len(section.title), "")
    yield from paragraph(section.how)
    for picture in chapter.pictures:
        yield from (f".. image:: ../images/bench-{picture.name}",
                    f"   :alt: {section.question}", "")
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
        f" {data['qemu']}, guests with {data['accelerator'].upper()}."
        f" Command: {data['command']}"
    )


def table_lines(table: Table) -> Iterable[str]:
    """Yield the lines of a table."""
    yield from (f".. list-table:: {escape(table.caption)}", "   :header-rows: 1", "")
    for row in [table.head, *table.rows]:
        for number, cell in enumerate(row):
            start = "* -" if number == 0 else "  -"
            yield f"   {start} {escape(cell)}".rstrip()
    yield ""
