# SPDX-License-Identifier: GPL-2.0
"""Benchmark: is memory reported once for each time that it was freed?

The guest tells after each round which blocks of 2 MiB are free, from
/proc/kpageflags, and QEMU logs which memory it discards.  Neither depends on
the kernel's own counters, so any kernel can be measured.

A block counts as freed when it is free at the end of a round and was not at
the end of the round before, but only once until it is reported.  A block that
is taken and freed within a round is therefore not counted, nor is one that is
still waiting in the end: the redundancy shown is rather too high.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lab.bench.guest import Bench, Result
from lab.guest.variants import Variant
from lab.guest.vm import Vm

BLOCK = 2 << 20
MIB = 1 << 20
PIECES_MIB = 1024
ROUNDS = 30
WAIT_MS = 2000
DRAIN_SECONDS = 20
PROBE = 0x100000  # an address that is RAM in every guest
# The per-CPU lists would keep a page of nearly every block: none became free.
PER_CPU_LISTS = "/proc/sys/vm/percpu_pagelist_high_fraction"
SHORT = 10000
DISCARD = re.compile(r"ram_block_discard_range pc\.ram@0x([0-9a-f]+) \+ 0x([0-9a-f]+):")


def redundancy(bench: Bench, variant: Variant) -> Result:
    """Free small pieces all over memory; compare what is reported to that."""
    mib = bench.mib(PIECES_MIB)
    rounds = max(ROUNDS // bench.scale, 4)
    wait_ms = round(1000 * bench.seconds(WAIT_MS / 1000))
    trace = ("-trace", "ram_block_discard_range")
    with bench.guest(variant, "pieces", mib, arguments=trace) as guest:
        guest.write(PER_CPU_LISTS, SHORT)
        base = host_address(guest)
        log = Discards(guest.console.with_suffix(".qemu.log"), base)
        log.read()
        states, reports = [], []
        command = f"pieces -r {rounds} -w {wait_ms} {mib}"
        for line in guest.stream(command, timeout=600 + rounds * wait_ms / 1000):
            states.append(free_blocks(line))
            reports.append(log.read())
        guest.run(f"sleep {round(bench.seconds(DRAIN_SECONDS))}")
        states.append(states[-1])
        reports.append(log.read())
    return account(states, reports) | {"rounds": rounds, "pieces_mib": mib}


def host_address(guest: Vm) -> int:
    """Return where the guest's memory starts in QEMU."""
    answer = guest.qmp.execute(
        "human-monitor-command", {"command-line": f"gpa2hva {PROBE:#x}"}
    )
    return int(answer.strip().rpartition(" ")[2], 16) - PROBE


class Discards:
    """Reads the blocks that QEMU discarded from its log, as it grows."""

    def __init__(self, path: Path, base: int) -> None:
        self._path = path
        self._base = base
        self._offset = 0

    def read(self) -> list[int]:
        """Return the blocks discarded since the last call."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            data = log.read()
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return list(self._blocks(complete.decode(errors="replace")))

    def _blocks(self, text: str) -> Iterable[int]:
        for found in DISCARD.finditer(text):
            first = int(found[1], 16) - self._base
            yield from range(first // BLOCK, (first + int(found[2], 16)) // BLOCK)


def free_blocks(line: str) -> set[int]:
    """Return the numbers of the free blocks in a line of the guest's program."""
    bits = "".join(f"{int(digit, 16):04b}" for digit in line)
    return {number for number, bit in enumerate(bits) if bit == "1"}


def account(states: list[set[int]], reports: list[list[int]]) -> Result:
    """Return how much was freed since its last report, and how much reported.

    reports[i] are the reports between states[i - 1] and states[i].
    """
    owed: set[int] = set()
    freed = reported = 0
    for before, after, batch in zip(states, states[1:], reports[1:]):
        newly_free = after - before - owed
        freed += len(newly_free)
        owed |= newly_free
        reported += len(batch)
        owed -= set(batch)
    mib = BLOCK // MIB
    return {
        "freed_mib": freed * mib,
        "reported_mib": reported * mib,
        "unreported_mib": len(owed) * mib,
        "redundancy": ratio(reported, freed - len(owed)),
    }


def ratio(reported: int, freed: int) -> float | None:
    """Return how often memory was reported that was freed once."""
    return round(reported / freed, 3) if freed else None
