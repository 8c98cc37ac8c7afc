# SPDX-License-Identifier: GPL-2.0
"""Who counts on memory that the hypervisor keeps, and who does not.

It is shown as free, because nobody uses it.  What decides by how much is free
must not count on it, because it may not come back.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from lab.guest.vm import Vm, numa_arguments
from reporting import (
    SYSFS,
    be_aggressive,
    free_kib,
    meminfo_kib,
    tunable,
    tune,
    wait_until,
)

KIB_PER_MIB = 1024
# What the guest itself takes and frees between two looks.
NOISE_KIB = 24 * KIB_PER_MIB
RESERVE = "/proc/sys/vm/user_reserve_kbytes"
# The more, the shorter the lists of free pages that each processor keeps.
SHORT_LISTS = 100_000


def unbacked_kib(vm: Vm) -> int:
    """Return what is unbacked."""
    return tunable(vm, "unbacked_kb")


def unback(vm: Vm, mib: int) -> None:
    """Have a hypervisor that keeps what it gets, and let it get this much.

    From then on nothing more is reported.
    """
    vm.run("insmod /modules/keeping_backend.ko")
    vm.try_run(f"echo 1 >{SYSFS}/flush")
    wait_until(lambda: unbacked_kib(vm) >= mib * KIB_PER_MIB, f"{mib} MiB unbacked")
    tune(vm, enabled=0)


def dirty_threshold_kib(vm: Vm) -> int:
    """Return how much may be dirty before who makes it so has to wait."""
    return int(vm.run("awk '/^nr_dirty_threshold /{print $2}' /proc/vmstat")) * 4


def usable_kib(vm: Vm) -> int:
    """Return what is free or has files already, unbacked or not."""
    names = ("MemFree", "Active(file)", "Inactive(file)")
    return sum(meminfo_kib(vm, name) for name in names)


def gone_kib(vm: Vm, usable: int) -> int:
    """Return what is unbacked, and what else was taken since this was usable.

    What the boot left may be freed late.
    """
    return unbacked_kib(vm) + usable - usable_kib(vm)


def shorten_lists(vm: Vm) -> None:
    """Have next to nothing in the per-CPU lists, now and later.

    What is in them is free and not in MemFree: a flush brings out what the
    boot left there, which may be more than all else that changes.
    """
    vm.write("/proc/sys/vm/percpu_pagelist_high_fraction", SHORT_LISTS)
    listed = "awk '/ count:/ {pages += $2} END {print pages * 4}' /proc/zoneinfo"
    wait_until(lambda: int(vm.run(listed)) <= NOISE_KIB // 4, "per-CPU lists drained")


def node_free_kib(vm: Vm) -> list[int]:
    """Return the free memory of each node."""
    lines = vm.run("cat /sys/devices/system/node/node*/meminfo | grep MemFree:")
    return [int(line.split()[3]) for line in lines.splitlines()]


@pytest.fixture(name="whole")
def fixture_whole(boot: Boot) -> Iterator[Vm]:
    """Return a guest with two nodes that would give all away, were there a backend."""
    nodes = numa_arguments(1024, 1024)
    with boot("free-counts", balloon=None, arguments=nodes) as vm:
        be_aggressive(vm)
        shorten_lists(vm)
        yield vm


def test_shown_as_free(whole: Vm) -> None:
    """What is unbacked stays in MemFree, of the guest and of each node."""
    free, nodes = free_kib(whole), node_free_kib(whole)
    unback(whole, 1200)
    assert abs(meminfo_kib(whole) - free) <= NOISE_KIB
    for before, after in zip(nodes, node_free_kib(whole), strict=True):
        assert abs(before - after) <= NOISE_KIB
    # busybox's free asks sysinfo(2).
    shown = int(whole.run("free -k | awk '/^Mem:/{print $4}'"))
    assert abs(shown - free) <= NOISE_KIB


def test_not_available(whole: Vm) -> None:
    """What may not come back is not in MemAvailable."""
    available, usable = meminfo_kib(whole, "MemAvailable"), usable_kib(whole)
    unback(whole, 1200)
    lost = available - meminfo_kib(whole, "MemAvailable")
    assert abs(lost - gone_kib(whole, usable)) <= NOISE_KIB


def test_dirty_threshold(whole: Vm) -> None:
    """What may be dirty is a share of what files can have now."""
    threshold, usable = dirty_threshold_kib(whole), usable_kib(whole)
    unback(whole, 1200)
    share = int(whole.read("/proc/sys/vm/dirty_ratio"))
    missing = threshold - dirty_threshold_kib(whole)
    expected = gone_kib(whole, usable) * share // 100
    assert abs(missing - expected) <= NOISE_KIB * share // 100


def test_cma_balance(boot: Boot) -> None:
    """Movable memory comes from a contiguous area that is most of what is left."""
    # One zone, with a gigabyte in which the kernel itself does not lie.
    append = "nokaslr hugetlb_cma=1G"
    with boot("free-cma", balloon=None, memory="2560M", append=append) as vm:
        be_aggressive(vm)
        unback(vm, 1000)
        area = meminfo_kib(vm, "CmaFree")
        other = meminfo_kib(vm) - unbacked_kib(vm) - area
        assert area > other, "the area is not most of what is left"
        vm.run("dd if=/dev/zero of=/tmp/file bs=1M count=32", timeout=120)
        taken = area - meminfo_kib(vm, "CmaFree")
        assert taken >= 24 * KIB_PER_MIB


def test_reserve_for_the_administrator(boot: Boot) -> None:
    """It is not cut because most of what nobody uses is unbacked."""
    room = "1G,slots=1,maxmem=4G"
    movable = "memhp_default_state=online_movable"
    with boot("free-reserve", balloon=None, memory=room, append=movable) as vm:
        be_aggressive(vm)
        vm.add_dimm("dimm", 512)
        vm.write(RESERVE, 400 * KIB_PER_MIB)
        unback(vm, 1000)
        assert meminfo_kib(vm) - unbacked_kib(vm) < 400 * KIB_PER_MIB
        vm.remove_dimm("dimm")
        assert int(vm.read(RESERVE)) == 400 * KIB_PER_MIB
        assert unbacked_kib(vm) >= 500 * KIB_PER_MIB
