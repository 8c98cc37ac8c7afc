# SPDX-License-Identifier: GPL-2.0
"""Benchmark: what programs notice of memory that is consolidated beside them.

The emulator counts instructions, each of them a nanosecond of the guest's clock,
so that how fast this host is makes no difference.  The guest has one virtual
CPU, which is the worst case: a run and the programs share it.  All is measured
while the run goes on, and fails if it did not.
"""

from __future__ import annotations

import re
from pathlib import Path

from lab.bench.guest import (
    KIB_PER_MIB,
    SYSFS,
    Bench,
    Result,
    counted_guest,
    start_program,
    wait_output,
)
from lab.bench.runner import Benchmark, Results, Step
from lab.guest.variants import OURS, REPORTING, Variant
from lab.guest.vm import VmError
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Section, Table, show, verdict

# Half of it is free then, and half of the rest has to be moved, in some seconds.
SCATTERED_MIB, LEAST_SCATTERED_MIB = 1024, 256
PIECE_KIB = 4
# Of the time that the run takes with a fifth of the processor.
SECONDS_PER_MIB = 1 / 1024
# Does not divide a jiffy, so that probes drift across it.
PROBE_US = 997
PROBE_MOST_US = 50_000
COMPUTE_ROUNDS_PER_SECOND = 70_000
PATIENCE_SECONDS = 900  # of this host's
GOAL_WORK, GOAL_P99 = 0.99, 1.05

OFF = Variant("off", "not consolidating", OURS.kernel, REPORTING)
ON = Variant("on", "consolidating", OURS.kernel, REPORTING)
VARIANTS = (OFF, ON)
LOOKS_LIKE = dict(zip((v.name for v in VARIANTS), ("#9db8d6", SHADES["ours"])))

MOVED = f"{SYSFS}/stats/moved_kb"
# Looked at seldom enough that the guest counts as calm.
AWAIT_RUN = f'while read kb <{MOVED}; [ "$kb" = 0 ]; do sleep 0.1; done'


def scattered_mib(bench: Bench) -> int:
    """Return how much memory a program scatters."""
    return max(bench.mib(SCATTERED_MIB), LEAST_SCATTERED_MIB)


def seconds(bench: Bench) -> float:
    """Return for how long to measure: not as long as the run takes."""
    return scattered_mib(bench) * SECONDS_PER_MIB


def beside_run(
    bench: Bench, variant: Variant, name: str, program: str, lasting: bool = True
) -> tuple[str, int]:
    """Run a program from the beginning of a run on.

    Return its output and how many MiB were moved meanwhile.  A run that does not
    last is one that the program ends.
    """
    mib = scattered_mib(bench)
    begin = f"{AWAIT_RUN}; " if variant == ON else ""
    with counted_guest(variant, f"busy-{name}", f"{2 * mib + 256}M") as guest:
        if variant == OFF:
            guest.write(f"{SYSFS}/consolidate_percent", 0)
        start_program(guest, f"scatter -k {PIECE_KIB} {mib}")
        wait_output(guest, "scatter", "scattered", PATIENCE_SECONDS)
        shown = guest.run(
            f"{begin}cat {MOVED}; {program}; cat {MOVED}; sleep 1; cat {MOVED}",
            PATIENCE_SECONDS,
        )
    first, *output, after, later = shown.splitlines()
    if variant == ON and lasting and int(later) == int(after):
        raise VmError(
            f"the run was over before the program ({name}) was:"
            f" moved {first} KiB before, {after} meanwhile, {later} in the end"
        )
    return "\n".join(output), (int(after) - int(first)) // KIB_PER_MIB


def with_skipped(delays: dict[int, int]) -> dict[int, int]:
    """Add the probes that cyclictest skips while one of them is late."""
    found = dict(delays)
    for delay, times in delays.items():
        for earlier in range(delay - PROBE_US, 0, -PROBE_US):
            found[earlier] = found.get(earlier, 0) + times
    return found


def quantile(delays: dict[int, int], share: float) -> int:
    """Return the least delay that at least this share of probes do not exceed."""
    left = share * sum(delays.values())
    for delay, times in sorted(delays.items()):
        left -= times
        if left <= 0:
            return delay
    return max(delays)


def probe(bench: Bench, variant: Variant) -> Result:
    """See how late a program is that wants to run every millisecond."""
    wanted = round(seconds(bench) * 1_000_000 / PROBE_US)
    output, moved = beside_run(
        bench,
        variant,
        "probe",
        f"cyclictest -q -i {PROBE_US} -l {wanted} -h {PROBE_MOST_US} 2>&1"
        " | grep -v ' 000000$'",
    )
    found = re.findall(r"^(\d+) (\d+)$", output, re.MULTILINE)
    delays = with_skipped({int(delay): int(times) for delay, times in found})
    later = re.search(r"^# Histogram Overflows: (\d+)", output, re.MULTILINE)
    if not delays or not later or int(later[1]):
        raise VmError(f"cyclictest: {output}")
    return {
        "probes": sum(delays.values()),
        "median_us": quantile(delays, 0.5),
        "p90_us": quantile(delays, 0.9),
        "p99_us": quantile(delays, 0.99),
        "worst_us": max(delays),
        "moved_mib": moved,
    }


def faults(bench: Bench, variant: Variant) -> Result:
    """See how many page faults a program takes that begins in the midst of a run."""
    program = "page-fault -m 64 -s 1"
    output, moved = beside_run(bench, variant, "faults", program, lasting=False)
    found = re.search(r"faults=(\d+) seconds=([\d.]+)", output)
    if not found:
        raise VmError(f"page-fault: {output}")
    rate = int(found[1]) / float(found[2])
    return {"per_second": round(rate, 1), "moved_mib": moved}


def compute(bench: Bench, variant: Variant) -> Result:
    """See how far a program gets that needs nothing but the processor."""
    rounds = round(seconds(bench) * COMPUTE_ROUNDS_PER_SECOND)
    now = "read began rest </proc/uptime"
    loop = f"i=0; while [ $i -lt {rounds} ]; do i=$((i + 1)); done"
    program = f'{now}; echo "$began"; {loop}; {now}; echo "$began"'
    output, moved = beside_run(bench, variant, "compute", program)
    began, ended = map(float, output.split())
    return {"per_second": round(rounds / (ended - began), 1), "moved_mib": moved}


WORK = {
    "faults": ("page faults", ", the run ends too late"),
    "compute": ("rounds of a loop", ", a run may have a fifth"),
}
SLICE = ", it waits for a slice"


def steps() -> list[Step]:
    """Return all steps."""
    return [
        Step("probe", 90, probe, VARIANTS),
        Step("faults", 100, faults, VARIANTS[::-1]),
        Step("compute", 90, compute, VARIANTS),
    ]


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show how late the probe was."""
    figure, axes = panels(1)
    names = ("median", "p90", "p99", "worst")
    for place, variant in enumerate(VARIANTS):
        run = results.get(f"probe/{variant.name}")
        if run:
            at = [number + 0.4 * place - 0.2 for number in range(len(names))]
            heights = [run[f"{each}_us"] for each in names]
            axes[0].bar(
                at, heights, 0.38, color=LOOKS_LIKE[variant.name], label=variant.label
            )
    style(axes[0], "how late a program runs that sleeps for 1 ms (µs)")
    axes[0].set_xticks(range(len(names)), ("median", "90 %", "99 %", "worst"))
    if axes[0].has_data():
        axes[0].set_yscale("log")
    legend(axes[0], len(VARIANTS))
    return [save(figure, folder / f"{name}.png")]


def figures(results: Results, step: str, name: str) -> list[float | None]:
    """Return a figure without and with consolidation, as far as there is one."""
    runs = [results.get(f"{step}/{variant.name}") for variant in VARIANTS]
    return [run[name] if run else None for run in runs]


def share(results: Results, step: str, name: str) -> float | None:
    """Return what is left of a figure with consolidation on."""
    off, on = figures(results, step, name)
    return on / off if off and on else None


def work_rows(results: Results) -> list[tuple[str, ...]]:
    """Return the rows of the table of work."""
    rows: list[tuple[str, ...]] = []
    for step, (what, _reason) in WORK.items():
        rates = figures(results, step, "per_second")
        if any(rates):
            left = share(results, step, "per_second")
            moved = figures(results, step, "moved_mib")[-1]
            rows.append((what, *(show(rate, ".0f") for rate in rates),
                         show(left, ".3f"), show(moved, ".0f")))  # fmt: skip
    return rows


def probe_rows(results: Results) -> list[tuple[str, ...]]:
    """Return the rows of the table of delays."""
    rows: list[tuple[str, ...]] = []
    for variant in VARIANTS:
        run = results.get(f"probe/{variant.name}")
        if run:
            names = ("median_us", "p90_us", "p99_us", "worst_us", "moved_mib")
            rows.append((variant.label, *(str(run[name]) for name in names)))
    return rows


def compare(what: str, goal: str, reached: bool, reason: str) -> str:
    """Say whether a goal was reached, and if not, why."""
    return f"{what} (goal {goal}: {verdict(reached)}{'' if reached else reason})"


def judge(results: Results) -> list[str]:
    """Compare with the goals."""
    said = []
    for step, (what, reason) in WORK.items():
        left = share(results, step, "per_second")
        if left is not None:
            said.append(
                compare(f"{100 * left:.1f} % of {what}", f"{100 * GOAL_WORK:.0f} %",
                        left >= GOAL_WORK, reason)
            )  # fmt: skip
    later = share(results, "probe", "p99_us")
    if later is not None:
        said.append(
            compare(f"the latest but one of 100 wake-ups is {later:.1f} times as late",
                    f"{GOAL_P99:g}", later <= GOAL_P99, SLICE)
        )  # fmt: skip
    return [f"Left beside a run: {'; '.join(said)}."]


def describe(results: Results) -> Section:
    """Say what came out."""
    left = share(results, "compute", "per_second")
    tables = [
        Table("work in a second of the guest's time",
              ("what", "not consolidating", "consolidating", "share",
               "MiB moved meanwhile"), work_rows(results)),
        Table("how late a program runs that sleeps for 1 ms (µs)",
              ("", "median", "90 %", "99 %", "worst", "MiB moved meanwhile"),
              probe_rows(results)),
    ]  # fmt: skip
    return Section(
        title="Programs beside consolidation",
        question="What do programs notice while scattered memory is made whole?",
        how="One virtual CPU, on which every instruction takes a nanosecond: time is"
        " the number of instructions executed. Half of a program's memory is free in"
        f" pieces of {PIECE_KIB} KiB. From the beginning of a run on, one of these"
        " programs runs, and is over before the run is: one that takes page faults, one"
        " that needs nothing but the processor, and one that sleeps for a millisecond"
        " at a time (cyclictest; 50 µs are the slack of the kernel's timers). The"
        " first one ends the run, because it allocates.",
        headline=(show(left and 100 * left) + " %", "of the processor left"),
        tables=[table for table in tables if table.rows],
        reading=judge(results),
    )  # fmt: skip


BENCHMARK = Benchmark("busy", steps, draw, describe)
