# SPDX-License-Identifier: GPL-2.0
"""Which results are kept in the repository.

With the default kernel, those of all benchmarks at full size.  With another one, what
tells how far its stock side has come, at the size that it was run at, beside what
`make demo` has found: the rest of this library is the same there.
"""

from __future__ import annotations

from lab.base import paths
from lab.report.model import Shelf

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
DEFAULT, *OTHERS = SHELVES.values()
