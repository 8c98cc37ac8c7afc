# SPDX-License-Identifier: GPL-2.0
"""Benchmark: what does reporting cost a guest that only takes page faults?

The shapes of will-it-scale's page_fault1 (anonymous memory, huge pages) and
page_fault2 (pages of a private file mapping that are written), and small
anonymous pages.

Counted: the emulator makes the time stamp counter count instructions, so that
differences of one in ten thousand show.  One virtual CPU, and everything the
guest does meanwhile counts: timer, hook, passes, talking to the device.

Timed: ordinary runs with 1 to 8 tasks on 8 virtual CPUs, which differ by more
from boot to boot than from kernel to kernel; hence several boots and their
spread.
"""

from __future__ import annotations

import re
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from lab.bench.guest import Bench, Result, counted_guest
from lab.bench.runner import Benchmark, Measure, Results, Step, boots, in_turn
from lab.guest.variants import OURS, STOCK, STOCK100, STOCKS, Variant, measured
from lab.guest.vm import Vm, VmError, kernel_image
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Line, Section, Table, show, verdict

NOPR = Variant("nopr", "not built in", "nopr", "")
OFF = Variant("off", "built in, no backend", "ours", "free-page-reporting=off")
VARIANTS = (NOPR, OFF, *STOCKS, OURS)
KNOWN = (NOPR, OFF, STOCK, STOCK100, OURS)

# The emulator counts each round of a repeated string instruction: clear pages
# with 512 of them, not with the 4096 that it would take by bytes.
COUNTED = ("-cpu", "max,-erms,-fsrm", "-seed", "1", "-rtc", "clock=vm")
MODES = {"4k": "-p 4k", "2m": "-p 2m", "file": "-f"}
TITLES = {"4k": "small pages", "2m": "huge pages", "file": "written file pages"}
ROUNDS = {"4k": 40, "2m": 80, "file": 40}
WARM_ROUNDS = 4  # the first ones set things up
COUNTED_BOOTS = 3
# With half of this, how the free memory lies makes more of a difference than
# anything that is measured: 24 instructions a fault.
COUNTED_MEMORY = "2G"

TIMED_MODES = ("2m", "file")
TIMED_BOOTS = 5
TIMED_MIB = 32
TIMED_SECONDS = 2
TASKS = (1, 2, 4, 8)
TIMED_HOW = f" Timed: {TIMED_BOOTS} boots of each kernel, 8 virtual CPUs."
KINDS = {"processes": "", "threads": "-t"}

ROUND = re.compile(r"ticks=(\d+) faults=(\d+)")
TOTAL = re.compile(r"faults=(\d+) seconds=([\d.]+)")

# What the short document says.
SIDES = ("this library", "stock kernel", "not built in")
COMPARED = (
    Line("instructions per small page fault", SIDES, "small pages"),
    Line("instructions per huge page fault", SIDES, "huge pages"),
)


def counted(bench: Bench, variant: Variant, boot: int) -> Result:
    """Count the instructions of a fault, in each mode."""
    with counted_guest(
        variant, f"fault{boot}", COUNTED_MEMORY, arguments=COUNTED
    ) as guest:
        return {mode: instructions(bench, guest, mode) for mode in MODES}


def instructions(bench: Bench, guest: Vm, mode: str) -> Result:
    """Return the instructions per fault: mean, median, and of each round."""
    rounds = max(ROUNDS[mode] // bench.scale, 4) + WARM_ROUNDS
    output = guest.run(f"page-fault {MODES[mode]} -n {rounds}", 1200)
    matches = [ROUND.fullmatch(line) for line in output.splitlines()]
    each = [int(found[1]) / int(found[2]) for found in matches if found]
    if len(each) != rounds:
        raise VmError(f"{guest.name}: page-fault did {len(each)} of {rounds} rounds")
    each = each[WARM_ROUNDS:]
    return {
        "mean": round(mean(each), 2),
        "median": round(median(each), 2),
        "series": [round(value, 2) for value in each],
    }


def timed(bench: Bench, variant: Variant, boot: int) -> Result:
    """Return the faults per second of each mode, kind and number of tasks."""
    seconds = max(round(TIMED_SECONDS / bench.scale), 1)
    tasks = TASKS if bench.scale == 1 else (1, TASKS[-1])
    with Vm(
        kernel_image(variant.kernel),
        name=f"bench-fault-timed{boot}-{variant.name}",
        accel=bench.accel,
        memory="2G",
        cpus=TASKS[-1],
        balloon=variant.balloon,
        append=variant.append,
    ) as guest:
        return {
            f"{mode}/{kind}/{count}": faults_per_second(
                guest,
                f"{MODES[mode]} {KINDS[kind]} -m {TIMED_MIB} -j {count} -s {seconds}",
            )
            for mode in TIMED_MODES
            for kind in KINDS
            for count in tasks
        }


def faults_per_second(guest: Vm, arguments: str) -> int:
    """Run the program for a time."""
    output = guest.run(f"page-fault {arguments}", 300)
    found = TOTAL.fullmatch(output.strip())
    if not found or not int(found[1]):
        raise VmError(f"{guest.name}: page-fault {arguments} printed {output!r}")
    return round(int(found[1]) / float(found[2]))


def counting(boot: int) -> Measure:
    """Return the measurement of one boot."""
    return lambda bench, variant: counted(bench, variant, boot)


def timing(boot: int) -> Measure:
    """Return the measurement of one boot."""
    return lambda bench, variant: timed(bench, variant, boot)


def per_fault(
    results: Results, variant: str, mode: str, kind: str = "median"
) -> list[float]:
    """Return the median round of each boot, or the mean."""
    return [run[mode][kind] for run in boots(results, "count", variant).values()]


def extra_percent(
    results: Results, variant: str, mode: str, kind: str = "median"
) -> float | None:
    """Return what a kernel costs more than the one without reporting."""
    base = per_fault(results, NOPR.name, mode, kind)
    have = per_fault(results, variant, mode, kind)
    if not base or not have:
        return None
    return 100 * (mean(have) / mean(base) - 1)


def noise_percent(results: Results, mode: str) -> float:
    """Return by how much the boots of a kernel differ at most."""
    base = per_fault(results, NOPR.name, mode)
    have = [per_fault(results, variant.name, mode) for variant in KNOWN]
    return 100 * max(max(each) - min(each) for each in have if each) / mean(base)


def rates(results: Results, variant: str, load: str) -> list[int]:
    """Return the faults per second of each boot."""
    runs = boots(results, "boot", variant).values()
    return [run[load] for run in runs if load in run]


def timed_modes(results: Results) -> list[str]:
    """Return the modes of which there are timed runs."""
    runs = [result for key, result in results.items() if key.startswith("boot-")]
    loads = {load.split("/")[0] for result in runs for load in result}
    return [mode for mode in TIMED_MODES if mode in loads]


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show the instructions per fault, and the faults per second."""
    modes = timed_modes(results)
    figure, (counts, *times) = panels(1 + len(modes))
    draw_counts(counts, results)
    for axes, mode in zip(times, modes):
        draw_times(axes, results, mode)
    return [save(figure, folder / f"{name}.png")]


def draw_counts(axes: Any, results: Results) -> None:
    """Compare the kernels with the one that has no reporting."""
    compared = measured(results, KNOWN[1:])
    width = 0.8 / len(compared)
    for place, variant in enumerate(compared):
        for spot, mode in enumerate(MODES):
            extra = extra_percent(results, variant.name, mode)
            if extra is None:
                continue
            at = spot + (place - (len(compared) - 1) / 2) * width
            label = variant.label if not spot else None
            axes.bar(at, extra, width, color=SHADES[variant.name], label=label)
            axes.text(at, max(extra, 0), f"{extra:+.2f}", ha="center", va="bottom",
                      fontsize=7)
    style(axes, "instructions per fault, more than not built in (%)")
    axes.autoscale(axis="y")  # less is possible, too
    axes.margins(y=0.15)
    axes.set_xticks(range(len(MODES)), TITLES.values())
    legend(axes, len(compared))


def draw_times(axes: Any, results: Results, mode: str) -> None:
    """Show the mean and the spread of the boots, for processes."""
    for place, variant in enumerate(measured(results, KNOWN)):
        points = []
        for count in TASKS:
            values = rates(results, variant.name, f"{mode}/processes/{count}")
            if values:
                spread = stdev(values) if len(values) > 1 else 0
                points.append((count, mean(values), spread))
        if not points:
            continue
        tasks, means, spreads = zip(*points)
        shifted = [count * (1 + 0.03 * (place - 1.5)) for count in tasks]
        axes.errorbar(shifted, means, yerr=spreads, fmt="o-", capsize=2, markersize=4,
                      color=SHADES[variant.name], label=variant.label)
    style(axes, f"{TITLES[mode]}: faults/s, processes on 8 CPUs")
    axes.set_xscale("log", base=2)
    axes.set_xticks(TASKS, [str(count) for count in TASKS])


WANTED = {"4k": 0.1, "2m": 0.0}  # more instructions per fault, in percent
OTHERS = (("off", "4k"), ("ours", "file"))


def describe(results: Results) -> Section:
    """Say what came out."""
    extra = extra_percent(results, "ours", "4k")
    return Section(
        title="What does reporting cost a page fault?",
        question="The shapes of will-it-scale's page_fault1 and page_fault2.",
        how="Counted: instructions of the guest per fault, with one virtual CPU on an"
        " emulator that counts them; clearing a small page is 512 of them."
        + (TIMED_HOW if timed_modes(results) else ""),
        headline=(
            # no "-0.00"
            f"{show(None if extra is None else round(extra, 2) + 0, '+.2f')} %",
            "instructions per small page fault",
        ),
        tables=[
            count_table(results),
            *(time_table(results, mode) for mode in timed_modes(results)),
        ],
        reading=fault_reading(results),
        compared=COMPARED,
    )


def count_table(results: Results) -> Table:
    """Return the instructions per fault."""
    rows = []
    for variant in measured(results, KNOWN):
        cells = [variant.label]
        for mode in MODES:
            have = per_fault(results, variant.name, mode)
            extra = extra_percent(results, variant.name, mode)
            passes = extra_percent(results, variant.name, mode, "mean")
            spread = max(have) - min(have) if have else None
            cells.append(
                f"{show(mean(have) if have else None, '.1f')}"
                f" ± {show(spread, '.1f')}"
                f" ({show(extra, '+.2f')} %, {show(passes, '+.2f')} %)"
            )
        rows.append(tuple(cells))
    return Table(
        "Instructions per fault: in the median round, mean of the boots and range over"
        " them; and in brackets how much more than without reporting, in the median"
        " round and in the mean of all rounds, which has what passes of the worker and"
        " other work of the guest cost",
        ("kernel", *TITLES.values()),
        rows,
    )


def time_table(results: Results, mode: str) -> Table:
    """Return the faults per second."""
    rows = []
    for variant in measured(results, KNOWN):
        for kind in KINDS:
            cells = [variant.label, kind]
            for count in TASKS:
                values = rates(results, variant.name, f"{mode}/{kind}/{count}")
                spread = 100 * stdev(values) / mean(values) if len(values) > 1 else None
                number = mean(values) if values else None
                cells.append(f"{show(number, ',.0f')} ± {show(spread, '.0f')} %")
            rows.append(tuple(cells))
    return Table(
        f"Faults per second, {TITLES[mode]}: mean and standard deviation of the boots",
        ("kernel", "tasks are", *(f"{count}" for count in TASKS)),
        rows,
    )


def fault_reading(results: Results) -> list[str]:
    """Interpret the numbers."""
    text = []
    for mode, wanted in WANTED.items():
        ours, stock = (extra_percent(results, name, mode) for name in ("ours", "stock"))
        if ours is None:
            continue
        noise = noise_percent(results, mode)
        more = mean(per_fault(results, "ours", mode)) * (1 - 1 / (1 + ours / 100))
        text.append(
            f"{TITLES[mode].capitalize()}: {ours:+.3f} % instructions with this"
            f" library, {more:+.0f} a fault, {show(stock, '+.3f')} % with the stock"
            f" kernel, where the boots of one kernel differ by {noise:.3f} %. The goal"
            f" was {wanted:+.1f} % at most: {verdict(ours <= wanted + noise)}."
        )
        if ours > wanted + noise:
            text.append(
                "What is more is the hook, which notes that a block became free: the"
                " whole of it was taken with one fault, so there is one for each."
            )
    off, file = (extra_percent(results, *where) for where in OTHERS)
    text.append(
        f"Built in without a backend: {show(off, '+.3f')} % for small pages. Written"
        f" file pages: {show(file, '+.3f')} % with this library."
    )
    gap = largest_gap(results)
    if gap:
        text.append(
            "The timed runs: the largest difference between this library and the"
            f" kernel without reporting is {gap[0]:+.0f} % ({gap[2]}), where the boots"
            f" of one kernel differ by {gap[1]:.0f} % (standard deviation). More tasks"
            " than the host has processors measure the host."
        )
    return text


def largest_gap(results: Results) -> tuple[float, float, str] | None:
    """Return the largest difference in time, the spread there, and where."""
    gaps = []
    for load in (f"{m}/{k}/{n}" for m in TIMED_MODES for k in KINDS for n in TASKS):
        base = rates(results, NOPR.name, load)
        have = rates(results, OURS.name, load)
        if len(base) > 1 and len(have) > 1:
            spread = max(100 * stdev(each) / mean(each) for each in (base, have))
            gaps.append((100 * (mean(have) / mean(base) - 1), spread, load))
    return max(gaps, key=lambda gap: abs(gap[0])) if gaps else None


def steps() -> list[Step]:
    """Return all steps."""
    return [
        *(
            Step(f"count-{boot}", 45, counting(boot), in_turn(VARIANTS, boot))
            for boot in range(1, COUNTED_BOOTS + 1)
        ),
        *(
            Step(f"boot-{boot}", 65, timing(boot), in_turn(VARIANTS, boot))
            for boot in range(1, TIMED_BOOTS + 1)
        ),
    ]


BENCHMARK = Benchmark("page_fault", steps, draw, describe)
