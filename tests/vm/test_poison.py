# SPDX-License-Identifier: GPL-2.0
"""Guests that rely on the contents of free pages, and pages that are broken."""

from __future__ import annotations

import pytest
from conftest import Boot
from lab.vm import Vm
from reporting import (
    TRACING,
    assert_reports,
    backend,
    be_aggressive,
    meminfo_kib,
    traced,
    tune,
    wait_drained,
    wait_until,
)

# The kernel's complaint about a free page that does not hold the poison.
CORRUPTION = "pagealloc:"
PAGES_PER_BLOCK = 512
KPF_BUDDY = 1 << 10
KPF_HWPOISON = 1 << 19


def test_poison_unknown_to_the_host(boot: Boot) -> None:
    """A host that cannot preserve the poison is not reported to."""
    balloon = "free-page-reporting=on,page-poison=off"
    with boot("poison-refused", append="page_poison=1", balloon=balloon) as vm:
        assert backend(vm) == "none"
        vm.run("touch-free 256")
        assert CORRUPTION not in vm.console_text()


def test_poison_known_to_the_host(boot: Boot) -> None:
    """A host that knows the poison is reported to, and the poison survives."""
    with boot("poison-known", append="page_poison=1") as vm:
        assert backend(vm) == "virtio-balloon"
        be_aggressive(vm)
        assert_reports(vm)
        assert "no wrong word" in vm.run("integrity -s 10", timeout=60)
        assert CORRUPTION not in vm.console_text()


def test_poison_is_told_again_after_suspend(boot: Boot) -> None:
    """The device was reset; what it does not know it would fill with zeroes."""
    with boot("poison-suspend", append="page_poison=1") as vm:
        be_aggressive(vm)
        vm.write("/sys/module/suspend/parameters/pm_test_delay", 1)
        vm.write("/sys/power/pm_test", "devices")
        vm.write("/sys/power/state", "freeze")
        assert backend(vm) == "virtio-balloon"
        assert_reports(vm)
        vm.run("touch-free 1024", timeout=120)
        assert CORRUPTION not in vm.console_text()


def test_zeroed_free_pages(boot: Boot) -> None:
    """With init_on_free the host discards, as it gives back zeroes."""
    with boot("init-on-free", append="init_on_free=1") as vm:
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
