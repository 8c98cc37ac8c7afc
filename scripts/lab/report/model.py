# SPDX-License-Identifier: GPL-2.0
"""What a report consists of, and where the results are kept that it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.base import paths
from lab.report.section import Section

FOLDER = paths.ROOT / "tests" / "bench" / "results"
IMAGES = paths.ROOT / "Documentation" / "images"


@dataclass(frozen=True)
class Shelf:
    """Where the results with one kernel are kept, and which steps they have to have.

    Without steps these are all steps of all benchmarks, at full size.
    """

    source: str
    steps: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def part(self) -> str:
        """How a kernel besides the default one is told from it in names."""
        return "" if self.source == paths.SOURCES[0] else self.source

    @property
    def folder(self) -> Path:
        """Where the numbers are."""
        return FOLDER / self.part

    def picture(self, name: str) -> Path:
        """Return where a picture is kept that the report calls so."""
        return IMAGES / "-".join(filter(None, ("bench", self.part, name)))

    def wants(self, name: str) -> bool:
        """Tell whether results of a benchmark are kept."""
        return not self.steps or name in self.steps

    def takes(self, scale: int) -> bool:
        """Tell whether results of this size are kept."""
        return scale == 1 or bool(self.steps)

    def needs(self, name: str, step: str) -> bool:
        """Tell whether a step of a benchmark has to have been done."""
        steps = self.steps.get(name)
        return not steps or step in steps


@dataclass(frozen=True)
class Chapter:
    """A benchmark that was run: its report, what it says, its pictures.

    @wanted are the results that it has to have.
    """

    name: str
    path: Path
    data: dict[str, Any]
    section: Section
    pictures: list[Path]
    shelf: Shelf
    wanted: frozenset[str] = frozenset()

    @property
    def kept(self) -> bool:
        """Was it run elsewhere, and only its results are here?"""
        return self.path.parent == self.shelf.folder

    @property
    def missing(self) -> list[str]:
        """Which steps were not done."""
        return sorted(self.wanted - set(self.data["results"]))

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

    def image(self, picture: Path) -> Path:
        """Return where a picture is kept, whose name has the size of the run."""
        if picture.parent == IMAGES:
            return picture
        return self.shelf.picture(picture.name.replace(self.path.stem, self.name, 1))
