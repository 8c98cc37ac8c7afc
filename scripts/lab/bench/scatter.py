# SPDX-License-Identifier: GPL-2.0
"""Benchmark: what comes back of memory that is free in fragments, at what price.

A program holds every other piece of its memory, so that half of that is free and
hardly a block is whole.  The host's memory is looked at while the guest rests;
then the guest asks for huge pages.
"""

from __future__ import annotations

import time
from pathlib import Path

from lab.bench.guest import (
    KIB_PER_MIB,
    SYSFS,
    Bench,
    Result,
    start_program,
    wait_output,
)
from lab.bench.runner import Benchmark, Results, Step
from lab.guest.memory import guest_memory
from lab.guest.variants import OURS, REPORTING, STOCK, Variant
from lab.guest.vm import Vm
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Section, Table, show, verdict

PIECES_KIB = (4, 256)
SCATTERED_MIB = 2048
LOOKS = (5, 15)  # seconds after the memory was scattered
LAST_LOOK, LEAST_LAST_LOOK = 60, 25  # what is waited for does not scale
GIVE_UP_SECONDS = 600
USER_HZ = 100
COMPACT_SECONDS = 10
GOAL_SHARE, GOAL_AFTER = 0.9, 15

# What else there is: the library without it, and what a user can do by hand.
OFF = Variant("off", "this library, not consolidating", OURS.kernel, REPORTING)
PROACTIVE = Variant("proactive", "stock, proactiveness 100", STOCK.kernel, REPORTING)
COMPACT = Variant("compact", "stock, compacted by hand", STOCK.kernel, REPORTING)
VARIANTS = (OURS, OFF, STOCK, PROACTIVE, COMPACT)
LOOKS_LIKE = dict(zip((v.name for v in VARIANTS),
                      (SHADES["ours"], "#9db8d6", SHADES["stock"], "#d9a441",
                       "#7a6aa8")))  # fmt: skip


def settle(guest: Vm, variant: Variant) -> None:
    """Set what a variant is about, before memory is scattered."""
    if variant == OFF:
        guest.write(f"{SYSFS}/consolidate_percent", 0)
    elif variant == PROACTIVE:
        guest.write("/proc/sys/vm/compaction_proactiveness", 100)


def begin(guest: Vm, variant: Variant) -> None:
    """Start what a user does by hand, once memory is scattered."""
    if variant == COMPACT:
        loop = f"echo 1 >/proc/sys/vm/compact_memory; sleep {COMPACT_SECONDS}"
        guest.run(f"(while :; do {loop}; done) >/dev/null 2>&1 &")


def busy_ticks(guest: Vm) -> int:
    """Return the processor time that the guest has used, but for its own idling."""
    fields = guest.read("/proc/stat").splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, irq, softirq = map(int, fields[:7])
    return user + nice + system + irq + softirq


def moved_pages(guest: Vm) -> int:
    """Return how many pages the guest has migrated."""
    return int(guest.run("awk '/^pgmigrate_success/{print $2}' /proc/vmstat"))


def host_mib(guest: Vm, name: str = "Rss") -> int:
    """Return what the host has of the guest's memory."""
    return guest_memory(guest.pid)[name] // KIB_PER_MIB


def huge_mib(guest: Vm, mib: int) -> int:
    """Have a program use so much memory; return how much it gets in huge pages."""
    start_program(guest, f"touch-free -s 3600 {mib}")
    wait_output(guest, "touch-free", "touched", GIVE_UP_SECONDS)
    kib = guest.run("awk '/^AnonHugePages/{print $2}' /proc/meminfo")
    return int(kib) // KIB_PER_MIB


def scatter(bench: Bench, variant: Variant, piece_kib: int) -> Result:
    """Scatter memory; see what comes back."""
    mib = bench.mib(SCATTERED_MIB)
    name = f"scatter-{piece_kib}"
    with bench.guest(variant, name, mib, cpus=2) as guest:
        settle(guest, variant)
        start_program(guest, f"scatter -k {piece_kib} {mib}")
        wait_output(guest, "scatter", "scattered", GIVE_UP_SECONDS)
        start, before = time.monotonic(), host_mib(guest)
        huge = host_mib(guest, "AnonHugePages")
        ticks, moved = busy_ticks(guest), moved_pages(guest)
        begin(guest, variant)
        series: list[tuple[float, int]] = [(0.0, 0)]
        looks = [*LOOKS, max(bench.seconds(LAST_LOOK), LEAST_LAST_LOOK)]
        while time.monotonic() - start < looks[-1] + 0.5:
            time.sleep(0.5)
            at = time.monotonic() - start
            series.append((round(at, 1), before - host_mib(guest)))
        result: Result = {
            "piece_kib": piece_kib,
            "free_mib": mib // 2,
            "back_mib": [back_at(series, seconds) for seconds in looks],
            "moved_mib": (moved_pages(guest) - moved) * 4 // KIB_PER_MIB,
            "busy_s": round((busy_ticks(guest) - ticks) / USER_HZ, 2),
            "huge_before_mib": huge,
            "huge_after_mib": host_mib(guest, "AnonHugePages"),
        }
        result["huge_pages_mib"] = huge_mib(guest, mib // 2)
        return result | {"looks": looks, "series": series}


def back_at(series: list[tuple[float, int]], seconds: float) -> int:
    """Return what was back at the last look up to a time."""
    return [mib for at, mib in series if at <= seconds][-1]


def step(piece_kib: int) -> Step:
    """Return the step for a size of pieces."""
    return Step(
        f"scatter-{piece_kib}",
        100,
        lambda bench, variant: scatter(bench, variant, piece_kib),
        VARIANTS if piece_kib % 64 else VARIANTS[::-1],
    )


def steps() -> list[Step]:
    """Return all steps."""
    return [step(piece_kib) for piece_kib in PIECES_KIB]


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show what is back over time."""
    figure, axes = panels(len(PIECES_KIB))
    for panel, piece_kib in zip(axes, PIECES_KIB):
        for variant in VARIANTS:
            result = results.get(f"scatter-{piece_kib}/{variant.name}")
            if result:
                times, back = zip(*result["series"])
                panel.plot(times, back, color=LOOKS_LIKE[variant.name],
                           label=variant.label)  # fmt: skip
        style(panel, f"pieces of {piece_kib} KiB: back (MiB)")
        panel.set_xlabel("seconds")
    legend(axes[0], len(VARIANTS))
    return [save(figure, folder / f"{name}.png")]


def rows(results: Results) -> list[tuple[str, ...]]:
    """Return the rows of the table."""
    found = []
    for piece_kib in PIECES_KIB:
        for variant in VARIANTS:
            run = results.get(f"scatter-{piece_kib}/{variant.name}")
            if not run:
                continue
            huge = f"{run['huge_before_mib']} to {run['huge_after_mib']}"
            found.append((
                f"{piece_kib} KiB", variant.label, *map(str, run["back_mib"]),
                str(run["moved_mib"]), show(run["busy_s"]), huge,
                str(run["huge_pages_mib"]),
            ))  # fmt: skip
    return found


def judge(results: Results) -> list[str]:
    """Compare with the goal."""
    said = []
    for piece_kib in PIECES_KIB:
        run = results.get(f"scatter-{piece_kib}/{OURS.name}")
        if not run:
            continue
        share = run["back_mib"][LOOKS.index(GOAL_AFTER)] / run["free_mib"]
        needed = run["free_mib"] / 2
        said.append(
            f"Pieces of {piece_kib} KiB: {share:.0%} are back after {GOAL_AFTER} s"
            f" (goal {GOAL_SHARE:.0%}: {verdict(share >= GOAL_SHARE)})."
            f" {run['moved_mib']} MiB were moved for it; emptying half of the blocks"
            f" into the other half takes {needed:.0f}."
        )
    return said


def describe(results: Results) -> Section:
    """Say what came out."""
    one = next(iter(results.values()))
    ours = results.get(f"scatter-{PIECES_KIB[0]}/{OURS.name}")
    back = f"{ours['back_mib'][1]} MiB" if ours else "–"
    looks = [f"back after {seconds:g} s" for seconds in one["looks"]]
    return Section(
        title="Memory that is free in fragments",
        question="What comes back of memory that is free, but in no whole block?",
        how=f"A program holds every other piece of {2 * one['free_mib']} MiB, so that"
        f" {one['free_mib']} MiB are free. The guest has 2 virtual CPUs and is at rest."
        " Proactiveness 100: vm.compaction_proactiveness. By hand: a write to"
        f" /proc/sys/vm/compact_memory every {COMPACT_SECONDS} s from then on. Busy:"
        " processor time of the guest until the last look, with what looking takes."
        f" In the end a program asks for {one['free_mib']} MiB of huge pages.",
        headline=(back, f"of {one['free_mib']} in pieces of {PIECES_KIB[0]} KiB back"
                        f" after {GOAL_AFTER} s"),
        tables=[
            Table(
                "MiB that are back, and what that costs",
                ("pieces of", "kernel", *looks, "moved", "busy (s)",
                 "huge pages of the host", "huge pages for the guest"),
                rows(results),
            )
        ],
        reading=judge(results),
    )  # fmt: skip


BENCHMARK = Benchmark("scatter", steps, draw, describe)
