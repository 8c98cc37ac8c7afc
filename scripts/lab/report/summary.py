# SPDX-License-Identifier: GPL-2.0
"""One table of what several benchmarks compare: this library, stock, none.

It takes its figures from the tables of the benchmarks, so that none is computed
twice.
"""

from __future__ import annotations

from lab.report.model import Chapter
from lab.report.section import Table

HEAD = ("what", "this library", "stock kernel", "no reporting", "command")


def table(chapters: list[Chapter]) -> Table:
    """Return the table of what the benchmarks that were run compare."""
    rows = [
        (line.what, *line.figures(each.section.tables[0]), f"make bench-{each.name}")
        for each in chapters
        for line in each.section.compared
    ]
    return Table("What is compared", HEAD, rows)
