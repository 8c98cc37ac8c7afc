# SPDX-License-Identifier: GPL-2.0
"""Guests that rely on the contents of free pages, and pages that are broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    TRACING,
    backend,
    balloon_slot,
    be_aggressive,
    bind,
    empty_cpu_lists,
    free_kib,
    meminfo_kib,
    stat,
    traced,
    tunable,
    tune,
    unbind,
    wait_drained,
    wait_free,
    wait_until,
)

# The kernel's complaint about a free page that does not hold the poison.
CORRUPTION = "pagealloc:"
# What the driver says when it does not report because of the poison.
REFUSED = "free pages are not reported: they are poisoned with 0xaaaaaaaa"
PAGES_PER_BLOCK = 512
KPF_BUDDY = 1 << 10
KPF_HWPOISON = 1 << 19


def test_poison_unknown_to_the_host(boot: Boot) -> None:
    """A host that does not know of the poison is not reported to."""
    balloon = "free-page-reporting=on,page-poison=off"
    with boot("poison-refused", append="page_poison=1", balloon=balloon) as vm:
        assert backend(vm) == "none"
        vm.run("touch-free 256")
        assert CORRUPTION not in vm.console_text()


@pytest.fixture(name="poisoned")
def fixture_poisoned(boot: Boot) -> Iterator[Vm]:
    """Return a guest that poisons free pages, on a host that knows of it."""
    with boot("poison-known", append="page_poison=1") as vm:
        yield vm
        assert CORRUPTION not in vm.console_text()


def test_nothing_is_reported_with_a_poison(poisoned: Vm) -> None:
    """No host can take memory that is not zero: said once, nothing done."""
    free = free_kib(poisoned)
    assert backend(poisoned) == "none"
    poisoned.run("touch-free 512", timeout=120)
    bind(poisoned, unbind(poisoned))
    assert poisoned.console_text().count(REFUSED) == 1
    assert backend(poisoned) == "none"
    assert tunable(poisoned, "pending_kb") == 0
    assert stat(poisoned, "reported_kb") == stat(poisoned, "batches") == 0
    empty_cpu_lists(poisoned)
    wait_free(poisoned, free, tolerance_kib=8 << 10)
    assert "no wrong word" in poisoned.run("integrity -s 10", timeout=120)


def leave_to_guest(vm: Vm, mib: int) -> None:
    """Have the balloon take all but so much memory."""
    vm.qmp.execute("balloon", {"value": mib << 20})
    wait_until(
        lambda: int(vm.qmp.execute("query-balloon")["actual"]) == mib << 20,
        f"{mib} MiB left to the guest",
    )


def test_balloon_with_a_poison(poisoned: Vm) -> None:
    """The balloon itself works: it takes half the memory and returns it."""
    total, rss = meminfo_kib(poisoned, "MemTotal"), poisoned.rss_kib()
    leave_to_guest(poisoned, 1024)
    assert meminfo_kib(poisoned, "MemTotal") == total - (1024 << 10)
    assert poisoned.rss_kib() < rss - (512 << 10), "the host gained nothing"
    leave_to_guest(poisoned, 2048)
    assert meminfo_kib(poisoned, "MemTotal") == total


def poison_of_the_device(vm: Vm) -> int:
    """Return the poison that the device was told of, as the device has it."""
    bar = vm.read(f"/sys/bus/pci/devices/{balloon_slot(vm)}/resource").splitlines()[4]
    # QEMU has the configuration there, of which the poison is the fourth word.
    address = int(bar.split()[0], 16) + 0x2000 + 12
    command = {"command-line": f"xp /1wx {address:#x}"}
    return int(vm.qmp.execute("human-monitor-command", command).split()[-1], 16)


def test_poison_is_told_again_after_suspend(poisoned: Vm) -> None:
    """The device was reset, and forgot what free pages contain."""
    assert poison_of_the_device(poisoned) == 0xAAAAAAAA
    poisoned.write("/sys/module/suspend/parameters/pm_test_delay", 1)
    poisoned.write("/sys/power/pm_test", "devices")
    poisoned.write("/sys/power/state", "freeze")
    assert poison_of_the_device(poisoned) == 0xAAAAAAAA
    assert poisoned.console_text().count(REFUSED) == 1
    assert backend(poisoned) == "none"


def test_zeroed_free_pages(boot: Boot) -> None:
    """With init_on_free the host discards, as it gives back zeroes."""
    with boot("init-on-free", append="init_on_free=1") as vm:
        assert backend(vm) == "virtio-balloon"
        be_aggressive(vm)
        wait_drained(vm)
        level = vm.rss_kib()
        vm.run("touch-free 512", timeout=120)
        wait_until(lambda: vm.rss_kib() <= level * 1.1, f"RSS near {level} KiB")
        assert "no wrong word" in vm.run("integrity -s 10", timeout=60)


def flags(vm: Vm, pfn: int, count: int) -> list[int]:
    """Return the flags of pages, see Documentation/admin-guide/mm/pagemap.rst."""
    dump = vm.run(
        f"dd if=/proc/kpageflags bs=8 skip={pfn} count={count} 2>/dev/null |"
        " od -v -An -t x8 -w8"
    )
    return [int(line, 16) for line in dump.split()]


def free_block(vm: Vm) -> int:
    """Return the first page of a block that is free as a whole."""
    for pfn in range(64 << 8, 512 << 8, PAGES_PER_BLOCK):
        if all(flag & KPF_BUDDY for flag in flags(vm, pfn, PAGES_PER_BLOCK)):
            return pfn
    raise AssertionError("no free block below 512 MiB")


@pytest.mark.parametrize("order", [9, 0])
def test_broken_page_is_never_reported(boot: Boot, order: int) -> None:
    """A free page that has failed is not reported, whatever happens around it."""
    with boot(f"hwpoison-order{order}") as vm:
        be_aggressive(vm)
        tune(vm, order=order)
        wait_drained(vm)
        broken = free_block(vm) + 77
        vm.write("/sys/devices/system/memory/hard_offline_page", broken << 12)
        assert flags(vm, broken, 1)[0] & KPF_HWPOISON
        event = f"{TRACING}/events/page_reporting/page_reporting_entry"
        vm.run(f"echo 'pfn <= {broken}' >{event}/filter")
        with traced(vm, "page_reporting_entry") as entries:
            most = (meminfo_kib(vm, "MemAvailable") >> 10) - 128
            vm.run(f"touch-free -p 4k {most}", timeout=300)
            wait_drained(vm)
        assert len(entries) > 0
        for entry in entries:
            first, pages = int(entry["pfn"], 16), int(entry["pages"])
            assert not first <= broken < first + pages, entry
