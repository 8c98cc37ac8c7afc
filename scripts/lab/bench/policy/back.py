# SPDX-License-Identifier: GPL-2.0
"""Benchmarks: how soon is freed memory back at the host?"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from lab.base.waiting import wait_for
from lab.bench.guest import (
    KIB_PER_MIB,
    REST_SECONDS,
    SYSFS,
    Bench,
    Result,
    between,
    hold_memory,
    reaches,
    rest,
    start_program,
    stays_below,
    wait_output,
)
from lab.guest.memory import RssSampler, Sample
from lab.guest.variants import Variant
from lab.guest.vm import Vm

GIVE_UP_SECONDS = 40
HOLD_SECONDS = 2

GUESTS = 6
GUEST_MIB = 1024
NEAR_IDLE = 1.25

CHURN_MIB = 384
MIXED_MIB = 1024
MIXED_SECONDS = 25
CYCLE_SECONDS = 2.5  # the churn's gap of 1 s, and what touching takes

FREE = "killall touch-free"
FREE_AND_WAIT = f"{FREE}; while pidof touch-free >/dev/null; do :; done"
# How a kernel is asked for its free memory.  The stock one has no word for that, but
# since Linux 7.3 its delay can be taken away.
ASK = {
    "ours": f"echo 1 >{SYSFS}/flush",
    "stock": "echo 0 >/sys/module/page_reporting/parameters/page_reporting_delay_ms",
}


@dataclass(frozen=True)
class Freed:
    """What was seen of a guest that freed its memory: times, and KiB at the host.

    @enough is what it has when 95 % are back, @done when the command has ended.
    """

    peak: int
    enough: float
    start: float
    done: float
    samples: list[Sample]


def free_held(bench: Bench, guest: Vm, mib: int, command: str) -> Freed:
    """Hold so much memory for a while, free it with a command, and look on."""
    hold_memory(guest, mib)
    time.sleep(bench.seconds(HOLD_SECONDS))
    peak = guest.rss_kib()
    enough = peak - 0.95 * mib * KIB_PER_MIB
    give_up = bench.seconds(GIVE_UP_SECONDS)
    return Freed(peak, enough, *watch([guest], command, enough, give_up))


def alone(bench: Bench, variant: Variant, full_mib: int) -> Result:
    """Free memory in an idle guest; time until 50 % and 95 % of it are back."""
    mib = bench.mib(full_mib)
    with bench.guest(variant, f"return-{full_mib}", mib) as guest:
        freed = free_held(bench, guest, mib, FREE)
    half = freed.peak - 0.50 * mib * KIB_PER_MIB
    return {
        "freed_mib": mib,
        "seconds_50": reaches(freed.samples, freed.start, half),
        "seconds_95": reaches(freed.samples, freed.start, freed.enough),
    }


def together(bench: Bench, variant: Variant) -> Result:
    """Free memory in several guests at once; time until all are near idle."""
    mib = bench.mib(GUEST_MIB)
    with ExitStack() as stack:
        guests = [
            stack.enter_context(bench.booting(variant, f"many{i}", mib, cpus=1))
            for i in range(max(GUESTS // bench.scale, 2))
        ]
        for guest in guests:
            rest(guest, bench.seconds(REST_SECONDS))
        idle = total_kib(guests)
        for guest in guests:
            start_program(guest, f"touch-free -s 3600 {mib}")
        for guest in guests:
            wait_output(guest, "touch-free", "touched", 600)
        time.sleep(bench.seconds(HOLD_SECONDS))
        peak = total_kib(guests)
        enough = NEAR_IDLE * idle
        give_up = bench.seconds(2 * GIVE_UP_SECONDS)
        start, _, samples = watch(guests, FREE, enough, give_up)
    return {
        "guests": len(guests),
        "freed_mib": mib,
        "idle_mib": idle // KIB_PER_MIB,
        "peak_mib": peak // KIB_PER_MIB,
        "seconds": reaches(samples, start, enough),
    }


def total_kib(guests: list[Vm]) -> int:
    """Return the host memory of several guests."""
    return sum(guest.rss_kib() for guest in guests)


def watch(
    guests: list[Vm], command: str, enough: float, give_up: float
) -> tuple[float, float, list[Sample]]:
    """Run a command in all guests; sample until enough memory is back.

    Return when it was started, when the last guest was done with it, the samples.
    """
    samples: list[Sample] = []

    def done_with(guest: Vm) -> float:
        guest.run(command)
        return time.monotonic()

    def is_back() -> bool:
        samples.append((time.monotonic(), total_kib(guests)))
        return samples[-1][1] <= enough

    with ThreadPoolExecutor(len(guests)) as pool:
        start = time.monotonic()
        waiting = [pool.submit(done_with, guest) for guest in guests]
        wait_for(is_back, give_up)
        done = max(each.result() for each in waiting)
    return start, done, samples


def asked(bench: Bench, variant: Variant, full_mib: int) -> Result:
    """Free memory in an idle guest and ask for it at once.

    Time from the free until the guest has done what it was asked, and until 95 % are
    back; and how much is back when it says that it is done.
    """
    mib = bench.mib(full_mib)
    with bench.guest(variant, f"flush-{full_mib}", mib) as guest:
        command = f"{FREE_AND_WAIT}; {ASK[variant.kernel]}"
        freed = free_held(bench, guest, mib, command)
        freed.samples.append((time.monotonic(), guest.rss_kib()))
    then = next(kib for at, kib in freed.samples if at >= freed.done)
    return {
        "freed_mib": mib,
        "seconds_done": round(freed.done - freed.start, 3),
        "percent_done": round(100 * (freed.peak - then) / (mib * KIB_PER_MIB), 1),
        "seconds_95": reaches(freed.samples, freed.start, freed.enough),
    }


def beside_churn(bench: Bench, variant: Variant) -> Result:
    """Free memory beside a churn that goes on; time until 95 % of it are back.

    What the churn itself gives back and takes again does not count: memory has
    to stay below the highest level of before, less 95 % of what was freed, for
    as long as a cycle takes.
    """
    mib, churn_mib = bench.mib(MIXED_MIB), bench.mib(CHURN_MIB)
    seconds = bench.seconds(MIXED_SECONDS)
    give_up = bench.seconds(GIVE_UP_SECONDS)
    with bench.guest(variant, "mixed", mib + churn_mib) as guest:
        hold_memory(guest, mib)
        run = round(seconds + give_up + CYCLE_SECONDS + 60)
        start_program(guest, f"churn -g 1000 -s {run} {churn_mib}")
        sampler = RssSampler(guest.pid)
        sampler.start()
        time.sleep(seconds)
        start = time.monotonic()
        before = between(sampler.samples, start - 2 * CYCLE_SECONDS, start)
        level = max(kib for _, kib in before) - 0.95 * mib * KIB_PER_MIB
        guest.run("killall touch-free")

        def is_back() -> bool:
            samples = list(sampler.samples)
            return stays_below(samples, start, level, CYCLE_SECONDS) is not None

        wait_for(is_back, give_up + CYCLE_SECONDS)
        samples = sampler.stop()
    return {
        "freed_mib": mib,
        "churn_mib": churn_mib,
        "seconds_95": stays_below(samples, start, level, CYCLE_SECONDS),
    }
