# SPDX-License-Identifier: GPL-2.0
"""Others who want the memory of a batch, and what the allocator knows of it."""

from __future__ import annotations

import re

from conftest import Boot
from lab.vm import Vm, numa_arguments
from reporting import (
    be_aggressive,
    stat,
    traced,
    tunable,
    tune,
    unbind,
    wait_drained,
    wait_until,
)

KIB_PER_MIB = 1024
GIGANTIC = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"
TRIES = 8
PIECE_KIB = 1024
SCATTERED_MIB = 512
# The kernel itself takes or returns a pageblock now and then.
FEW_PAGEBLOCKS = 4


def be_slow(vm: Vm, milliseconds: int) -> None:
    """Have the host take so long for each batch."""
    unbind(vm)
    vm.run(f"insmod /modules/broken_backend.ko slow_ms={milliseconds}")


def is_under_way(vm: Vm, before: int) -> bool:
    """Is a batch at the host, or was there one already?"""
    return tunable(vm, "isolated_kb") > 0 or stat(vm, "reported_kb") > before


def test_contiguous_allocations_wait_for_a_batch(boot: Boot) -> None:
    """Who takes memory by address gets it though it is being reported meanwhile."""
    with boot("takers-contiguous", memory="4G") as vm:
        wait_drained(vm)
        be_slow(vm, 300)
        be_aggressive(vm)
        vm.write(GIGANTIC, 1)
        assert int(vm.read(GIGANTIC)) == 1, "no gibibyte in one piece at the start"
        failed = 0
        for _ in range(TRIES):
            # what is freed is due at once, and on its way for 0.3 s
            before = stat(vm, "reported_kb")
            vm.write(GIGANTIC, 0)
            wait_until(lambda: is_under_way(vm, before), "a batch on its way")
            vm.run(f"echo 1 >{GIGANTIC}", timeout=120)
            failed += int(vm.read(GIGANTIC)) != 1
        assert failed == 0, f"{failed} of {TRIES} allocations failed"


def test_a_busy_node_does_not_starve_the_next(boot: Boot) -> None:
    """Memory of a node comes back though the one before always has some."""
    with boot("takers-nodes", arguments=numa_arguments(1024, 1024)) as vm:
        wait_drained(vm)
        be_slow(vm, 600)
        be_aggressive(vm)
        vm.run("(while :; do touch-free -n 0 448; done) >/tmp/busy 2>&1 &")
        wait_until(lambda: stat(vm, "reported_kb") > 0, "the first node busy")
        with traced(vm, "page_reporting_batch") as events:
            vm.run("touch-free -n 1 448", timeout=300)
            wait_until(
                lambda: "nid=1" in vm.run("grep batch: /sys/kernel/tracing/trace"),
                "a report of the second node",
            )
        assert any(event["nid"] == "0" for event in events), "the first was idle"


def unmovable_pageblocks(vm: Vm) -> int:
    """Return how many pageblocks are the kernel's own, over all zones."""
    text = vm.read("/proc/pagetypeinfo")
    header = re.search(r"^Number of blocks type +(.*)$", text, re.MULTILINE)
    assert header
    column = header[1].split().index("Unmovable")
    counts = text[header.end() :]
    lines = re.findall(r"^Node +\d+, zone +\w+ +(\d.*)$", counts, re.MULTILINE)
    return sum(int(line.split()[column]) for line in lines)


def test_pageblocks_keep_their_type(boot: Boot) -> None:
    """Reporting half of a pageblock does not make the kernel's half movable."""
    with boot("takers-types", memory="1G") as vm:
        vm.run(f"scatter -k {PIECE_KIB} {SCATTERED_MIB} >/tmp/scatter.out 2>&1 &")
        wait_until(
            lambda: "scattered" in vm.run("cat /tmp/scatter.out"), "memory scattered"
        )
        wait_drained(vm)
        before = unmovable_pageblocks(vm)
        assert before > 2 * FEW_PAGEBLOCKS
        reported = stat(vm, "reported_kb")
        # pieces, and then blocks, of just the size that the allocator looks at
        tune(vm, fine_age_ms=1)
        wait_until(
            lambda: stat(vm, "reported_kb") - reported >= 64 * KIB_PER_MIB,
            "pieces reported",
        )
        tune(vm, fine_age_ms=0)
        tune(vm, order=8)
        vm.write("/sys/kernel/mm/page_reporting/flush", 1)
        assert unmovable_pageblocks(vm) >= before - FEW_PAGEBLOCKS
