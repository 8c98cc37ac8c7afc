# SPDX-License-Identifier: GPL-2.0
"""What a benchmark says in the report, whatever the report looks like.

Every figure in it comes from the results, but for published ones, which are
given with their source.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """A table: its caption, the names of its columns, and the rows."""

    caption: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


class ComparisonError(Exception):
    """A benchmark has no such figure."""


@dataclass(frozen=True)
class Line:
    """What is compared, and where it is in the tables of a benchmark.

    The kernels are either rows, of which each has it in the same column, or
    columns, and it is in the row whose first cells are these.
    """

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
            raise ComparisonError(f"{self.what}: no single '{column}' of {first}")
        value = rows[0][table.head.index(column)]
        return f"{value} {self.unit}" if self.unit and value[:1].isdigit() else value


@dataclass(frozen=True)
class Section:
    """A benchmark in the report.

    The headline is one figure and what it is; @compared is in the first table.
    """

    title: str
    question: str
    how: str
    headline: tuple[str, str]
    tables: list[Table]
    reading: list[str] = field(default_factory=list)
    compared: tuple[Line, ...] = ()


def show(value: float | None, form: str = ".1f", missing: str = NOTHING) -> str:
    """Show a number, or that there is none."""
    if value is None:
        return missing
    text = format(value, form)
    # What is nothing when it is rounded has no sign.
    return text if any(digit in text for digit in "123456789") else text.lstrip("-")


def verdict(reached: bool) -> str:
    """Say whether a goal was reached."""
    return "reached" if reached else "missed"
