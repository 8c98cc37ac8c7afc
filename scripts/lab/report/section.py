# SPDX-License-Identifier: GPL-2.0
"""What a benchmark says in the report, whatever the report looks like.

Every figure in it comes from the results, but for published ones, which are
given with their source.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """A table: its caption, the names of its columns, and the rows."""

    caption: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Section:
    """A benchmark in the report.

    The headline is one figure and what it is.
    """

    title: str
    question: str
    how: str
    headline: tuple[str, str]
    tables: list[Table]
    reading: list[str] = field(default_factory=list)


def show(value: float | None, form: str = ".1f", missing: str = "–") -> str:
    """Show a number, or that there is none."""
    return missing if value is None else format(value, form)


def verdict(reached: bool) -> str:
    """Say whether a goal was reached."""
    return "reached" if reached else "missed"
