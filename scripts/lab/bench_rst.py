# SPDX-License-Identifier: GPL-2.0
"""The report as a document of the kernel's documentation.

Each chapter begins with a comment that names its benchmark, so that one can be
written anew while the others stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from textwrap import fill
from typing import TYPE_CHECKING

from lab.bench_section import Table

if TYPE_CHECKING:
    from lab.bench_report import Chapter

WIDTH = 78


def chapters_of(text: str) -> dict[str, str]:
    """Return the chapters of a document, by benchmark."""
    parts = re.split(r"^\.\. benchmark: (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def document(
    names: Iterable[str], chapters: list[Chapter], before: dict[str, str]
) -> str:
    """Return the whole document; what was not run again is as before."""
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
    new = {chapter.name: "\n".join(body(chapter)) for chapter in chapters}
    have = before | new
    for name in (name for name in names if name in have):
        lines += [f".. benchmark: {name}", "", have[name].strip(), ""]
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
        name = picture.name.removeprefix("bench-")
        yield from (f".. image:: ../images/bench-{name}",
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
        f" {data.get('source', 'linux-source-6.12')}, {data['qemu']}, guests with"
        f" {data['accelerator'].upper()}."
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
