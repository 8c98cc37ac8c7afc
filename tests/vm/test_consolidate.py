# SPDX-License-Identifier: GPL-2.0
"""Free memory that is in no whole block is made whole and comes back."""

from __future__ import annotations

import re
import time

from conftest import Boot
from lab.guest.vm import Vm
from reporting import SYSFS, start_scatter, stat, tune, wait_drained, wait_until

KIB_PER_MIB = 1024
SCATTERED_MIB = 1024
FREE_KIB = SCATTERED_MIB * KIB_PER_MIB // 2
# Half of the blocks are emptied, and half of what is in each is in use.
LEAST_MOVED_KIB = FREE_KIB // 2
# Longer than the kernel waits before it makes anything whole.
SETTLED_SECONDS = 15


def scatter(vm: Vm) -> None:
    """Have a program hold every other page of its memory, and nothing made whole."""
    tune(vm, consolidate_percent=0)
    start_scatter(vm, SCATTERED_MIB)
    wait_drained(vm)
    vm.write(f"{SYSFS}/flush", 1)


def end_scatter(vm: Vm) -> None:
    """End the program; what it kept has to be as it was."""
    vm.run("killall scatter")
    wait_until(
        lambda: bool(re.search("intact|damaged", vm.run("cat /tmp/scatter.out"))),
        "the end of scatter",
    )
    assert "intact" in vm.run("cat /tmp/scatter.out")


def test_fragments_come_back(boot: Boot) -> None:
    """Half of memory is free in single pages; it comes back, each moved once."""
    with boot("consolidate", memory="2G") as vm:
        scatter(vm)
        before = vm.rss_kib()
        time.sleep(SETTLED_SECONDS)
        assert stat(vm, "moved_kb") == 0
        assert vm.rss_kib() >= SCATTERED_MIB * KIB_PER_MIB, "the free half came back"

        tune(vm, consolidate_percent=100)
        wait_until(lambda: vm.rss_kib() <= before - FREE_KIB * 9 // 10, "it comes back")
        wait_drained(vm)
        made, moved = stat(vm, "consolidated_kb"), stat(vm, "moved_kb")
        assert made >= FREE_KIB * 9 // 10
        assert LEAST_MOVED_KIB * 9 // 10 <= moved <= LEAST_MOVED_KIB * 5 // 4

        # There is nothing to be gained any more, so it is not tried again.
        time.sleep(SETTLED_SECONDS)
        assert stat(vm, "moved_kb") - moved <= LEAST_MOVED_KIB // 20
        end_scatter(vm)
        assert vm.trouble() == []


def test_not_while_it_works(boot: Boot) -> None:
    """A guest that allocates is left alone; when it is done its memory comes back."""
    with boot("consolidate-busy", memory="2G") as vm:
        scatter(vm)
        vm.run(f"churn -g 0 -s {SETTLED_SECONDS} 128 >/tmp/churn.out 2>&1 &")
        tune(vm, consolidate_percent=100)
        wait_until(
            lambda: bool(re.search(r"cycles=\d+", vm.read("/tmp/churn.out"))), "churn"
        )
        moved = stat(vm, "moved_kb")
        wait_until(lambda: stat(vm, "moved_kb") >= LEAST_MOVED_KIB // 2, "moved")
        # What moved before was at most what a look and a slice let through.
        assert moved <= LEAST_MOVED_KIB // 20
        end_scatter(vm)


# Each takes memory away, by address or by moving what is in it, and brings it back.
TAKERS = {
    "offline": "echo offline >$block; echo online_movable >$block",
    "huge": "echo 64 >/proc/sys/vm/nr_hugepages; echo 0 >/proc/sys/vm/nr_hugepages",
    "compact": "echo 1 >/proc/sys/vm/compact_memory",
    "order": f"echo 10 >{SYSFS}/order; echo 9 >{SYSFS}/order",
    "flush": f"echo 1 >{SYSFS}/flush",
}
ROUNDS = 12
BLOCK = "block=/sys/devices/system/memory/memory34/state"


def run_takers(vm: Vm) -> None:
    """Have all of them at work at the same time, and wait for their end."""
    for name, command in TAKERS.items():
        loop = f"for i in $(seq {ROUNDS}); do {command}; done"
        vm.run(f"({BLOCK}; {loop}; echo over) >/tmp/{name}.out 2>&1 &")

    def over() -> bool:
        return all("over" in vm.read(f"/tmp/{name}.out") for name in TAKERS)

    wait_until(over, "all who take memory", 600)


def test_others_move_memory_as_well(boot: Boot) -> None:
    """Offlining, huge pages, compaction, changes of the order: all at once."""
    with boot(
        "consolidate-takers", memory="1G,slots=1,maxmem=8G", cpus=2,
        append="memhp_default_state=online_movable",
    ) as vm:  # fmt: skip
        vm.add_dimm("dimm", 1024)
        wait_until(lambda: vm.try_run(f"{BLOCK}; test -e $block").status == 0, "it")
        tune(vm, consolidate_percent=100)
        start_scatter(vm, 700)
        wait_until(lambda: stat(vm, "moved_kb") > 0, "the run begins")
        run_takers(vm)
        end_scatter(vm)
        assert vm.trouble() == []
        vm.remove_dimm("dimm")
