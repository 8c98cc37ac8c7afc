# SPDX-License-Identifier: GPL-2.0
"""Benchmark: for how long does reporting hold zone->lock at a time?

Whoever takes zone->lock has interrupts off, so every span without interrupts is
measured, and charged to the function that ends it.  The kernel does that itself,
with histograms of its events for interrupts that go off and on.  Functions of
this library that are called in one place are kept from being inlined for it.

The emulator makes the clock count instructions, one a nanosecond, so that the
load of the host does not show.  One virtual CPU, hence nobody to wait for.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.bench import own_kernels
from lab.bench.guest import SYSFS, Bench, Result, start_program, wait_output
from lab.bench.runner import Benchmark, Measure, Results, Step
from lab.guest import image
from lab.guest.variants import Variant
from lab.guest.vm import Guest, Vm, VmError, kernel_image
from lab.kernel.kernels import KernelError
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Line, Section, Table, show, verdict

MODULE = "null_backend"
OURS = Variant("ours", "this library", own_kernels.IRQSOFF.name, "")
OFF = Variant("off", "no backend", own_kernels.IRQSOFF.name, "")
STOCK = Variant(
    "stock", "stock kernel", own_kernels.STOCK_IRQSOFF.name, "free-page-reporting=on"
)

ORDERS = (9, 5, 0)
CAPACITIES = (32, 256, 1024)
GOAL_NS = 100_000
# What memory lies where makes a difference.  The smallest batch may be less than
# what is done in a hold, so it does not count for this.
CONSTANT = 1.5

MIB = 1024
SPARE_MIB = 1024  # free all the time
# The stock kernel begins after two seconds, and takes some more.
STOCK_SECONDS = 40
PATIENCE_SECONDS = 1200

LAYOUTS = {
    "whole": "memory free in large pieces",
    "scattered": "memory free in single pages",
    "poisoned": "a page poisoned while it is being reported",
}

EVENTS = "/sys/kernel/tracing/events"
SPAN = "u64 ns; s32 caller; s32 parent"
# The longest span of each function, made of the times of two events.
TRIGGERS = {
    "synthetic/irqs_off":
        "hist:keys=caller,parent:longest=ns:onmax($longest).save(ns)",
    "preemptirq/irq_disable":
        "hist:keys=common_cpu:begin=common_timestamp",
    "preemptirq/irq_enable":
        "hist:keys=common_cpu:span=common_timestamp-$begin"
        ":onmatch(preemptirq.irq_disable).irqs_off($span,caller_offs,parent_offs)",
}  # fmt: skip
ENTRY = re.compile(r"caller:\s*(\d+), parent:\s*(\d+) \}.*\n\s*max:\s*(\d+)")

LIBRARY = re.compile("fpr_|page_reporting_")
WRAPPER = re.compile("_raw_")

Spans = dict[str, int]  # the longest of each function, in nanoseconds
Row = dict[str, Any]

# What the short document says.
COMPARED = (
    Line("longest hold of zone->lock in a guest, by default",
         ("this library", "stock kernel", "no backend"), row=("9", "32")),
)  # fmt: skip


class Symbols:
    """The functions of a kernel, by their distance from its first one."""

    def __init__(self, system_map: Path) -> None:
        found = [line.split() for line in system_map.read_text("utf-8").splitlines()]
        text = {name: int(at, 16) for at, kind, name in found if kind in "tT"}
        start = text["_stext"]
        self._functions = sorted((at - start, name) for name, at in text.items())
        self._places = [at for at, _ in self._functions]

    def name(self, offset: int) -> str:
        """Return the name of the function that is there."""
        place = bisect_right(self._places, offset) - 1
        if place < 0 or offset >> 31:
            return "a module"
        return self._functions[place][1].partition(".")[0]


class Watch:
    """Measures how long interrupts are off in a guest."""

    def __init__(self, guest: Guest, symbols: Symbols) -> None:
        self._guest = guest
        self._symbols = symbols
        guest.write("/sys/kernel/tracing/synthetic_events", f"'irqs_off {SPAN}'")

    def _trigger(self, event: str, command: str) -> None:
        # opening the file to write it anew would remove what is there
        self._guest.run(f"echo '{command}' >>{EVENTS}/{event}/trigger")

    @contextmanager
    def spans(self) -> Iterator[Spans]:
        """Measure what is done meanwhile; the result is there in the end."""
        found: Spans = {}
        for event, command in TRIGGERS.items():
            self._trigger(event, command)
        yield found
        text = self._guest.read(f"{EVENTS}/synthetic/irqs_off/hist")
        for event, command in reversed(TRIGGERS.items()):
            self._trigger(event, f"!{command}")
        found.update(parse(text, self._symbols))
        if not found:
            raise VmError(f"{self._guest.name}: nothing was measured: {text}")


def parse(text: str, symbols: Symbols) -> Spans:
    """Return the longest span of each function from the kernel's histogram."""
    found: Spans = {}
    for caller, parent, ns in ENTRY.findall(text):
        name = symbols.name(int(caller))
        if WRAPPER.match(name):
            name = symbols.name(int(parent))
        found[name] = max(found.get(name, 0), int(ns))
    return found


def longest(spans: Spans, library: bool) -> tuple[int, str]:
    """Return the longest span of the library, or of the rest, and whose it is."""
    return max(
        (
            (ns, name)
            for name, ns in spans.items()
            if bool(LIBRARY.match(name)) == library
        ),
        default=(0, "–"),
    )


def row(order: int, capacity: int, spans: Spans) -> Row:
    """Return what is kept of a measurement."""
    library, rest = longest(spans, True), longest(spans, False)
    return {
        "order": order, "capacity": capacity,
        "ns": library[0], "by": library[1],
        "rest_ns": rest[0], "rest_by": rest[1],
        "functions": {
            name: ns for name, ns in sorted(spans.items()) if LIBRARY.match(name)
        },
    }  # fmt: skip


def guest_image(variant: Variant) -> Path:
    """Return the root file system of a guest."""
    if variant.kernel == own_kernels.IRQSOFF.name:
        return image.kernel_image(own_kernels.IRQSOFF)
    return image.IMAGE


def booted(bench: Bench, variant: Variant, layout: str) -> Vm:
    """Return the guest of a step."""
    return Vm(
        kernel_image(variant.kernel),
        name=f"bench-hold-{layout}-{variant.name}",
        accel="icount",
        memory=f"{bench.mib(MIB) + SPARE_MIB}M",
        cpus=1,
        balloon=variant.balloon or None,
        append="quiet",
        arguments=("-initrd", str(guest_image(variant)), "-rtc", "clock=vm"),
    )


def measured(bench: Bench, variant: Variant, layout: str) -> Result:
    """Measure all orders and capacities in one guest."""
    kernel = {
        kernel.name: kernel
        for kernel in (own_kernels.IRQSOFF, own_kernels.STOCK_IRQSOFF)
    }[variant.kernel]
    with booted(bench, variant, layout) as guest:
        watch = Watch(guest, Symbols(kernel.objects / "System.map"))
        rows = [
            found
            for order in ORDERS
            for found in MEASURES[variant.name](bench, guest, watch, layout, order)
        ]
    most = max(rows, key=lambda found: int(found["ns"]))
    return {"longest_us": most["ns"] / 1000, "by": most["by"], "series": rows}


@contextmanager
def laid_out(bench: Bench, guest: Vm, layout: str) -> Iterator[None]:
    """Free memory, in large pieces or in single pages."""
    mib = bench.mib(MIB)
    if layout != "scattered":
        guest.run(f"touch-free {mib}", PATIENCE_SECONDS)
        yield
        return
    start_program(guest, f"scatter {mib}")
    wait_output(guest, "scatter", "scattered", PATIENCE_SECONDS)
    yield
    guest.run("killall scatter")


def ours(
    bench: Bench, guest: Vm, watch: Watch, layout: str, order: int
) -> Iterator[Row]:
    """Report everything through the backend that does nothing."""
    guest.write(f"{SYSFS}/order", order)
    with laid_out(bench, guest, layout):
        for capacity in CAPACITIES:
            options = f"capacity={capacity} merge=1 poison={layout == 'poisoned':d}"
            with watch.spans() as spans:
                guest.run(f"insmod /modules/{MODULE}.ko {options}")
                guest.run(f"echo 1 >{SYSFS}/flush", PATIENCE_SECONDS)
                guest.run(f"rmmod {MODULE}")
            yield row(order, capacity, spans)


def stock(
    bench: Bench, guest: Vm, watch: Watch, layout: str, order: int
) -> Iterator[Row]:
    """Wait until the stock kernel has reported what is freed now."""
    guest.write("/sys/module/page_reporting/parameters/page_reporting_order", order)
    with watch.spans() as spans, laid_out(bench, guest, layout):
        guest.run(f"sleep {STOCK_SECONDS}", PATIENCE_SECONDS)
    yield row(order, CAPACITIES[0], spans)


def off(
    bench: Bench, guest: Vm, watch: Watch, layout: str, order: int
) -> Iterator[Row]:
    """Free as much, and report nothing: what the kernel does by itself."""
    with watch.spans() as spans, laid_out(bench, guest, layout):
        pass
    yield row(order, 0, spans)


MEASURES = {"ours": ours, "stock": stock, "off": off}


def measuring(layout: str) -> Measure:
    """Return the measurement of one layout of memory."""
    return lambda bench, variant: measured(bench, variant, layout)


def guest_files(variant: Variant) -> list[Path]:
    """Return what is measured."""
    return [kernel_image(variant.kernel), guest_image(variant)]


def build() -> None:
    """Make the backend for the kernel that is watched, if that was built."""
    if not (own_kernels.IRQSOFF.objects / "Module.symvers").exists():
        return
    try:
        image.build_kernel_image(own_kernels.IRQSOFF, MODULE)
    except image.ImageError as error:
        raise KernelError(str(error)) from None


def steps() -> list[Step]:
    """Return all steps."""
    return [
        Step("whole", 150, measuring("whole"), (OURS, STOCK, OFF), guest_files),
        Step(
            "scattered", 200, measuring("scattered"), (OURS, STOCK, OFF), guest_files
        ),
        Step("poisoned", 150, measuring("poisoned"), (OURS,), guest_files),
    ]


def rows_of(results: Results, layout: str, variant: Variant) -> dict[Any, Row]:
    """Return what was measured, by order and capacity."""
    result = results.get(f"{layout}/{variant.name}", {"series": []})
    return {(found["order"], found["capacity"]): found for found in result["series"]}


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show the longest hold over the capacity, for each order."""
    layouts = [layout for layout in LAYOUTS if rows_of(results, layout, OURS)]
    figure, grid = panels(len(layouts))
    for axes, layout in zip(grid, layouts):
        draw_layout(axes, results, layout)
    return [save(figure, folder / f"{name}.png")]


def draw_layout(axes: Any, results: Results, layout: str) -> None:
    """Show one layout of memory."""
    rows = rows_of(results, layout, OURS)
    others = rows_of(results, layout, STOCK)
    for order, line in zip(ORDERS, ("-", "--", ":")):
        holds = [rows[order, capacity]["ns"] / 1000 for capacity in CAPACITIES]
        axes.plot(CAPACITIES, holds, line, marker="o", markersize=4,
                  color=SHADES["ours"], label=f"this library, order {order}")
        other = others.get((order, CAPACITIES[0]))
        if other:
            axes.plot(CAPACITIES[:1], [other["ns"] / 1000], "s", markersize=5,
                      color=SHADES["stock"], fillstyle="none" if order else "full",
                      label=f"stock kernel, order {order}")
    axes.axhline(GOAL_NS / 1000, color=SHADES["none"], linewidth=1, label="goal")
    style(axes, f"{LAYOUTS[layout]} (us)")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.autoscale(axis="y")  # a logarithmic axis has no zero
    axes.set_ylim(bottom=1)
    axes.set_xticks(CAPACITIES, [f"{capacity}" for capacity in CAPACITIES])
    axes.set_xlabel("entries in a batch, at most")
    legend(axes, 2)


def describe(results: Results) -> Section:
    """Say what came out."""
    measured_here = [layout for layout in LAYOUTS if rows_of(results, layout, OURS)]
    ours_rows = [
        found
        for layout in measured_here
        for found in rows_of(results, layout, OURS).values()
    ]
    most = max((found["ns"] for found in ours_rows), default=None)
    return Section(
        title="How long is zone->lock held?",
        question="The longest time that reporting holds zone->lock at once, whatever"
        " the size of a batch.",
        how="A guest on an emulator whose clock counts instructions, one a nanosecond,"
        " with one virtual CPU; the longest span without interrupts of each function,"
        " as the kernel's own tracing tells, which costs a microsecond or two of every"
        " span. This library has a backend that accepts everything at once, merges and"
        " asks for batches of so many entries; in the time fall registration, a flush"
        f" and unregistration. The stock kernel, with batches of {CAPACITIES[0]},"
        " reports to the device what is freed.",
        headline=(
            f"{show(None if most is None else most / 1000, '.0f')} us",
            "longest hold, batches of up to 1024 entries",
        ),
        tables=[table(results, layout) for layout in measured_here],
        reading=reading(results, measured_here),
        compared=COMPARED,
    )


def cell(found: Row | None, ns: str = "ns", by: str = "by") -> str:
    """Show a hold and whose it was."""
    return "–" if not found else f"{found[ns] / 1000:.1f} us, {found[by]}"


def table(results: Results, layout: str) -> Table:
    """Return the table of one layout of memory."""
    stock_rows = rows_of(results, layout, STOCK)
    off_rows = rows_of(results, layout, OFF)
    return Table(
        f"Longest hold, {LAYOUTS[layout]}: of reporting, and of the rest of the kernel"
        " meanwhile; the stock kernel; and the kernel without a backend",
        ("order", "entries", "this library", "the rest", "stock kernel", "no backend"),
        [
            (
                f"{order}",
                f"{capacity}",
                cell(found),
                cell(found, "rest_ns", "rest_by"),
                cell(stock_rows.get((order, capacity))),
                cell(off_rows.get((order, 0)), "rest_ns", "rest_by"),
            )
            for (order, capacity), found in rows_of(results, layout, OURS).items()
        ],
    )


def reading(results: Results, layouts: list[str]) -> list[str]:
    """Interpret the numbers."""
    text = []
    for layout in layouts:
        rows = rows_of(results, layout, OURS)
        worst = max(rows.values(), key=lambda found: int(found["ns"]))
        growth = max(
            rows[order, CAPACITIES[-1]]["ns"] / max(rows[order, CAPACITIES[1]]["ns"], 1)
            for order in ORDERS
        )
        text.append(
            f"{LAYOUTS[layout].capitalize()}: {worst['ns'] / 1000:.1f} us at most,"
            f" in {worst['by']}, at order {worst['order']} with {worst['capacity']}"
            f" entries. At most {GOAL_NS // 1000} us:"
            f" {verdict(worst['ns'] <= GOAL_NS)}. From {CAPACITIES[1]} to"
            f" {CAPACITIES[-1]} entries it becomes {growth:.2f} times as long at most;"
            f" constant: {verdict(growth <= CONSTANT)}."
        )
    return text + [
        sentence
        for sentence in (
            worst_of(results, STOCK, "The stock kernel's reporting", "ns", "by"),
            worst_of(results, OFF, "The kernel without a backend", "rest_ns",
                     "rest_by"),
            worst_of(results, OURS, "What is not this library's while it reports",
                     "rest_ns", "rest_by"),
        )
        if sentence
    ]  # fmt: skip


def worst_of(
    results: Results, variant: Variant, who: str, ns: str, by: str
) -> str | None:
    """Say what the longest of all was."""
    found = [
        (one[ns], one[by], layout, one["order"])
        for layout in LAYOUTS
        for one in rows_of(results, layout, variant).values()
    ]
    if not found:
        return None
    longest_ns, name, layout, order = max(found)
    return (
        f"{who}: {longest_ns / 1000:.1f} us at most, in {name}, at order {order} with"
        f" {LAYOUTS[layout]}."
    )


BENCHMARK = Benchmark("hold", steps, draw, describe, build)
