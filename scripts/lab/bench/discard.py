# SPDX-License-Identifier: GPL-2.0
"""Benchmark: should a host take reported memory at once, or when it needs it?

QEMU calls madvise(MADV_DONTNEED).  A library preloaded into an unmodified QEMU
makes MADV_FREE of it: the host keeps the pages until it is short of memory, and
a guest that uses them again before that gets them without a fault.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import Any

from lab.base.paths import BUILD, ROOT
from lab.bench.guest import (
    KIB_PER_MIB,
    SYSFS,
    Bench,
    Result,
    hold_memory,
    minor_faults,
    rest,
)
from lab.bench.runner import (
    Benchmark,
    Measure,
    Results,
    Step,
    boots,
    guest_files,
    in_turn,
)
from lab.guest.host_limit import HostError, HostLimit
from lab.guest.variants import Variant
from lab.guest.vm import BALLOON, Vm, kernel_image
from lab.report.plot import panels, save, style
from lab.report.section import Section, Table

SOURCE = ROOT / "tests" / "bench" / "discard.c"
LIBRARY = BUILD / "bench" / "discard.so"

DONTNEED = Variant("dontneed", "MADV_DONTNEED", "ours", BALLOON)
FREE = Variant("free", "MADV_FREE", "ours", BALLOON)
VARIANTS = (DONTNEED, FREE)
SHADES = {"dontneed": "#0b6e4f", "free": "#e0a458"}

FREED_MIB = 3072
ROUNDS = 4
BOOTS = 3
SERIES = ("touch_seconds", "host_faults", "cpu_seconds", "flush_seconds", "host_mib",
          "lazy_mib")
# Two guests that have both touched their memory do not fit on this host.
NEIGHBOUR_HOST_MIB = 4608
NEIGHBOUR_SWAP_MIB = 2048
UTIME = 11  # in /proc/PID/stat, counted from the field behind the name
STIME = 12


def files(variant: Variant) -> list[Path]:
    """Return what is measured."""
    return [*guest_files(variant), SOURCE]


def compile_library() -> None:
    """Compile what is preloaded."""
    LIBRARY.parent.mkdir(parents=True, exist_ok=True)
    command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror"]
    done = subprocess.run(
        [*command, "-o", LIBRARY, SOURCE], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise HostError(f"{SOURCE.name} does not compile:\n{done.stderr}")


def preloading(variant: Variant) -> list[str]:
    """Return the beginning of a command that preloads the library."""
    return ["env", f"LD_PRELOAD={LIBRARY}", f"BENCH_DISCARD={variant.name}"]


def booting(
    bench: Bench, variant: Variant, name: str, wrapper: list[str]
) -> Vm:
    """Return a guest to boot whose QEMU has the library."""
    return Vm(
        kernel_image(variant.kernel),
        name=f"bench-discard-{name}-{variant.name}",
        accel=bench.accel,
        memory=f"{bench.mib(FREED_MIB) + 512}M",
        balloon=variant.balloon,
        wrapper=[*wrapper, *preloading(variant)],
    )


def backing(guest: Vm) -> tuple[int, int]:
    """Return the KiB that QEMU has, and those of them that are up for taking."""
    text = Path(f"/proc/{guest.pid}/smaps_rollup").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in text.splitlines()[1:])
    have, lazy = (int(fields[key].split()[0]) for key in ("Rss", "LazyFree"))
    return have, lazy


def cpu_seconds(guest: Vm) -> float:
    """Return the processor time that QEMU took so far."""
    text = Path(f"/proc/{guest.pid}/stat").read_text(encoding="utf-8")
    fields = text.rpartition(")")[2].split()
    return (int(fields[UTIME]) + int(fields[STIME])) / os.sysconf("SC_CLK_TCK")


def give_back(guest: Vm) -> float:
    """Free what is held and report all of it; return how long that took."""
    guest.run("killall touch-free; while pidof touch-free >/dev/null; do :; done", 60)
    start = time.monotonic()
    guest.run(f"echo 1 >{SYSFS}/flush", 300)
    return round(time.monotonic() - start, 2)


def reuse(bench: Bench, variant: Variant) -> Result:
    """Use memory again and again that was reported, on a host with room.

    The first use is that of memory the host never had to give before.
    """
    mib = bench.mib(FREED_MIB)
    rows: dict[str, list[float]] = {name: [] for name in SERIES}
    with booting(bench, variant, "reuse", []) as guest:
        rest(guest, bench.seconds(10))
        for _ in range(ROUNDS):
            start, before = time.monotonic(), (minor_faults(guest), cpu_seconds(guest))
            hold_memory(guest, mib)
            rows["touch_seconds"].append(round(time.monotonic() - start, 2))
            rows["host_faults"].append(minor_faults(guest) - before[0])
            rows["cpu_seconds"].append(round(cpu_seconds(guest) - before[1], 2))
            rows["flush_seconds"].append(give_back(guest))
            have, lazy = backing(guest)
            rows["host_mib"].append(have // KIB_PER_MIB)
            rows["lazy_mib"].append(lazy // KIB_PER_MIB)
    return {"touched_mib": mib, **rows}


def neighbour(bench: Bench, variant: Variant) -> Result:
    """Have a second guest need the memory that the first one gave back."""
    mib = bench.mib(FREED_MIB)
    limit = bench.mib(NEIGHBOUR_HOST_MIB) + (0 if bench.scale == 1 else 256)
    with HostLimit(limit, bench.mib(NEIGHBOUR_SWAP_MIB)) as host:
        with booting(bench, variant, "giver", host.wrapper()) as giver:
            hold_memory(giver, mib)
            give_back(giver)
            before = host.memory_used_mib()
            with booting(bench, variant, "taker", host.wrapper()) as taker:
                cpu, start = cpu_seconds(taker), time.monotonic()
                hold_memory(taker, mib)
                seconds = round(time.monotonic() - start, 2)
                cpu = round(cpu_seconds(taker) - cpu, 2)
                swap = host.swap_used_mib()
                left = backing(giver)[0] // KIB_PER_MIB
    return {
        "touched_mib": mib,
        "host_limit_mib": limit,
        "used_mib_before": before,
        "touch_seconds": seconds,
        "cpu_seconds": cpu,
        "swap_mib": swap,
        "giver_mib_after": left,
    }


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Compare the two calls: time, what is left, swap."""
    figure, axes = panels(3)
    titles = ("touching it again (s)", "touching beside a neighbour (s)",
              "left at the host after the free (GiB)")
    for spot, variant in enumerate(VARIANTS):
        heights = (
            later_rounds(results, variant, "touch_seconds"),
            beside(results, variant, "touch_seconds"),
            [mib / 1024 for mib in later_rounds(results, variant, "host_mib")],
        )
        for picture, values in zip(axes, heights):
            if values:
                bar(picture, spot, variant, median(values))
    for picture, title in zip(axes, titles):
        style(picture, title)
        picture.set_xticks(range(2), [variant.label for variant in VARIANTS])
    return [save(figure, folder / f"{name}.png")]


def bar(axes: Any, spot: int, variant: Variant, height: float) -> None:
    """Draw a bar with its number."""
    axes.bar(spot, height, 0.6, color=SHADES[variant.name])
    axes.text(spot, height, f"{height:.3g}", ha="center", va="bottom", fontsize=8)


def later_rounds(results: Results, variant: Variant, name: str) -> list[float]:
    """Return one number of each round in which memory was used again."""
    return [
        value
        for run in boots(results, "reuse", variant.name).values()
        for value in run[name][1:]
    ]


def beside(results: Results, variant: Variant, name: str) -> list[float]:
    """Return one number of each neighbour."""
    runs = boots(results, "neighbour", variant.name).values()
    return [run[name] for run in runs]


def describe(results: Results) -> Section:
    """Say what came out."""
    choice, condition, reading = recommendation(results)
    return Section(
        title="Should the host use MADV_DONTNEED or MADV_FREE?",
        question="Take reported memory away at once, or only when it is needed?",
        how="The same QEMU, with the call for what was reported swapped by a preloaded"
        " library. Reuse: a guest touches memory, frees and flushes it, and touches it"
        " again. Neighbour: a second guest then needs the memory, on a host where both"
        f" do not fit. {BOOTS} boots of each.",
        headline=(choice, f"is what a host should use{condition}"),
        tables=[
            Table(
                "Medians, and in brackets the range: of all rounds in which memory was"
                " used again, and of the neighbours",
                ("call", "flush, s", "left at the host, MiB", "touch again, s",
                 "QEMU's CPU, s", "neighbour's touch, s", "swap, MiB"),
                [row(results, variant) for variant in VARIANTS],
            )
        ],
        reading=reading,
    )


def row(results: Results, variant: Variant) -> tuple[str, ...]:
    """Return the row of a call."""
    numbers = (
        (later_rounds(results, variant, "flush_seconds"), ".2f"),
        (later_rounds(results, variant, "host_mib"), ".0f"),
        (later_rounds(results, variant, "touch_seconds"), ".1f"),
        (later_rounds(results, variant, "cpu_seconds"), ".1f"),
        (beside(results, variant, "touch_seconds"), ".1f"),
        (beside(results, variant, "swap_mib"), ".0f"),
    )
    return (variant.label, *(spread(values, form) for values, form in numbers))


def spread(values: list[float], form: str) -> str:
    """Show the median and the range."""
    if not values:
        return "–"
    low, high = format(min(values), form), format(max(values), form)
    return f"{median(values):{form}} ({low} to {high})"


def recommendation(results: Results) -> tuple[str, str, list[str]]:
    """Return the call to use, for whom, and why.

    Reports are there for a host to start more guests, so it has to see what it
    got: that decides.  The time that MADV_FREE saves is its other side.
    """
    if not all(boots(results, step, v.name) for step in STEPS for v in VARIANTS):
        return "–", "", ["Not all of it was measured."]
    cpu = [median(later_rounds(results, v, "cpu_seconds")) for v in VARIANTS]
    have = [median(later_rounds(results, v, "host_mib")) for v in VARIANTS]
    touch = [median(beside(results, v, "touch_seconds")) for v in VARIANTS]
    swap = [max(beside(results, v, "swap_mib")) for v in VARIANTS]
    lazy = median(later_rounds(results, FREE, "lazy_mib"))
    saved = 100 * (1 - cpu[1] / cpu[0])
    hidden = have[1] - have[0]
    harmless = touch[1] <= 1.05 * touch[0] and swap[1] <= swap[0]
    text = [
        f"MADV_FREE takes {-saved:+.0f} % of QEMU's processor time when memory is used"
        " again that had been reported and the host did not need.",
        f"With MADV_FREE the host still shows {have[1]:.0f} MiB in use after a flush,"
        f" {lazy:.0f} MiB of it up for taking; with MADV_DONTNEED it shows"
        f" {have[0]:.0f} MiB. Whoever decides by resident memory where to start a guest"
        " sees nothing of the reports.",
        f"A neighbour that needed the memory had touched it after {touch[1]:.1f} s with"
        f" MADV_FREE and {touch[0]:.1f} s with MADV_DONTNEED; the host used {swap[1]:g}"
        f" and {swap[0]:g} MiB of swap.",
    ]
    if hidden > lazy / 2:
        text.append(
            "Recommendation: MADV_DONTNEED, as QEMU does. Reports are there for a host"
            f" to start more guests, and {hidden:.0f} MiB of what it got do not show"
            " with MADV_FREE. What that costs is less than the time above: this"
            " benchmark flushes, and otherwise memory that will be wanted again soon is"
            " retained by the guest and not reported."
        )
        if saved > 0 and harmless:
            text.append(
                "A host that places guests by memory pressure and not by resident"
                " memory does better with MADV_FREE."
            )
        return "MADV_DONTNEED", ": it sees what it gets", text
    if saved > 0 and harmless:
        text.append("Recommendation: MADV_FREE. The host sees what it gets, and a"
                    " guest that uses memory again is faster.")
        return "MADV_FREE", "", text
    text.append("Recommendation: MADV_DONTNEED. MADV_FREE saves nothing here.")
    return "MADV_DONTNEED", "", text


def steps() -> list[Step]:
    """Return all steps."""
    return [
        Step(f"{name}-{boot}", seconds, measure, in_turn(VARIANTS, boot), files)
        for boot in range(1, BOOTS + 1)
        for name, (seconds, measure) in STEPS.items()
    ]


STEPS: dict[str, tuple[int, Measure]] = {
    "reuse": (60, reuse),
    "neighbour": (40, neighbour),
}
BENCHMARK = Benchmark("discard", steps, draw, describe, compile_library)
