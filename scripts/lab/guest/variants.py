# SPDX-License-Identifier: GPL-2.0
"""The kernels that the demo and the benchmarks compare."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.base import paths


@dataclass(frozen=True)
class Variant:
    """A guest: its kernel with that one's parameters, its balloon, what to call it."""

    name: str
    label: str
    kernel: str
    balloon: str
    append: str = ""


REPORTING = "free-page-reporting=on"
DELAY = "page_reporting.page_reporting_delay_ms"

OURS = Variant("ours", "this library", "ours", REPORTING)
STOCK = Variant("stock", "stock kernel", "stock", REPORTING)
NONE = Variant("none", "no reporting", "stock", "free-page-reporting=off")

# What a user does who wants memory back sooner from the stock kernel: change the delay
# and build another one; since Linux 7.3, give a parameter.
STOCK250 = Variant("stock250", "stock, 250 ms delay", "stock250", REPORTING)
STOCK100 = Variant(
    "stock100", "stock, 100 ms delay", "stock", REPORTING, f"{DELAY}=100"
)
SOONER = STOCK250 if paths.SOURCE == "6.12" else STOCK100

ALL = (OURS, STOCK, SOONER, NONE)
# What needs no kernel of its own.
DEMO = tuple(variant for variant in ALL if variant.kernel in ("ours", "stock"))
# On User Mode Linux there is no balloon, and the command line is the host's word.
DEMO_UML = (
    Variant("ours", "this library", "uml", "", "uml_page_reporting=on"),
    Variant("none", "no reporting", "uml", "", "uml_page_reporting=off"),
)

# The stock kernel as users get it, with what they can set.
STOCKS = tuple(v for v in DEMO if v.kernel == STOCK.kernel and v is not NONE)

# What there are results of, with whichever source.
KNOWN = (OURS, STOCK, STOCK250, STOCK100, NONE)


def measured(
    results: Iterable[str], variants: tuple[Variant, ...] = KNOWN
) -> tuple[Variant, ...]:
    """Return the variants of which there are results, in their order."""
    names = {key.rpartition("/")[2] for key in results}
    return tuple(variant for variant in variants if variant.name in names)
