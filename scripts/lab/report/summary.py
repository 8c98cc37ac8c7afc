# SPDX-License-Identifier: GPL-2.0
"""One table of what several benchmarks compare: this library, stock, none.

It takes its figures from the tables of the benchmarks, so that none is computed
twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.report.section import Table

if TYPE_CHECKING:
    from lab.results.collect import Chapter

HEAD = ("what", "this library", "stock kernel", "no reporting", "command")
NOTHING = "–"


class SummaryError(Exception):
    """A benchmark has no such figure."""


@dataclass(frozen=True)
class Line:
    """What is compared, and where it is in the tables of a benchmark.

    The kernels are either rows, of which each has it in the same column, or
    columns, and it is in the row whose first cells are these.
    """

    benchmark: str
    what: str
    kernels: tuple[str | None, ...] = ("this library", "stock kernel", "no reporting")
    column: str = ""
    row: tuple[str, ...] = ()
    unit: str = ""

    def figures(self, table: Table) -> tuple[str, ...]:
        """Return the figure of each kernel."""
        return tuple(self.figure(table, kernel) for kernel in self.kernels)

    def figure(self, table: Table, kernel: str | None) -> str:
        """Return the figure of one kernel."""
        if kernel is None:
            return NOTHING
        first = self.row or (kernel,)
        column = self.column or kernel
        rows = [row for row in table.rows if row[: len(first)] == first]
        if len(rows) != 1 or column not in table.head:
            raise SummaryError(f"{self.benchmark}: no single '{column}' of {first}")
        value = rows[0][table.head.index(column)]
        return f"{value} {self.unit}" if self.unit and value[:1].isdigit() else value


FAULTS = ("this library", "stock kernel", "not built in")
XEN = ("with reporting", None, "without")
LINES = (
    Line("density", "guests of 5 GiB on a host of 15 GiB before it swaps",
         column="guests"),
    Line("density", "host memory that each of them keeps", column="kept by each"),
    Line("memhog", "swap of a host that runs three memhogs", column="swap"),
    Line("policy", "until 95 % of 3 GiB are back",
         row=("s until 95 % of 3072 MiB are back",), unit="s"),
    Line("policy", "given again, of a churn with gaps of 0.4 s",
         row=("% given again, churn with gaps of 0.4 s",), unit="%"),
    Line("build", "host memory over time while a guest compiles, GiB x min",
         column="GiB x min"),
    Line("build", "what the host had to give for that, GiB", column="given, GiB"),
    Line("build", "left at the host in the end, GiB", column="after drop"),
    Line("page_fault", "instructions per small page fault", FAULTS, "small pages"),
    Line("page_fault", "instructions per huge page fault", FAULTS, "huge pages"),
    Line("scale", "longest hold of zone->lock in a pass, 4 TiB, 1 % waiting",
         ("hold, ours", "hold, stock", None), row=("4096 GiB", "1 %", "spread")),
    Line("hold", "longest hold of zone->lock in a guest, by default",
         ("this library", "stock kernel", "no backend"), row=("9", "32")),
    Line("xen", "idle domains of 256 MiB on a host of 2 GiB", XEN, "domains"),
)  # fmt: skip


def table(chapters: list[Chapter]) -> Table:
    """Return the table of what the benchmarks that were run compare."""
    found = {chapter.name: chapter for chapter in chapters}
    rows = []
    for line in LINES:
        if line.benchmark in found:
            figures = line.figures(found[line.benchmark].section.tables[0])
            rows.append((line.what, *figures, f"make bench-{line.benchmark}"))
    return Table("What is compared", HEAD, rows)
