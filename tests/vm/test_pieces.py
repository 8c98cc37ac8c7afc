# SPDX-License-Identifier: GPL-2.0
"""Free memory that is scattered comes back in pieces, if that is wanted."""

from __future__ import annotations

import re

from conftest import Boot
from lab.guest.vm import Vm
from reporting import SYSFS, start_scatter, tunable, tune, wait_drained, wait_until

KIB_PER_MIB = 1024
SCATTERED_MIB = 1024
PIECE_KIB = 1024  # half a block
BLOCK_PAGES = 1024
SECOND_PFN = (4 << 30) + (128 << 20) >> 12  # of the second memory module
FREE_KIB = SCATTERED_MIB * KIB_PER_MIB // 2


def hold_pieces(vm: Vm, mib: int) -> None:
    """Have a program hold every other piece of its memory, where it is."""
    tune(vm, consolidate_percent=0)
    start_scatter(vm, mib, PIECE_KIB)


def scatter(vm: Vm) -> None:
    """Scatter memory, and have all reported that can be without pieces."""
    hold_pieces(vm, SCATTERED_MIB)
    wait_drained(vm)
    # what can be reported without pieces, per-CPU lists included
    vm.write(f"{SYSFS}/flush", 1)


def test_pieces_come_back(boot: Boot) -> None:
    """Half of the scattered memory is free: it stays until it has an age."""
    with boot("pieces", memory="2G") as vm:
        scatter(vm)
        before = vm.rss_kib()
        assert before >= SCATTERED_MIB * KIB_PER_MIB, "the free half came back already"
        tune(vm, piece_age_ms=500)
        wait_until(lambda: vm.rss_kib() <= before - FREE_KIB // 2, "pieces back")
        # off and on at random while memory comes and goes
        vm.run("churn -g 50 -s 12 256 >/tmp/churn.out 2>&1 &")
        for _ in range(10):
            tune(vm, piece_age_ms=0)
            assert tunable(vm, "piece_age_ms") == 0
            tune(vm, piece_age_ms=1)
        wait_until(
            lambda: bool(re.search(r"cycles=\d+", vm.read("/tmp/churn.out"))), "churn"
        )
        tune(vm, piece_age_ms=0)
        vm.run("killall scatter")
        wait_drained(vm)
        assert vm.trouble() == []


def small_entries(vm: Vm, start_pfn: int) -> int:
    """Return how many pieces from a page frame on are in the trace."""
    entries = re.findall(
        r"page_reporting_entry: .* pfn=(0x[0-9a-f]+) pages=(\d+)",
        vm.read("/sys/kernel/tracing/trace"),
    )
    return sum(
        int(pfn, 16) >= start_pfn and int(pages) < BLOCK_PAGES
        for pfn, pages in entries
    )


def test_memory_comes(boot: Boot) -> None:
    """Pieces of a zone that grows within a segment of blocks are tracked."""
    with boot("pieces-dimm", memory="640M,slots=2,maxmem=4G") as vm:
        # A segment of blocks is 256 MiB, as large as both modules together.
        tune(vm, order=BLOCK_PAGES.bit_length() - 1, piece_age_ms=60000)
        vm.add_dimm("first", 128)
        vm.add_dimm("second", 128)
        hold_pieces(vm, 700)
        vm.write("/sys/kernel/tracing/events/page_reporting/enable", 1)
        tune(vm, piece_age_ms=100)
        wait_until(lambda: small_entries(vm, SECOND_PFN) > 0, "pieces reported")
