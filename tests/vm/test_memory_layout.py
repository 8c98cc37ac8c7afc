# SPDX-License-Identifier: GPL-2.0
"""NUMA nodes, and memory modules that come and go."""

from __future__ import annotations

from conftest import Boot
from lab.guest.vm import Vm, numa_arguments
from reporting import (
    SYSFS,
    assert_reports,
    be_aggressive,
    bind,
    meminfo_kib,
    traced,
    unbind,
    wait_drained,
    wait_until,
)

KIB_PER_MIB = 1024
# Of 512 MiB freed; the per-CPU lists keep the rest for a while.
MOST_KIB = 384 * KIB_PER_MIB
DIMM_MIB = 1024
# The first address that QEMU gives to a memory module of this machine.
DIMM_PFN = (4 << 30) >> 12
ROOM = "1G,slots=4,maxmem=8G"
# Kernel memory must stay off the module, or it could not be taken away.
MOVABLE = "memhp_default_state=online_movable"


def test_reports_name_the_right_node(boot: Boot) -> None:
    """Memory freed on one of two nodes is reported for this node only."""
    with boot("numa", arguments=numa_arguments(1024, 1024)) as vm:
        be_aggressive(vm)
        wait_drained(vm)
        for node in (0, 1):
            # What the per-CPU lists hold of the other node must not come later.
            vm.write(f"{SYSFS}/flush", 1)
            with traced(vm, "page_reporting_batch") as events:
                vm.run(f"touch-free -n {node} 512", timeout=120)
                wait_drained(vm)
            kib = {0: 0, 1: 0}
            for event in events:
                kib[int(event["nid"])] += int(event["kb"])
            assert kib[node] >= MOST_KIB
            assert kib[1 - node] <= 32 * KIB_PER_MIB


def total_mib(vm: Vm) -> int:
    """Return the guest's memory."""
    return meminfo_kib(vm, "MemTotal") // KIB_PER_MIB


def plug(vm: Vm, dimm: str) -> None:
    """Plug a module in and wait until the guest uses it."""
    before = total_mib(vm)
    vm.add_dimm(dimm, DIMM_MIB)
    wait_until(lambda: total_mib(vm) >= before + DIMM_MIB - 32, "the module in use")


def test_memory_module_in_and_out(boot: Boot) -> None:
    """A module's free memory is reported, and the module can be taken away."""
    with boot("dimm", memory=ROOM, append=MOVABLE) as vm:
        be_aggressive(vm)
        wait_drained(vm)
        before = total_mib(vm)
        for _ in range(2):
            plug(vm, "dimm")
            wait_drained(vm)
            level = vm.rss_kib()
            with traced(vm, "page_reporting_entry") as entries:
                vm.run("touch-free 1400", timeout=300)
                wait_until(lambda: vm.rss_kib() <= level * 1.1, "memory returned")
            assert any(int(e["pfn"], 16) >= DIMM_PFN for e in entries)
            vm.remove_dimm("dimm")
            assert total_mib(vm) == before
            assert_reports(vm)


def test_module_leaves_under_load(boot: Boot) -> None:
    """A module leaves while its blocks are freed and reported all the time."""
    with boot("dimm-load", memory=ROOM, append=MOVABLE, cpus=2) as vm:
        be_aggressive(vm)
        plug(vm, "dimm")
        vm.run("integrity -t 2 -m 256 -s 15 >/tmp/integrity 2>&1 &")
        vm.remove_dimm("dimm")
        wait_until(lambda: "word" in vm.read("/tmp/integrity"), "the verdict")
        assert "no wrong word" in vm.read("/tmp/integrity")
        assert_reports(vm)


def test_module_of_a_second_node(boot: Boot) -> None:
    """A module of a node that had no memory is tracked like any other."""
    arguments = [*numa_arguments(1024), "-numa", "node,nodeid=1"]
    with boot(
        "dimm-node", cpus=1, memory=ROOM, append=MOVABLE, arguments=arguments
    ) as vm:
        be_aggressive(vm)
        before = total_mib(vm)
        for _ in range(2):
            vm.add_dimm("dimm", DIMM_MIB, node=1)
            wait_until(lambda: total_mib(vm) > before + DIMM_MIB - 32, "it in use")
            wait_drained(vm)
            with traced(vm, "page_reporting_batch") as events:
                vm.run("touch-free -n 1 512", timeout=120)
                wait_drained(vm)
            kib = sum(int(e["kb"]) for e in events if e["nid"] == "1")
            assert kib >= MOST_KIB
            vm.remove_dimm("dimm")
            # Of a node that is offline, nothing is left of the backend that went.
            assert vm.read("/sys/devices/system/node/online") == "0"
            bind(vm, unbind(vm))


def test_no_entry_leaves_a_memory_block(boot: Boot) -> None:
    """Modules side by side are regions of their own to the host."""
    arguments = []
    for name in ("first", "second"):
        arguments += ["-object", f"memory-backend-ram,id=ram-{name},size=128M"]
        arguments += ["-device", f"pc-dimm,id={name},memdev=ram-{name}"]
    with boot(
        "dimm-border", memory="768M,slots=4,maxmem=4G", arguments=arguments
    ) as vm:
        wait_drained(vm)
        size = int(vm.read("/sys/devices/system/memory/block_size_bytes"), 16) >> 12
        with traced(vm, "page_reporting_entry") as entries:
            # All memory that is free, in as few entries as there can be.
            vm.write(f"{SYSFS}/flush", "all")
        spans = [(int(e["pfn"], 16), int(e["pages"])) for e in entries]
        modules = sum(pages for pfn, pages in spans if pfn >= DIMM_PFN)
        assert modules << 2 >= 200 * KIB_PER_MIB, "the modules are in use"
        for pfn, pages in spans:
            assert pfn // size == (pfn + pages - 1) // size, f"{pfn:#x}, {pages}"
