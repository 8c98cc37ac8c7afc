# SPDX-License-Identifier: GPL-2.0
"""Benchmark: guests of the same host that need much memory one after the other.

Three guests of 6 GiB and 4 virtual CPUs are up on a host limited to 15 GiB of
memory and 4 GiB of swap; numactl's memhog runs in one after the other.  It takes
5.5 GiB: the guests have no swap of their own, and with 6 GiB it would be killed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from lab.bench.guest import Bench, Result
from lab.bench.host import HOST_MIB, SWAP_MIB, UNMERGED, VARIANTS
from lab.bench.runner import Benchmark, Results, Step
from lab.guest.host_limit import HostLimit
from lab.guest.variants import OURS, Variant
from lab.guest.vm import Vm, kernel_image
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Line, Section, Table

GUESTS = 3
GUEST_MIB = 6144
HOG_MIB = 5632
WIDTH = 0.2  # of a bar

# What the short document says.
COMPARED = (Line("swap of a host that runs three memhogs", column="swap"),)


def memhog(bench: Bench, variant: Variant) -> Result:
    """Boot all guests, run memhog in each; time it, look at the host's swap."""
    # a small guest keeps a larger part of its memory for itself
    hog_mib = bench.mib(HOG_MIB) - (0 if bench.scale == 1 else 64)
    seconds, swap, used = [], [], []
    with ExitStack() as stack:
        host = stack.enter_context(
            HostLimit(bench.mib(HOST_MIB), bench.mib(SWAP_MIB))
        )
        guests = [
            stack.enter_context(large_guest(bench, variant, host, number))
            for number in range(1, GUESTS + 1)
        ]
        for guest in guests:
            start = time.monotonic()
            guest.run(f"memhog {hog_mib}m >/dev/null", 1800)
            seconds.append(round(time.monotonic() - start, 1))
            used.append(host.memory_used_mib())
            swap.append(host.swap_used_mib())
            print(
                f"    guest {len(seconds)}: {seconds[-1]} s, the host has {used[-1]}"
                f" MiB in use and {swap[-1]} MiB in swap",
                flush=True,
            )
    return {
        "seconds": seconds,
        "swap_mib": swap,
        "used_mib": used,
        "hog_mib": hog_mib,
        "guest_mib": bench.mib(GUEST_MIB),
        "host_mib": bench.mib(HOST_MIB),
        "host_swap_mib": bench.mib(SWAP_MIB),
    }


def large_guest(bench: Bench, variant: Variant, host: HostLimit, number: int) -> Vm:
    """Return a guest to boot on the limited host."""
    return Vm(
        kernel_image(variant.kernel),
        name=f"bench-memhog{number}-{variant.name}",
        accel=bench.accel,
        memory=f"{bench.mib(GUEST_MIB)}M",
        cpus=4,
        balloon=variant.balloon,
        arguments=UNMERGED,
        wrapper=host.wrapper(),
    )


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show time and swap of every guest."""
    figure, (times, swaps) = panels(2)
    for place, variant in enumerate(VARIANTS):
        result = results.get(f"memhog/{variant.name}")
        if not result:
            continue
        spots = [guest + (place - 1) * WIDTH for guest in range(GUESTS)]
        looks = {"color": SHADES[variant.name], "label": variant.label}
        times.bar(spots, result["seconds"], WIDTH, **looks)
        swaps.bar(spots, [mib / 1024 for mib in result["swap_mib"]], WIDTH, **looks)
    for axes, title in ((times, "time of memhog (s)"), (swaps, "swap in use (GiB)")):
        style(axes, title)
        names = ("first guest", "second", "third")
        axes.set_xticks(range(GUESTS), names)
    legend(times, len(VARIANTS))
    return [save(figure, folder / f"{name}.png")]


# The cover letter of version 11 of the 2019 series.
PUBLISHED = (
    ("2019: no reporting", "21 s", "27 s", "157 s", "3.7 GB"),
    ("2019: free page hinting v11", "23 s", "26 s", "21 s", "0"),
)


def describe(results: Results) -> Section:
    """Say what came out."""
    runs = {v.label: results[f"memhog/{v.name}"] for v in VARIANTS
            if f"memhog/{v.name}" in results}
    one = next(iter(runs.values()))
    rows = [
        (label, *(f"{each:.0f} s" for each in run["seconds"]),
         f"{max(run['swap_mib']):.0f} MiB")
        for label, run in runs.items()
    ]
    swapping = [label for label, run in runs.items() if max(run["swap_mib"])]
    reading = [
        f"The host swaps with: {', '.join(swapping) or 'none of the kernels'}.",
    ]
    for label, run in runs.items():
        first, last = run["seconds"][0], run["seconds"][-1]
        reading.append(
            f"{label}: the third guest took {100 * (last / first - 1):+.0f} % against"
            f" the first, {run['used_mib'][-1]} MiB of the host in use at the end."
        )
    firsts = [run["seconds"][0] for run in runs.values()]
    reading.append(
        "An emulated guest touches memory so slowly that a disk which swaps keeps up:"
        " the times say less than those of 2019, the swap says the same. They are of a"
        " single run, and the first guest, for which nothing was reported yet, tells"
        f" how far apart such runs are: {min(firsts):.0f} to {max(firsts):.0f} s."
    )
    return Section(
        title="Three guests that need most of the host, one after the other",
        question="Can a guest use what another one has freed?",
        how=f"Three guests of {one['guest_mib']} MiB and 4 virtual CPUs are up on a"
        f" host limited to {one['host_mib']} MiB with {one['host_swap_mib']} MiB of"
        f" swap. memhog takes {one['hog_mib']} MiB in one after the other.",
        headline=(
            f"{max(runs[OURS.label]['swap_mib']):.0f} MiB"
            if OURS.label in runs
            else "–",
            "of swap with three memhogs",
        ),
        tables=[
            Table(
                "Time of memhog, and swap used",
                ("kernel", "first", "second", "third", "swap"),
                [*rows, *PUBLISHED],
            )
        ],
        reading=reading,
        compared=COMPARED,
    )


def steps() -> list[Step]:
    """Return all steps."""
    return [Step("memhog", 180, memhog, VARIANTS)]


BENCHMARK = Benchmark("memhog", steps, draw, describe)
