# SPDX-License-Identifier: GPL-2.0
"""Benchmark: what pieces of blocks bring back, and what they cost.

A guest has memory of which every other piece is free, so that hardly a block is
whole.  The emulator counts instructions, one a nanosecond of the guest's clock,
so that the processor time of the worker is the number of its instructions.  What
whole blocks cost is measured as well, and taken off.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from lab.base.waiting import wait_for
from lab.bench.guest import (
    KIB_PER_MIB,
    SYSFS,
    Bench,
    Result,
    start_program,
    wait_output,
)
from lab.guest.memory import guest_memory
from lab.guest.variants import Variant
from lab.guest.vm import Vm, VmError, kernel_image

PIECES_KIB = (4, 32, 64, 256, 1024)
SMALL_PIECES_KIB = (64,)  # all there is at a smaller scale
SCATTERED_MIB = 2048
ROUNDS = 10
FINE_AGE_MS = 200
QUIET_SECONDS = 3
LEAST_MIB = 16
DRIVER = "/sys/bus/virtio/drivers/virtio_balloon"
GIVE_UP_SECONDS = 300
INSTRUCTIONS_PER_TICK = 10_000_000  # USER_HZ is 100, and a nanosecond is one
COLUMNS = (
    "piece_kib", "back_mib", "huge_before_mib", "huge_after_mib", "batches",
    "pieces_mib", "instructions_per_mib",
)  # fmt: skip


def stat(guest: Vm, name: str) -> int:
    """Return a counter."""
    return int(guest.read(f"{SYSFS}/stats/{name}"))


def worker_ticks(guest: Vm) -> int:
    """Return the processor time of all kernel workers."""
    text = guest.run("cat /proc/[0-9]*/stat 2>/dev/null; true")
    lines = [line.split() for line in text.splitlines() if "(kworker/" in line]
    if not lines:
        raise VmError(f"{guest.name}: no worker in /proc")
    return sum(int(fields[14]) for fields in lines)


def quiet(guest: Vm) -> None:
    """Wait until nothing was reported for a while."""
    last, since = -1, time.monotonic()

    def over() -> bool:
        nonlocal last, since
        now = stat(guest, "batches")
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > QUIET_SECONDS

    if not wait_for(over, GIVE_UP_SECONDS):
        raise VmError(f"{guest.name}: still reports after {GIVE_UP_SECONDS} s")


def report_pieces(guest: Vm) -> None:
    """Switch pieces on, which has all free memory reported again, and off."""
    guest.write(f"{SYSFS}/piece_age_ms", FINE_AGE_MS)
    quiet(guest)
    guest.write(f"{SYSFS}/piece_age_ms", 0)
    quiet(guest)


def report_blocks(guest: Vm) -> None:
    """Have all whole blocks reported twice, as report_pieces() does besides."""
    for _ in range(2):
        # A backend that begins has everything reported.
        guest.run(f"cd {DRIVER} && set virtio* && echo $1 >unbind && echo $1 >bind")
        quiet(guest)


def cost(guest: Vm, repeat: Callable[[Vm], None], rounds: int) -> tuple[float, float]:
    """Return what the worker took, in ticks, and what was reported, in MiB."""
    ticks, reported = worker_ticks(guest), stat(guest, "reported_kb")
    for _ in range(rounds):
        repeat(guest)
    mib = (stat(guest, "reported_kb") - reported) / KIB_PER_MIB
    return worker_ticks(guest) - ticks, mib


def one(bench: Bench, variant: Variant, piece_kib: int) -> list[float | None]:
    """Measure with pieces of one size."""
    mib = bench.mib(SCATTERED_MIB)
    with Vm(
        kernel_image(variant.kernel),
        name=f"bench-fine-{piece_kib}",
        accel="icount",
        memory=f"{mib + mib // 4 + 256}M",
        cpus=1,
        balloon=variant.balloon,
    ) as guest:
        start_program(guest, f"scatter -k {piece_kib} {mib}")
        wait_output(guest, "scatter", "scattered", GIVE_UP_SECONDS)
        quiet(guest)
        guest.write(f"{SYSFS}/flush", "1")
        before = guest_memory(guest.pid)
        batches = stat(guest, "batches")
        report_pieces(guest)
        after = guest_memory(guest.pid)
        batches = stat(guest, "batches") - batches
        rounds = ROUNDS // bench.scale or 1
        all_ticks, all_mib = cost(guest, report_pieces, rounds)
        block_ticks, block_mib = cost(guest, report_blocks, rounds)
    pieces_mib = round((all_mib - block_mib) / rounds)
    instructions = (all_ticks - block_ticks) * INSTRUCTIONS_PER_TICK / rounds
    return [
        piece_kib,
        (before["Rss"] - after["Rss"]) // KIB_PER_MIB,
        before["AnonHugePages"] // KIB_PER_MIB,
        after["AnonHugePages"] // KIB_PER_MIB,
        batches,
        pieces_mib,
        # too few would share the rest of the worker's time
        round(instructions / pieces_mib) if pieces_mib >= LEAST_MIB else None,
    ]


def fine(bench: Bench, variant: Variant) -> Result:
    """Measure with pieces of each size."""
    series: list[list[float | None]] = []
    for piece_kib in PIECES_KIB if bench.scale == 1 else SMALL_PIECES_KIB:
        series.append(one(bench, variant, piece_kib))
        print(f"    {dict(zip(COLUMNS, series[-1]))}", flush=True)
    return {"free_mib": bench.mib(SCATTERED_MIB) // 2, "columns": COLUMNS,
            "series": series}
