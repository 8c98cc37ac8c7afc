# SPDX-License-Identifier: GPL-2.0
"""Benchmark: what programs notice of memory that is consolidated beside them.

The emulator counts instructions, each of them a nanosecond of the guest's clock,
so that this host and what else it does make no difference.  The guest has one
virtual CPU, which is the worst case: a run and the programs share it.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.base.waiting import wait_for
from lab.bench.guest import (
    KIB_PER_MIB,
    SYSFS,
    Bench,
    Result,
    start_program,
    wait_output,
)
from lab.bench.runner import Benchmark, Results, Step
from lab.guest.variants import OURS, REPORTING, Variant
from lab.guest.vm import Vm, VmError, kernel_image
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Section, Table, show, verdict

SCATTERED_MIB = 1024
PIECE_KIB = 4
# Not a part of a jiffy, so that it does not always come at the same time of one.
PROBE_US = 997
PROBE_SECONDS, LEAST_PROBE_SECONDS = 4, 1
PROBE_MOST_US = 20_000  # what is later counts as this
FAULT_SECONDS, LEAST_FAULT_SECONDS = 3, 2
COMPUTE_ROUNDS = 2_000_000
PATIENCE_SECONDS = 900  # of this host's
GOAL_WORK, GOAL_P99 = 0.99, 1.05

OFF = Variant("off", "not consolidating", OURS.kernel, REPORTING)
ON = Variant("on", "consolidating", OURS.kernel, REPORTING)
VARIANTS = (OFF, ON)
LOOKS_LIKE = dict(zip((v.name for v in VARIANTS), ("#9db8d6", SHADES["ours"])))


def moved_kib(guest: Vm) -> int:
    """Return how much memory was moved so far."""
    return int(guest.read(f"{SYSFS}/stats/moved_kb"))


def booted(bench: Bench, variant: Variant, name: str) -> Vm:
    """Return a guest to boot, for the memory that is scattered and as much again."""
    return Vm(
        kernel_image(variant.kernel),
        name=f"bench-busy-{name}-{variant.name}",
        accel="icount",
        memory=f"{2 * bench.mib(SCATTERED_MIB) + 256}M",
        cpus=1,
        balloon=variant.balloon,
        append=variant.append,
    )


def scatter(bench: Bench, guest: Vm, variant: Variant) -> None:
    """Have every other page of a program's memory freed."""
    if variant == OFF:
        guest.write(f"{SYSFS}/consolidate_percent", 0)
    start_program(guest, f"scatter -k {PIECE_KIB} {bench.mib(SCATTERED_MIB)}")
    wait_output(guest, "scatter", "scattered", PATIENCE_SECONDS)


def wait_run(guest: Vm, variant: Variant) -> None:
    """Wait until a run has begun, where there is one."""
    if variant == ON and not wait_for(lambda: moved_kib(guest) > 0, PATIENCE_SECONDS):
        raise VmError(f"{guest.name}: nothing was moved in time")


def quantile(delays: dict[int, int], share: float) -> int:
    """Return the delay that so many are not longer than."""
    left = share * sum(delays.values())
    for delay, times in sorted(delays.items()):
        left -= times
        if left <= 0:
            return delay
    return max(delays)


def probe(bench: Bench, variant: Variant) -> Result:
    """See how late a program is, in a run, that wants to run every millisecond."""
    seconds = round(max(bench.seconds(PROBE_SECONDS), LEAST_PROBE_SECONDS))
    wanted = seconds * 1_000_000 // PROBE_US
    command = f"cyclictest -q -i {PROBE_US} -l {wanted} -h {PROBE_MOST_US}"
    with booted(bench, variant, "probe") as guest:
        scatter(bench, guest, variant)
        wait_run(guest, variant)
        before = moved_kib(guest)
        output = guest.run(f"{command} 2>&1 | grep -v ' 000000$'", PATIENCE_SECONDS)
        moved = (moved_kib(guest) - before) // KIB_PER_MIB
    found = re.findall(r"^(\d+) (\d+)$", output, re.MULTILINE)
    delays = {int(delay): int(times) for delay, times in found}
    later = re.search(r"^# Histogram Overflows: (\d+)", output, re.MULTILINE)
    worst = re.search(r"^# Max Latencies: (\d+)", output, re.MULTILINE)
    if not delays or not later or not worst:
        raise VmError(f"cyclictest: {output}")
    delays[PROBE_MOST_US] = int(later[1])
    return {
        "probes": sum(delays.values()),
        "median_us": quantile(delays, 0.5),
        "p99_us": quantile(delays, 0.99),
        "p999_us": quantile(delays, 0.999),
        "worst_us": int(worst[1]),
        "moved_mib": moved,
    }


def faults(bench: Bench, variant: Variant) -> Result:
    """See how many page faults a program takes that begins in the midst of a run."""
    seconds = round(max(bench.seconds(FAULT_SECONDS), LEAST_FAULT_SECONDS))
    with booted(bench, variant, "faults") as guest:
        scatter(bench, guest, variant)
        wait_run(guest, variant)
        before = moved_kib(guest)
        output = guest.run(f"page-fault -m 64 -s {seconds}", PATIENCE_SECONDS)
        moved = (moved_kib(guest) - before) // KIB_PER_MIB
    found = re.search(r"faults=(\d+) seconds=([\d.]+)", output)
    if not found:
        raise VmError(f"page-fault: {output}")
    rate = int(found[1]) / float(found[2])
    return {"per_second": round(rate, 1), "moved_mib": moved}


def compute(bench: Bench, variant: Variant) -> Result:
    """See how far a program gets that needs nothing but the processor, in a run."""
    rounds = max(COMPUTE_ROUNDS // bench.scale, 100_000)
    loop = f"i=0; while [ $i -lt {rounds} ]; do i=$((i + 1)); done"
    with booted(bench, variant, "compute") as guest:
        scatter(bench, guest, variant)
        wait_run(guest, variant)
        before = moved_kib(guest)
        shown = guest.run(
            f"cut -d' ' -f1 /proc/uptime; {loop}; cut -d' ' -f1 /proc/uptime",
            PATIENCE_SECONDS,
        )
        moved = (moved_kib(guest) - before) // KIB_PER_MIB
    began, ended = map(float, shown.split())
    return {"per_second": round(rounds / (ended - began), 1), "moved_mib": moved}


WORK = {"faults": "page faults", "compute": "rounds of a loop"}


def steps() -> list[Step]:
    """Return all steps."""
    return [
        Step("probe", 150, probe, VARIANTS),
        Step("faults", 130, faults, VARIANTS[::-1]),
        Step("compute", 120, compute, VARIANTS),
    ]


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show how late the probe was."""
    figure, axes = panels(1)
    names = ("median", "p99", "p999", "worst")
    for place, variant in enumerate(VARIANTS):
        run = results.get(f"probe/{variant.name}")
        if run:
            at = [number + 0.4 * place - 0.2 for number in range(len(names))]
            heights = [run[f"{each}_us"] for each in names]
            axes[0].bar(
                at, heights, 0.38, color=LOOKS_LIKE[variant.name], label=variant.label
            )
    style(axes[0], "how late a program runs that sleeps for 1 ms (µs)")
    axes[0].set_xticks(range(len(names)), ("median", "99 %", "99.9 %", "worst"))
    axes[0].set_yscale("log")
    legend(axes[0], len(VARIANTS))
    return [save(figure, folder / f"{name}.png")]


def share(results: Results, step: str, figure: str) -> float | None:
    """Return what is left of a figure with consolidation on."""
    off, on = (results.get(f"{step}/{variant.name}") for variant in VARIANTS)
    return on[figure] / off[figure] if off and on else None


def work_rows(results: Results) -> list[tuple[str, ...]]:
    """Return the rows of the table of work."""
    rows: list[tuple[str, ...]] = []
    for step, what in WORK.items():
        off, on = (results.get(f"{step}/{variant.name}") for variant in VARIANTS)
        if off and on:
            rows.append((
                what, f"{off['per_second']:.0f}", f"{on['per_second']:.0f}",
                show(share(results, step, "per_second"), ".3f"),
                str(on["moved_mib"]),
            ))  # fmt: skip
    return rows


def probe_rows(results: Results) -> list[tuple[str, ...]]:
    """Return the rows of the table of delays."""
    rows: list[tuple[str, ...]] = []
    for variant in VARIANTS:
        run = results.get(f"probe/{variant.name}")
        if run:
            figures = ("median_us", "p99_us", "p999_us", "worst_us", "moved_mib")
            rows.append((variant.label, *(str(run[figure]) for figure in figures)))
    return rows


def judge(results: Results) -> list[str]:
    """Compare with the goals."""
    said = []
    for step, what in WORK.items():
        left = share(results, step, "per_second")
        if left is not None:
            said.append(
                f"Of {what} in a second, {left:.1%} are left (goal {GOAL_WORK:.0%}:"
                f" {verdict(left >= GOAL_WORK)})."
            )
    later = share(results, "probe", "p99_us")
    if later is not None:
        said.append(
            f"Of a hundred wake-ups, the latest but one comes {later:.2f} times as late"
            f" (goal {GOAL_P99:g}: {verdict(later <= GOAL_P99)})."
        )
    return said


def describe(results: Results) -> Section:
    """Say what came out."""
    left = share(results, "compute", "per_second")
    return Section(
        title="Programs beside consolidation",
        question="What do programs notice while scattered memory is made whole?",
        how="One virtual CPU, on which every instruction takes a nanosecond, so that"
        " all of it is counted and not timed. Half of a program's memory is free in"
        f" pieces of {PIECE_KIB} KiB. All programs begin in the midst of a run, and run"
        " alone: one that takes page faults, one that needs nothing but the processor,"
        " and one that sleeps for a millisecond at a time (cyclictest). The run ends"
        " when the guest allocates in earnest; beside the others it goes on.",
        headline=(show(left, ".1%"), "of the processor are left to a program that"
                                     " needs all of it"),
        tables=[
            Table("work in a second of the guest's time",
                  ("what", "not consolidating", "consolidating", "share",
                   "MiB moved meanwhile"), work_rows(results)),
            Table("how late a program runs that sleeps for 1 ms (µs)",
                  ("", "median", "99 %", "99.9 %", "worst", "MiB moved"),
                  probe_rows(results)),
        ],
        reading=judge(results),
    )  # fmt: skip


BENCHMARK = Benchmark("busy", steps, draw, describe)
