# SPDX-License-Identifier: GPL-2.0
"""Memory that the hypervisor keeps until it is asked for.

A module stands in for such a hypervisor.  On a real one the same is tested in
tests/xen.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from keeper import PARAMETERS, assert_undamaged, load, refuse, unback, unbacked_kib
from lab.guest.vm import Vm, numa_arguments
from reporting import (
    LARGE,
    SYSFS,
    free_kib,
    managed_pages,
    meminfo_kib,
    stat,
    tune,
    wait_until,
)

KIB_PER_MIB = 1024
MEMORY = "/sys/devices/system/memory"
# The first address that QEMU gives to a memory module of this machine.
DIMM_ADDRESS = 4 << 30
# A guest with a slot for a module, whose memory can go again.
ROOM = "1G,slots=1,maxmem=4G"
MOVABLE = "memhp_default_state=online_movable"
# What the guest itself takes and frees between two looks.
NOISE_KIB = 24 * KIB_PER_MIB


def reclaim_events(vm: Vm) -> int:
    """Return how often the guest had to reclaim, compact or kill."""
    names = "allocstall_|pgscan_direct |pageoutrun|compact_stall|oom_kill"
    lines = vm.run(f"grep -E '^({names})' /proc/vmstat").splitlines()
    return sum(int(line.split()[1]) for line in lines)


@pytest.fixture(name="keeper")
def fixture_keeper(boot: Boot) -> Iterator[Vm]:
    """Return a guest of 2 GiB whose hypervisor keeps what it is given."""
    with boot("unbacked", balloon=None, memory="2G") as vm:
        load(vm)
        unback(vm, 1200 * KIB_PER_MIB)
        yield vm
        assert_undamaged(vm)


@pytest.mark.smoke
def test_counts_as_free_and_comes_back(keeper: Vm) -> None:
    """Unbacked memory is in MemFree, and is there for whoever needs it."""
    total, free = meminfo_kib(keeper, "MemTotal"), free_kib(keeper)
    unbacked, events = unbacked_kib(keeper), reclaim_events(keeper)
    assert free >= unbacked
    tune(keeper, enabled=0)
    keeper.run("touch-free 1500", timeout=300)
    assert unbacked - unbacked_kib(keeper) >= 1000 * KIB_PER_MIB
    assert stat(keeper, "restored_kb") >= 1000 * KIB_PER_MIB
    assert reclaim_events(keeper) == events, "the guest reclaimed"
    assert meminfo_kib(keeper, "MemTotal") == total
    assert abs(free_kib(keeper) - free) <= NOISE_KIB


def test_contents_survive(keeper: Vm) -> None:
    """Memory is given and taken back under load without a wrong word."""
    restored = stat(keeper, "restored_kb")
    # Together far more than what is not unbacked, in small and huge pages.
    output = keeper.run("integrity -t 3 -m 450 -s 30", timeout=300)
    assert "no wrong word" in output
    assert stat(keeper, "restored_kb") - restored >= 500 * KIB_PER_MIB


def test_page_cache_counts_less_than_unbacked_memory(keeper: Vm) -> None:
    """Files in memory stay there while there is unbacked memory to be had."""
    keeper.run("mount -t tmpfs -o size=90% none /tmp")
    keeper.run("dd if=/dev/zero of=/tmp/file bs=1M count=1400", timeout=300)
    assert keeper.run("stat -c %s /tmp/file") == str(1400 << 20)
    assert "0" == keeper.run("awk '/^oom_kill/{print $2}' /proc/vmstat")


def test_refused_memory(keeper: Vm) -> None:
    """A guest that gets nothing back kills what is too large, and lives on."""
    refuse(keeper, True)
    unbacked = unbacked_kib(keeper)
    done = keeper.try_run("touch-free 1500", timeout=300)
    assert done.status != 0, "memory came from nowhere"
    assert unbacked_kib(keeper) >= unbacked
    log = keeper.run("dmesg")
    assert "are unbacked and could not be restored" in log
    # The hypervisor has memory again.
    refuse(keeper, False)
    keeper.run("touch-free 1500", timeout=300)
    assert unbacked_kib(keeper) < unbacked


def test_unload_brings_everything_back(keeper: Vm) -> None:
    """The backend goes, and the guest has all its memory."""
    managed, free = managed_pages(keeper), free_kib(keeper)
    keeper.run("rmmod keeping_backend")
    assert unbacked_kib(keeper) == 0
    assert managed_pages(keeper) == managed
    assert abs(free_kib(keeper) - free) <= NOISE_KIB
    keeper.run("touch-free 1500", timeout=300)
    keeper.run("insmod /modules/keeping_backend.ko")


def test_unload_without_memory(boot: Boot) -> None:
    """What the hypervisor never gives back leaves the guest's memory."""
    with boot("unbacked-lost", balloon=None, memory="2G") as vm:
        load(vm)
        unback(vm, 1200 * KIB_PER_MIB)
        refuse(vm, True)
        tune(vm, enabled=0)
        unbacked, managed = unbacked_kib(vm), managed_pages(vm)
        vm.run("rmmod keeping_backend")
        assert managed - managed_pages(vm) == unbacked // 4
        assert f"did not get {unbacked} kB back" in vm.run("dmesg")
        # The rest is whole, and no hole is ever used.
        assert "no wrong word" in vm.run("integrity -t 1 -m 32 -s 5", timeout=120)
        # Nor will another kernel come across one, or who gets the memory next.
        assert "Device or resource busy" in vm.try_run("kexec-try").output
        assert vm.try_run("echo disk >/sys/power/state", timeout=120).status != 0
        log = vm.run("dmesg")
        assert f"{unbacked} kB were lost to the hypervisor when a backend was" in log


def test_limits(keeper: Vm) -> None:
    """A lowered limit is enforced, and the reserve stays with the guest."""
    limit = 300 * KIB_PER_MIB
    tune(keeper, unbacked_max_kb=limit)
    wait_until(lambda: unbacked_kib(keeper) <= limit, "the limit enforced")
    keeper.run("touch-free 700", timeout=300)
    unback(keeper, limit - 8 * KIB_PER_MIB)
    assert unbacked_kib(keeper) <= limit

    tune(keeper, unbacked_reserve_percent=50, unbacked_max_kb="max")
    keeper.run("touch-free 1500", timeout=300)
    keeper.try_run(f"echo 1 >{SYSFS}/flush")
    usable = meminfo_kib(keeper) - unbacked_kib(keeper)
    assert usable >= meminfo_kib(keeper, "MemTotal") * 0.49 - NOISE_KIB


def test_stays_on_its_node(boot: Boot) -> None:
    """Unbacked memory comes back before an allocation leaves its node."""
    nodes = numa_arguments(1024, 1024)
    with boot("unbacked-numa", balloon=None, arguments=nodes) as vm:
        load(vm)
        unback(vm, 1200 * KIB_PER_MIB)
        tune(vm, enabled=0)
        misses = "cat /sys/devices/system/node/node*/numastat | grep numa_foreign"
        before = vm.run(misses)
        vm.run("taskset 1 touch-free 800", timeout=300)
        assert vm.run(misses) == before
        assert_undamaged(vm)


def test_elsewhere_does_not_help(boot: Boot) -> None:
    """A process that may only use one node is killed, and the other stays unbacked."""
    with boot("unbacked-oom", balloon=None, arguments=numa_arguments(1024, 1024)) as vm:
        load(vm)
        unback(vm, 1200 * KIB_PER_MIB)
        tune(vm, enabled=0)
        done = vm.try_run("memhog 1200m membind 0", timeout=300)
        assert done.status != 0, "memory came from nowhere"
        assert "oom-kill:" in vm.run("dmesg")
        assert unbacked_kib(vm) >= 700 * KIB_PER_MIB
        assert_undamaged(vm)


@LARGE
def test_gigantic_page(boot: Boot) -> None:
    """A contiguous gigabyte is assembled from unbacked memory."""
    # A gigabyte in which the kernel itself does not lie.
    with boot("unbacked-gigantic", balloon=None, memory="5G", append="nokaslr") as vm:
        load(vm)
        unback(vm, 4000 * KIB_PER_MIB)
        vm.write("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", 1)
        assert meminfo_kib(vm, "Hugetlb") == 1 << 20
        assert_undamaged(vm)


def test_dump_leaves_it_out(keeper: Vm) -> None:
    """/proc/kcore shows zeros in its place, and a crash dump knows the type."""
    pages = unbacked_kib(keeper) // 4
    counted, known = keeper.run("kcore", timeout=300).splitlines()
    _, marked, _, away = counted.split()
    # The program has sixteen pages that it must find.
    assert int(marked) >= 16
    # Looking at it, it has some of what it looks at in its own buffer.
    assert int(away) < pages // 100
    assert known.startswith("NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=")


def test_is_counted(keeper: Vm) -> None:
    """The kernel's own counters show it, for the zones and for the system."""
    tune(keeper, enabled=0)
    unbacked = unbacked_kib(keeper)
    assert meminfo_kib(keeper, "Unbacked") == unbacked
    for file in ("/proc/vmstat", "/proc/zoneinfo"):
        total = keeper.run(f"awk '/nr_unbacked/{{n += $2}} END{{print n}}' {file}")
        assert int(total) * 4 == unbacked


def test_hibernation(keeper: Vm) -> None:
    """All memory is back before a hibernation image is made, or none is."""
    keeper.write("/sys/power/pm_test", "freezer")
    unbacked, restored = unbacked_kib(keeper), stat(keeper, "restored_kb")
    keeper.run("echo disk >/sys/power/state", timeout=120)
    assert stat(keeper, "restored_kb") - restored >= unbacked
    unback(keeper, unbacked - NOISE_KIB)

    refuse(keeper, True)
    done = keeper.try_run("echo disk >/sys/power/state", timeout=120)
    assert done.status != 0
    assert "did not get" in keeper.run("dmesg")
    assert unbacked_kib(keeper) >= unbacked - NOISE_KIB
    refuse(keeper, False)


def test_kexec_is_refused(keeper: Vm) -> None:
    """No other kernel starts while memory is missing."""
    refuse(keeper, True)
    done = keeper.try_run("kexec-try")
    assert done.status == 1
    assert "reboot: Device or resource busy" in done.output
    refuse(keeper, False)
    assert "no wrong word" in keeper.run("integrity -t 2 -m 450 -s 10", timeout=300)


def test_kexec_jump(keeper: Vm) -> None:
    """Memory is unbacked again after another kernel has jumped back."""
    unbacked, restored = unbacked_kib(keeper), stat(keeper, "restored_kb")
    keeper.run("kexec-try -j", timeout=120)
    assert stat(keeper, "restored_kb") - restored >= unbacked
    unback(keeper, unbacked - NOISE_KIB)


def test_kexec_gets_everything(boot: Boot) -> None:
    """Another kernel starts when all of the memory is there."""
    with boot("unbacked-kexec", balloon=None, memory="2G") as vm:
        load(vm)
        unback(vm, 1200 * KIB_PER_MIB)
        vm.run("(sleep 1; kexec-try) >/dev/null 2>&1 &")
        # What it starts writes one letter to the console and stops.
        wait_until(lambda: vm.console_text().endswith("K"), "the other kernel")


def first_block(vm: Vm) -> str:
    """Return the first block of the module: what a zone keeps is at its end."""
    size = int(vm.read(f"{MEMORY}/block_size_bytes"), 16)
    return f"{MEMORY}/memory{DIMM_ADDRESS // size}"


def test_memory_module(boot: Boot) -> None:
    """A module leaves with nothing unbacked, or stays if that is not to be had."""
    with boot("unbacked-dimm", balloon=None, memory=ROOM, append=MOVABLE) as vm:
        load(vm)
        vm.add_dimm("dimm", 1024)
        unback(vm, 1400 * KIB_PER_MIB)
        refuse(vm, True)
        block = first_block(vm)
        done = vm.try_run(f"echo offline >{block}/state")
        assert done.status != 0
        assert "stay: unbacked memory did not come back" in vm.run("dmesg")
        assert vm.read(f"{block}/state") == "online"

        refuse(vm, False)
        unbacked = unbacked_kib(vm)
        vm.remove_dimm("dimm")
        assert unbacked - unbacked_kib(vm) >= 900 * KIB_PER_MIB
        assert_undamaged(vm)
        assert "no wrong word" in vm.run("integrity -t 2 -m 300 -s 5", timeout=120)


def offlining_waits(vm: Vm) -> bool:
    """Take all of the module offline; did that wait for a batch?"""
    first = int(first_block(vm).removeprefix(f"{MEMORY}/memory"))
    blocks = [f"{MEMORY}/memory{number}/state" for number in range(first, first + 8)]
    for block in blocks:
        vm.try_run(f"echo online_movable >{block}")
    vm.run("touch-free 900", timeout=300)
    wait_until(lambda: vm.read(f"{PARAMETERS}/busy").strip() == "Y", "a report")
    batches = stat(vm, "batches")
    for block in blocks:
        vm.run(f"echo offline >{block}", 120)
    return stat(vm, "batches") > batches


def test_memory_leaves_during_report(boot: Boot) -> None:
    """Offlining waits for the batch that is with the hypervisor."""
    with boot("unbacked-report", balloon=None, memory=ROOM, append=MOVABLE) as vm:
        vm.add_dimm("dimm", 1024)
        load(vm)
        unback(vm, 1400 * KIB_PER_MIB)
        vm.write(f"{PARAMETERS}/delay_ms", 4000)
        # The batch may be of other memory, or over before the offlining begins.
        assert any(offlining_waits(vm) for _ in range(12)), "no batch of the module"
        vm.write(f"{PARAMETERS}/delay_ms", 0)
        vm.remove_dimm("dimm")
        assert_undamaged(vm)
        assert "no wrong word" in vm.run("integrity -t 2 -m 300 -s 5", timeout=120)
