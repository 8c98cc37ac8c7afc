# SPDX-License-Identifier: GPL-2.0
"""Which results are kept in the repository, and where.

With the default kernel, those of all benchmarks at full size.  With another one, what
tells how far its stock side has come, at the size that it was run at, beside what
`make demo` has found: the rest of this library is the same there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lab.base import paths
from lab.bench.runner import Benchmark, Task, all_tasks

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

    def tasks(self, benchmark: Benchmark) -> list[Task]:
        """Return what has to have been done of a benchmark."""
        steps = self.steps.get(benchmark.name)
        every = all_tasks(benchmark)
        return [task for task in every if not steps or task.step.name in steps]


SHELVES = {
    shelf.source: shelf
    for shelf in (
        Shelf("6.12"),
        Shelf(
            "7.3",
            {
                "policy": ("churn-0.4", "churn-1", "flush-3072"),
                "page_fault": ("count-1", "count-2"),
                "scale": (),
            },
        ),
    )
}
HERE = SHELVES[paths.SOURCE]
