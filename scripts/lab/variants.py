# SPDX-License-Identifier: GPL-2.0
"""The kernels that the demo and the benchmarks compare."""

from __future__ import annotations

from dataclasses import dataclass

from lab import paths


@dataclass(frozen=True)
class Variant:
    """A guest: its kernel with that one's parameters, its balloon, what to call it."""

    name: str
    label: str
    kernel: str
    balloon: str
    append: str = ""


REPORTING = "free-page-reporting=on"

OURS = Variant("ours", "this library", "ours", REPORTING)
STOCK = Variant("stock", "stock kernel", "stock", REPORTING)
NONE = Variant("none", "no reporting", "stock", "free-page-reporting=off")

# What a user does who wants memory back sooner from the stock kernel: change the delay
# and build another one; since Linux 7.3, give a parameter.
if paths.SOURCE == "6.12":
    SOONER = Variant("stock250", "stock, 250 ms delay", "stock250", REPORTING)
else:
    DELAY = "page_reporting.page_reporting_delay_ms=100"
    SOONER = Variant("stock100", "stock, 100 ms delay", "stock", REPORTING, DELAY)

ALL = (OURS, STOCK, SOONER, NONE)
# What needs no kernel of its own.
DEMO = tuple(variant for variant in ALL if variant.kernel in ("ours", "stock"))
