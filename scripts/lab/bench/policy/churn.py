# SPDX-License-Identifier: GPL-2.0
"""Benchmarks: a guest that needs again what it frees, and the age over time."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from statistics import mean

from lab.bench.guest import (
    KIB_PER_MIB,
    SYSFS,
    Bench,
    Result,
    between,
    counted_guest,
    hold_memory,
    minor_faults,
    rest,
    start_program,
)
from lab.guest.memory import RssSampler, sum_of_rises
from lab.guest.variants import OURS, Variant
from lab.guest.vm import VmError

GAPS = (0.1, 0.4, 1.0, 2.0, 4.0)
CHURN_MIB = 384
WARM_MIB = 1229
CHURN_SECONDS = 60
LEARNING_CYCLES = 2
COUNTED_CYCLES = 40

# What the programs of each pattern do, one after the other: MiB, the gap in ms
# and for how many seconds; no MiB are a rest.
PATTERNS = {
    "steady": ((384, 1000, 60),),
    "bursty": ((384, 100, 3), (0, 0, 17)) * 3,
    "changing": ((384, 200, 15), (128, 3000, 15), (640, 1000, 15), (64, 500, 15)),
}
PEACE_SECONDS = 60  # at the end of a pattern
LOOKS_PER_SECOND = 4


@dataclass(frozen=True)
class Churn:
    """What a churn cost; shares are of the churned memory, in percent."""

    gap: float
    churned_mib: int
    cycles: int
    mean_ms: float
    risen_mib: int
    risen_percent: float
    learned_risen_mib: int
    learned_percent: float
    host_faults: int


def churn(bench: Bench, variant: Variant, gap: float) -> Result:
    """Take and free memory with a gap; count what the host had to give again.

    Before, the guest uses as much memory as the churn may touch and frees it,
    so that no rise is that of memory which was never used.
    """
    mib, warm_mib = bench.mib(CHURN_MIB), bench.mib(WARM_MIB)
    seconds = max(bench.seconds(CHURN_SECONDS), (LEARNING_CYCLES + 2) * gap)
    with bench.guest(variant, f"churn-{gap:g}", 4 * mib) as guest:
        hold_memory(guest, warm_mib)
        guest.run("killall touch-free")
        rest(guest, bench.seconds(3))
        sampler = RssSampler(guest.pid)
        sampler.start()
        faults = minor_faults(guest)
        start = time.monotonic()
        command = f"churn -v -g {round(gap * 1000)} -s {round(seconds)} {mib}"
        lines = [(time.monotonic(), line) for line in guest.stream(command, 600)]
        faults = minor_faults(guest) - faults
        samples = sampler.stop()
    ends = [at for at, line in lines if line.startswith("cycle ")]
    total = re.fullmatch(r"cycles=(\d+) mean_ms=([\d.]+)", lines[-1][1])
    if not total or len(ends) <= LEARNING_CYCLES:
        raise VmError(f"churn: {len(ends)} cycles and {lines[-1][1]!r} at the end")
    learned = ends[LEARNING_CYCLES - 1]
    risen = sum_of_rises(between(samples, start, ends[-1])) / KIB_PER_MIB
    later = sum_of_rises(between(samples, learned, ends[-1])) / KIB_PER_MIB
    return asdict(
        Churn(
            gap=gap,
            churned_mib=mib,
            cycles=int(total[1]),
            mean_ms=float(total[2]),
            risen_mib=round(risen),
            risen_percent=round(100 * risen / (mib * len(ends)), 1),
            learned_risen_mib=round(later),
            learned_percent=round(
                100 * later / (mib * (len(ends) - LEARNING_CYCLES)), 1
            ),
            host_faults=faults,
        )
    )


def counted(bench: Bench, variant: Variant, gap: float) -> Result:
    """Count the guest's instructions in a cycle, on one virtual CPU.

    Boots, hosts and what else these do make no difference to that.  It is what
    taking, touching and freeing the memory takes, and whatever comes between;
    what a pass does in a gap keeps nothing waiting.
    """
    mib = bench.mib(CHURN_MIB)
    cycles = LEARNING_CYCLES + max(COUNTED_CYCLES // bench.scale, 3)
    with counted_guest(variant, f"counted-{gap:g}", f"{4 * mib + 512}M") as guest:
        # What is free after the boot is reported first; it sleeps without waiting.
        command = f"sleep 60; churn -v -g {round(gap * 1000)} -n {cycles} {mib}"
        output = guest.run(command, 1200)
    busy = [float(ms) for ms in re.findall(r"busy_ms=([\d.]+)", output)]
    if len(busy) != cycles:
        raise VmError(f"churn: {len(busy)} cycles instead of {cycles}")
    # the emulated clock advances a nanosecond with each instruction
    return {"gap": gap, "million_instructions": round(mean(busy[LEARNING_CYCLES:]), 3)}


def age(bench: Bench, pattern: str) -> Result:
    """Follow what is retained, and what waits, while the use changes."""
    steps = PATTERNS[pattern]
    largest = max(bench.mib(mib) for mib, _, _ in steps)
    with bench.guest(OURS, f"age-{pattern}", 4 * largest) as guest:
        script, total = [], bench.seconds(PEACE_SECONDS)
        for mib, gap_ms, full_seconds in steps:
            seconds = round(bench.seconds(full_seconds))
            total += seconds
            program = f"churn -g {gap_ms} -s {seconds} {bench.mib(mib)}"
            script.append(program if mib else f"sleep {seconds}")
        start_program(guest, f"sh -c '{'; '.join(script)}'")
        sampler = RssSampler(guest.pid)
        sampler.start()
        start = time.monotonic()
        series = []
        files = f"{SYSFS}/current_age_ms {SYSFS}/pending_kb"
        while time.monotonic() < start + total:
            age_ms, pending_kib = map(int, guest.run(f"cat {files}").split())
            at = round(time.monotonic() - start, 2)
            have = guest.rss_kib() // KIB_PER_MIB
            series.append((at, age_ms, pending_kib // KIB_PER_MIB, have))
            time.sleep(1 / LOOKS_PER_SECOND)
        rises = sum_of_rises(sampler.stop()) // KIB_PER_MIB
    return {
        "pattern": "; ".join(script),
        "columns": ["seconds", "current_age_ms", "pending_mib", "host_mib"],
        "series": series,
        "risen_mib": rises,
    }
