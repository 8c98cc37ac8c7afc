# SPDX-License-Identifier: GPL-2.0
"""Benchmark: how many guests fit on a host before it swaps?

Guests of 5 GiB touch 4 GiB each, one after the other, on a host limited to
15 GiB of memory and 4 GiB of swap.  The one that makes the host use swap is not
counted.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab.bench.guest import Bench, Result
from lab.bench.host import HOST_MIB, SWAP_MIB, UNMERGED, VARIANTS
from lab.bench.runner import SMOKE_SCALE, Benchmark, Results, Step
from lab.guest.host_limit import HostLimit
from lab.guest.variants import OURS, Variant
from lab.guest.vm import Vm, kernel_image
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Line, Section, Table, verdict

GUEST_MIB = 5120
TOUCH_MIB = 4096
CAP = 40
SMOKE_CAP = 4

# What the short document says.
COMPARED = (
    Line("guests of 5 GiB on a host of 15 GiB before it swaps", column="guests"),
    Line("host memory that each of them keeps", column="kept by each"),
)


def cap(bench: Bench) -> int:
    """Return at how many guests to stop."""
    return CAP if bench.scale < SMOKE_SCALE else SMOKE_CAP


def density(bench: Bench, variant: Variant) -> Result:
    """Start guests until the host swaps, or there are enough."""
    series: list[tuple[int, float, int, float, int]] = []
    start = time.monotonic()
    with ExitStack() as stack:
        host = stack.enter_context(
            HostLimit(bench.mib(HOST_MIB), bench.mib(SWAP_MIB))
        )
        guests: list[Vm] = []
        while len(series) < cap(bench) and not (series and series[-1][3]):
            number = len(series) + 1
            guest = stack.enter_context(small_guest(bench, variant, host, number))
            guests.append(guest)
            guest.run(f"touch-free {bench.mib(TOUCH_MIB)}", 600)
            at = round(time.monotonic() - start, 1)
            used, swap = host.memory_used_mib(), host.swap_used_mib()
            series.append((number, at, used, swap, guest.rss_kib() // 1024))
            print(
                f"    guest {number}: the host has {used} MiB in use and"
                f" {swap} MiB in swap",
                flush=True,
            )
        # a process that was killed has no memory
        killed = sum(guest.rss_kib() == 0 for guest in guests)
    swapped = series[-1][3] > 0
    return {
        "guests": len(series) - swapped,
        "stopped_at_cap": not swapped,
        "swap_mib": series[-1][3],
        "killed": killed,
        "seconds": series[-1][1],
        "guest_mib": bench.mib(GUEST_MIB),
        "touch_mib": bench.mib(TOUCH_MIB),
        "host_mib": bench.mib(HOST_MIB),
        "host_swap_mib": bench.mib(SWAP_MIB),
        "columns": ["guests", "seconds", "used_mib", "swap_mib", "newest_mib"],
        "series": series,
    }


def small_guest(bench: Bench, variant: Variant, host: HostLimit, number: int) -> Vm:
    """Return a guest to boot on the limited host."""
    return Vm(
        kernel_image(variant.kernel),
        name=f"bench-density{number}-{variant.name}",
        accel=bench.accel,
        memory=f"{bench.mib(GUEST_MIB)}M",
        cpus=1,
        balloon=variant.balloon,
        arguments=UNMERGED,
        wrapper=host.wrapper(),
    )


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show the memory in use as guests are started, one curve a kernel."""
    figure, (axes,) = panels(1)
    for variant in reversed(VARIANTS):
        result = results.get(f"density/{variant.name}")
        if result:
            draw_run(axes, variant, result)
    limit = max(result["host_mib"] for result in results.values()) / 1024
    axes.axhline(limit, color=SHADES["none"], linewidth=1, linestyle=(0, (4, 3)))
    style(axes, "memory and swap in use (GiB) as guests are started")
    axes.set_xlabel("guests that have touched and freed their memory")
    legend(axes, len(VARIANTS))
    return [save(figure, folder / f"{name}.png")]


def draw_run(axes: Any, variant: Variant, result: Result) -> None:
    """Draw one curve; where it ends the host swaps, or there are enough."""
    guests = [row[0] for row in result["series"]]
    used = [(row[2] + row[3]) / 1024 for row in result["series"]]
    label = f"{variant.label}: {result['guests']}"
    label += " or more" if result["stopped_at_cap"] else ""
    axes.plot(guests, used, "o-", markersize=4, color=SHADES[variant.name],
              label=label)


def kept_mib(result: Result) -> int | None:
    """Return what each further guest keeps of the host, before it swaps."""
    rows: list[list[float]] = [row for row in result["series"] if not row[3]]
    if len(rows) < 2:
        return None
    return round((rows[-1][2] - rows[0][2]) / (len(rows) - 1))


def guests_text(result: Result) -> str:
    """Show how many guests fit."""
    return f"{result['guests']}" + (" or more" if result["stopped_at_cap"] else "")


def describe(results: Results) -> Section:
    """Say what came out."""
    runs = {v: results[f"density/{v.name}"] for v in VARIANTS
            if f"density/{v.name}" in results}
    one = next(iter(runs.values()))
    rows: list[tuple[str, ...]] = [
        (
            variant.label,
            guests_text(run),
            f"{kept_mib(run) or '–'} MiB",
            f"{run['swap_mib']:.0f} MiB",
            f"{run['seconds'] / run['series'][-1][0]:.0f} s",
        )
        for variant, run in runs.items()
    ]
    rows += [(f"2019: {name}", count, "", swap, "") for name, count, swap in PUBLISHED]
    return Section(
        title="How many guests fit on a host before it swaps?",
        question="Guests that used much memory once, one after the other.",
        how=f"Guests of {one['guest_mib']} MiB and 1 virtual CPU are started one by one"
        f" on a host limited to {one['host_mib']} MiB with {one['host_swap_mib']} MiB"
        f" of swap. Each touches {one['touch_mib']} MiB, ends the program, and stays"
        " up. The first guest with which the host uses swap is not counted.",
        headline=(
            guests_text(runs[OURS]) if OURS in runs else "–",
            f"guests of {one['guest_mib'] / 1024:g} GiB on"
            f" {one['host_mib'] / 1024:g} GiB",
        ),
        tables=[
            Table(
                "Guests that fit",
                ("kernel", "guests", "kept by each", "swap then", "time per guest"),
                rows,
            )
        ],
        reading=density_reading({v.name: run for v, run in runs.items()}),
        compared=COMPARED,
    )


# The cover letters of versions 11 and 12 of the 2019 series.
PUBLISHED = (
    ("no reporting", "2", "2.5 GB"),
    ("free page hinting v11", "6", "26 MB"),
    ("free page hinting v12", "7", ""),
)
WANTED = 30


def density_reading(runs: Results) -> list[str]:
    """Interpret the numbers."""
    text = []
    if "ours" in runs:
        ours = runs["ours"]
        text.append(
            f"With this library {guests_text(ours)} guests fit. The goal at full size"
            f" was {WANTED}: {verdict(ours['guests'] >= WANTED)}."
        )
        if ours["stopped_at_cap"]:
            text.append("The benchmark stops there; how many more would fit is open.")
    if runs.get("stock", {}).get("guests", 0) > WANTED:
        text.append(
            "Time is on the side of the stock kernel here: until the next guest is up"
            " and has touched its memory, the reports of the one before are done. It"
            f" had {runs['stock']['seconds'] / runs['stock']['series'][-1][0]:.0f} s"
            " for each guest; with faster guests its delay would count for more."
        )
    if any(run["killed"] for run in runs.values()):
        killed = ", ".join(name for name, run in runs.items() if run["killed"])
        text.append(f"Memory and swap together did not suffice in the end: {killed}.")
    text.append(
        "What a guest keeps is its kernel, the kernel's own tables, the page"
        " fragments that are too small to be reported, and QEMU itself."
    )
    return text


def steps() -> list[Step]:
    """Return all steps."""
    return [Step("density", 1000, density, VARIANTS)]


BENCHMARK = Benchmark("density", steps, draw, describe)
