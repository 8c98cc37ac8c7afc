# SPDX-License-Identifier: GPL-2.0
"""Benchmark: what does a pass cost as memory grows, bitmap against list walk?

Runs tests/kunit/scale_bench.c on User Mode Linux: the tracker's own code and a
walk of the free list as in Linux 6.12, on the same synthetic zones.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from lab.base import paths
from lab.bench.guest import Bench, Result
from lab.bench.runner import SMOKE_SCALE, Benchmark, Measure, Results, Step, scale
from lab.guest.variants import Variant
from lab.kernel import kernels, kunit
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Line, Section, Table, verdict

CONFIG = "mm/page_reporting/tests/scale.kunitconfig"
UML = kernels.Kernel("scale", paths.TREE, "obj-scale", (), arch="um")
KUNIT = Variant("uml", "KUnit on UML", "scale", "")

SIZES = (1, 8, 64, 512, 1024, 4096)  # GiB
SECONDS = {1: 10, 8: 20, 64: 60, 512: 20, 1024: 40, 4096: 120}
TICKS = (1, 8, 64, 512, 4096)
FEW = 32  # blocks that wait, where the percentage is 0
MUCH_PERCENT = 50
DELAYS_MS = (2000, 100)  # of the stock kernel
SCAN_GIB = 1024
SCAN_GOAL_NS = 100_000
STOLEN_NS = 1_000_000
MEMORY = "6G"
GIVE_UP_SECONDS = 3000
LINE = re.compile(r"scale (way=.*)$", re.MULTILINE)
COLUMNS = (
    "way", "gib", "order", "percent", "spread", "first_ns", "total_ns", "hold_ns",
    "hold_entries", "passes", "blocks",
)  # fmt: skip

Row = dict[str, Any]

# What the short document says.
COMPARED = (
    Line("longest hold of zone->lock in a pass, 4 TiB, 1 % waiting",
         ("hold, ours", "hold, stock", None), row=("4096 GiB", "1 %", "spread")),
)  # fmt: skip


def measured() -> kernels.Kernel:
    """Return the kernel; to try, that of the suites does."""
    return kunit.UML if scale() >= SMOKE_SCALE else UML


def binary() -> Path:
    """Return the kernel, which is a program."""
    return measured().objects / "linux"


def build() -> None:
    """Build it."""
    kernel = measured()
    with paths.locked(kernel.name):
        if kernel is UML:
            code = kunit.build(UML, CONFIG)
        else:
            code = kunit.build_suites()
    if code:
        raise kernels.KernelError("the kernel of the benchmark has no .config")


def measuring(gib: int) -> Measure:
    """Return the measurement of one size."""

    def measure(_bench: Bench, _variant: Variant) -> Result:
        output = run_case(f"scale_{gib}_gib")
        found = [parse(line) for line in LINE.findall(output)]
        ended = re.search(rf"^\s*ok \d+ scale_{gib}_gib", output, re.MULTILINE)
        if not found or not ended:
            raise kernels.KernelError(f"KUnit failed:\n{output[-3000:]}")
        return {"columns": COLUMNS, "series": [list(row.values()) for row in found]}

    return measure


def run_case(case: str) -> str:
    """Run one case of the suite; return what the kernel prints."""
    command = [
        str(binary()), f"mem={MEMORY}", "console=tty", "kunit_shutdown=halt",
        f"kunit.filter_glob=page_reporting_scale.{case}",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=GIVE_UP_SECONDS,
        check=False,
    )
    return done.stdout


def parse(line: str) -> Row:
    """Return what a line of the suite says."""
    fields = dict(word.split("=") for word in line.split())
    way = fields.pop("way")
    return {"way": way, **{name: int(value) for name, value in fields.items()}}


def rows(results: Results) -> list[Row]:
    """Return all that was measured."""
    return [
        dict(zip(result["columns"], values))
        for result in results.values()
        for values in result["series"]
    ]


def select(everything: list[Row], **wanted: Any) -> list[Row]:
    """Return the rows with these values."""
    return [
        row for row in everything if all(row[key] == wanted[key] for key in wanted)
    ]


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show pass and lock hold over the size of memory, at the default order."""
    everything = rows(results)
    figure, (passes, holds) = panels(2)
    for way, label in (("walk", "stock list walk"), ("tracker", "this library")):
        for percent, line in ((1, "-"), (10, "--"), (50, ":")):
            chosen = sorted(
                select(everything, way=way, order=9, percent=percent, spread=0),
                key=lambda row: int(row["gib"]),
            )
            sizes = [row["gib"] for row in chosen]
            looks = {
                "color": SHADES["stock" if way == "walk" else "ours"],
                "linestyle": line, "marker": "o", "markersize": 3,
                "label": f"{label}, {percent} % wait",
            }  # fmt: skip
            passes.plot(sizes, [row["first_ns"] / 1e3 for row in chosen], **looks)
            holds.plot(sizes, [row["hold_ns"] / 1e3 for row in chosen], **looks)
    for axes, title in ((passes, "a pass (us)"), (holds, "longest lock hold (us)")):
        style(axes, f"{title}, blocks of 2 MiB")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.autoscale(axis="y")  # a logarithmic axis has no zero
        axes.set_xticks(TICKS, [f"{size} GiB" for size in TICKS])
    legend(passes, 2)
    return [save(figure, folder / f"{name}.png")]


def uml_files(_variant: Variant) -> list[Path]:
    """Return what is measured."""
    return [binary()]


def microseconds(ns: int) -> str:
    """Show a time with three digits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


def describe(results: Results) -> Section:
    """Say what came out."""
    everything = rows(results)
    tables = [
        Table(
            f"Blocks of order {order}: first pass, longest time under the lock, and"
            " list entries looked at in it; stock walk, then this library",
            ("zone", "wait", "list", "pass, stock", "pass, ours", "hold, stock",
             "hold, ours", "entries, stock", "entries, ours"),
            table_rows(everything, order),
        )
        for order in sorted({row["order"] for row in everything}, reverse=True)
    ]
    tables.append(delay_table(everything))
    ours = select(everything, way="tracker")
    sizes = ", ".join(f"{gib}" for gib in sorted({row["gib"] for row in everything}))
    return Section(
        title="Bitmap or list walk?",
        question=f"What a pass costs with up to {max(row['gib'] for row in everything)}"
        " GiB, as reviewers asked in 2019.",
        how="KUnit on User Mode Linux: the tracker's own code against a walk of the"
        " free list as Linux 6.12 does it, on the same list of stand-ins, one for the"
        " struct page at the head of each free block. Waiting blocks are at the front"
        " of the list or spread over it; the list is in random order in memory."
        f" Measured with zones of {sizes} GiB.",
        headline=(f"{max(row['hold_entries'] for row in ours)} entries",
                  "at most under zone->lock, at all sizes measured"),
        tables=tables,
        reading=scale_reading(everything),
        compared=COMPARED,
    )


def table_rows(everything: list[Row], order: int) -> list[tuple[str, ...]]:
    """Return the rows of the table of one order."""
    found: list[tuple[str, ...]] = []
    measured_here = select(everything, way="tracker", order=order)
    for ours in sorted(measured_here, key=lambda row: (row["gib"], row["percent"])):
        same = {key: ours[key] for key in ("gib", "order", "percent", "spread")}
        stock = select(everything, way="walk", **same)[0]
        found.append(
            (
                f"{ours['gib']} GiB",
                waiting(ours["percent"]),
                "spread" if ours["spread"] else "front",
                microseconds(stock["first_ns"]),
                microseconds(ours["first_ns"]),
                microseconds(stock["hold_ns"]),
                microseconds(ours["hold_ns"]),
                f"{stock['hold_entries']:,}",
                f"{ours['hold_entries']:,}",
            )
        )
    return found


def delay_table(everything: list[Row]) -> Table:
    """Return how long the walk takes in all, with its delay before each pass."""
    found = []
    chosen = select(everything, way="walk", order=9, percent=MUCH_PERCENT, spread=0)
    for row in sorted(chosen, key=lambda row: int(row["gib"])):
        same = {key: row[key] for key in ("gib", "order", "percent", "spread")}
        ours = select(everything, way="tracker", **same)[0]
        waits = [row["passes"] * delay * 1_000_000 for delay in DELAYS_MS]
        times = [microseconds(wait + row["total_ns"]) for wait in waits]
        cells = (f"{row['gib']} GiB", row["passes"], ours["passes"], *times)
        found.append(tuple(map(str, cells)))
    return Table(
        f"Blocks of 2 MiB, {MUCH_PERCENT} % of them waiting: passes until all is"
        " reported, and how long that takes the walk with a delay before each, the"
        " stock kernel's own or what its parameter is set to since Linux 7.3",
        ("zone", "passes, stock", "passes, ours",
         *(f"stock, {delay} ms delay" for delay in DELAYS_MS)),
        found,
    )


def waiting(percent: int) -> str:
    """Show how many blocks wait."""
    return f"{percent} %" if percent else f"{FEW} blocks"


def scale_reading(everything: list[Row]) -> list[str]:
    """Interpret the numbers."""
    largest = max(row["gib"] for row in everything)
    text = []
    for spread, where in ((0, "at the front of the list"), (1, "spread over it")):
        chosen = select(everything, gib=largest, order=9, percent=1, spread=spread)
        cost = {row["way"]: row for row in chosen}
        walk, tracker = cost["walk"], cost["tracker"]
        text.append(
            f"{largest} GiB, blocks of 2 MiB, 1 % of them waiting, {where}: the walk"
            f" holds the lock for {microseconds(walk['hold_ns'])} at a time"
            f" ({walk['hold_entries']:,} entries), the bitmap for"
            f" {microseconds(tracker['hold_ns'])} ({tracker['hold_entries']} entries)."
            f" To report all of it takes {microseconds(walk['total_ns'])} in"
            f" {walk['passes']} passes, against {microseconds(tracker['total_ns'])} in"
            f" {tracker['passes']}."
        )
    for row in select(
        everything, way="tracker", gib=SCAN_GIB, order=9, percent=0
    ):
        text.append(
            f"{SCAN_GIB} GiB of which {FEW} blocks of 2 MiB wait: a pass takes"
            f" {microseconds(row['first_ns'])}; at most {microseconds(SCAN_GOAL_NS)}:"
            f" {verdict(row['first_ns'] <= SCAN_GOAL_NS)}."
        )
    stolen = select(everything, way="tracker")
    if any(row["hold_ns"] >= STOLEN_NS for row in stolen):
        text.append(
            "Holds of this library of a millisecond and more have no more entries than"
            " the others, so what they took besides is not of the tracker: most likely"
            " the host took the processor from User Mode Linux. Large zones are"
            " measured once, others three times, of which the best counts."
        )
    slower = [
        row
        for row in select(everything, way="tracker")
        if row["total_ns"]
        > select(
            everything, way="walk",
            **{key: row[key] for key in ("gib", "order", "percent", "spread")},
        )[0]["total_ns"]
    ]
    text.append(
        f"To report everything, the bitmap took longer than the walk in {len(slower)}"
        f" of {len(everything) // 2} cases: where much waits, and so little is skipped,"
        " handling what is found is all there is to pay. The walk pays with the lock."
    )
    pages = [row["gib"] for row in select(everything, order=0)]
    if pages and max(pages) < largest:
        text.append(
            f"With blocks of one page, zones above {max(pages)} GiB were not measured:"
            " the stand-ins do not fit into memory, and a tracker would take a"
            " thousandth of it."
        )
    return text


def steps() -> list[Step]:
    """Return all steps."""
    return [
        Step(f"scale-{gib}", SECONDS[gib], measuring(gib), (KUNIT,), uml_files)
        for gib in SIZES
    ]


BENCHMARK = Benchmark("scale", steps, draw, describe, build)
