# SPDX-License-Identifier: GPL-2.0
"""How far the reporting of a newer Linux has come, from what was measured on it.

Compares the stock kernel that is the default here with the newer one, with its own
delay and with the shortest that is tried, and with this library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.bench import fault, scale
from lab.bench.runner import Results
from lab.guest.variants import OURS, STOCK, STOCK100
from lab.report.section import Section, Table, show

GAPS = (0.4, 1.0)
FREED = "return-3072"
ASKED = "flush-3072"
NEWER = (STOCK, STOCK100, OURS)


@dataclass(frozen=True)
class Sides:
    """What is compared: the versions, and the results of each by benchmark."""

    older: str
    newer: str
    old: dict[str, Results]
    new: dict[str, Results]
    demo: dict[str, Any]

    def policy(self, step: str, key: str) -> list[float | None]:
        """Return a value of a step: the older stock kernel, then the newer side."""
        old = self.old["policy"].get(f"{step}/{STOCK.name}", {}).get(key)
        results = self.new["policy"]
        return [old, *(results.get(f"{step}/{v.name}", {}).get(key) for v in NEWER)]

    def demo_seconds(self) -> dict[str, float | None]:
        """Return by variant after how long 95 % were back in the demo."""
        return {run["name"]: run["almost_back"] for run in self.demo["runs"]}

    def returned(self) -> list[float | None]:
        """Return after how long 95 % of 3 GiB are back: the demo, at full size."""
        old = self.old["policy"].get(f"{FREED}/{STOCK.name}", {}).get("seconds_95")
        seconds = self.demo_seconds()
        return [old, *(seconds[variant.name] for variant in NEWER)]

    def faults(self, mode: str) -> list[float | None]:
        """Return how many more instructions a fault takes than without, in percent."""
        old = fault.extra_percent(self.old["page_fault"], STOCK.name, mode)
        results = self.new["page_fault"]
        return [
            old, *(fault.extra_percent(results, v.name, mode) for v in NEWER)
        ]  # fmt: skip

    def entries(self) -> list[float | None]:
        """Return how many list entries are looked at in one go, at most."""
        found = []
        for results, way in (
            (self.old, "walk"), (self.new, "walk"), (self.new, "tracker"),
        ):  # fmt: skip
            rows = scale.select(scale.rows(results["scale"]), way=way)
            found.append(float(max(row["hold_entries"] for row in rows)))
        older, newer, ours = found
        return [older, newer, newer, ours]


def rows(sides: Sides) -> list[tuple[str, list[float | None], str]]:
    """Return what is compared: what it is, the values, how to show one."""
    found = [("s until 95 % of 3 GiB are back", sides.returned(), ".2f")]
    if "policy" in sides.new:
        found += [
            (f"% of a churn given again, gaps of {gap:g} s",
             sides.policy(f"churn-{gap:g}", "learned_percent"), ".1f")
            for gap in GAPS
        ] + [
            ("s until 95 % are back that were asked for",
             sides.policy(ASKED, "seconds_95"), ".2f"),
            ("% back when the guest says that it is done",
             sides.policy(ASKED, "percent_done"), ".0f"),
        ]  # fmt: skip
    if "page_fault" in sides.new:
        found += [
            (f"% more instructions a fault, {fault.TITLES[mode]}",
             sides.faults(mode), "+.3f")
            for mode in ("4k", "2m")
        ]  # fmt: skip
    if "scale" in sides.new:
        what = "entries looked at under zone->lock, at most"
        found.append((what, sides.entries(), ",.0f"))
    return found


def describe(sides: Sides) -> Section:
    """Say what came out."""
    seconds = sides.returned()[1]
    return Section(
        title=f"How far has upstream come? Linux {sides.newer}",
        question=f"The reporting of Linux {sides.newer} itself, with its default delay"
        " and with a delay of 100 ms, which it has a parameter for.",
        how=f"The stock kernel's own reporting in Linux {sides.newer}, with its default"
        " delay and with a parameter of 100 ms, beside that of Linux"
        f" {sides.older} and this library: `make demo` and small runs of benchmarks."
        " Shares and counts hold for any size, times are of emulated guests.",
        headline=(f"{show(seconds, '.1f')} s", f"stock {sides.newer}: 95 % of 3 GiB"),
        tables=[table(sides)],
        reading=reading(sides),
    )


def table(sides: Sides) -> Table:
    """Return all that is compared."""
    found: list[tuple[str, ...]] = [
        (what, *(show(value, form) for value in values))
        for what, values, form in rows(sides)
    ]
    head = (
        "measured",
        f"stock {sides.older}",
        f"stock {sides.newer}",
        f"stock {sides.newer}, 100 ms delay",
        f"this library on {sides.newer}",
    )
    return Table(f"Linux {sides.older} and {sides.newer}", head, found)


def after(value: float | None) -> str:
    """Say when something was so, if it ever was."""
    return "not while it was watched" if value is None else f"after {value:.2f} s"


def reading(sides: Sides) -> list[str]:
    """Interpret the numbers."""
    of_each = {
        "policy": (churn_reading, flush_reading),
        "page_fault": (fault_reading,),
        "scale": (walk_reading,),
    }
    return [
        news(sides),
        return_reading(sides),
        *(say(sides) for name in sides.new for say in of_each.get(name, ())),
    ]


def news(sides: Sides) -> str:
    """Say what is new: this is from its source."""
    return (
        f"What {sides.newer} has that {sides.older} has not: the delay is a parameter,"
        " a driver says how many entries its queue has, of which 32 are used at most,"
        " and an order of 0 is one. The walk along the free list is the same."
    )


def walk_reading(sides: Sides) -> str:
    """Say what a pass looks at."""
    old, new, _, ours = (show(value, ",.0f") for value in sides.entries())
    return (
        f"The walk looks at {new} entries under the lock at most, at {old} with"
        f" {sides.older}, and this library at {ours}."
    )


def return_reading(sides: Sides) -> str:
    """Say when memory is back."""
    old, new, sooner, ours = map(after, sides.returned())
    return (
        f"95 % of 3 GiB are back {new} with the default delay of {sides.newer}, {old}"
        f" with that of {sides.older}, {sooner} with 100 ms, and {ours} with this"
        " library, which waits for half a second on purpose."
    )


def churn_reading(sides: Sides) -> str:
    """Say what a shorter delay costs."""
    values = sides.policy(f"churn-{GAPS[0]:g}", "learned_percent")
    _, new, sooner, ours = (show(value, ".1f") for value in values)
    return (
        f"What that costs: of memory that is used again after {GAPS[0]:g} s the host"
        f" has to give {new} % again with the default delay, {sooner} % with 100 ms,"
        f" and {ours} % with this library, which retains what it expects to be used"
        " again."
    )


def flush_reading(sides: Sides) -> str:
    """Say what asking brings."""
    _, new, sooner, ours = map(after, sides.policy(ASKED, "seconds_95"))
    done = (show(value, ".0f") for value in sides.policy(ASKED, "percent_done"))
    _, new_done, sooner_done, ours_done = done
    return (
        f"Nothing of {sides.newer} is like a flush. A delay of 0, written when memory"
        f" is wanted, has 95 % back {new} where the default delay was in force and"
        f" {sooner} where 100 ms were; the write itself returns with {new_done} % and"
        f" {sooner_done} % back. A flush of this library returns with {ours_done} %"
        f" back, and 95 % are {ours}."
    )


def fault_reading(sides: Sides) -> str:
    """Say what a page fault costs."""
    old, new, sooner, ours = (show(value, "+.3f") for value in sides.faults("4k"))
    return (
        f"A fault of a small page takes {new} % instructions with {sides.newer},"
        f" {sooner} % with 100 ms, {ours} % with this library on it, and {old} % with"
        f" {sides.older}, compared with the same kernel without reporting."
    )
