# SPDX-License-Identifier: GPL-2.0
"""A device that never answers holds one batch, and nothing once it is gone."""

from __future__ import annotations

import time

from conftest import Boot
from lab.vm import Vm
from reporting import (
    backend,
    be_aggressive,
    managed_pages,
    meminfo_kib,
    silence,
    unbind,
    wait_drained,
    wait_free,
    wait_until,
)

KIB_PER_MIB = 1024


def empty_cpu_lists(vm: Vm) -> None:
    """Bring what the per-CPU lists hold back to the free lists."""
    vm.write("/proc/sys/vm/compact_memory", 1)


def test_silent_device(boot: Boot) -> None:
    """Said once, survived by the guest, and undone by taking the driver off."""
    with boot("silent") as vm:
        be_aggressive(vm)
        wait_drained(vm)
        empty_cpu_lists(vm)
        free, managed = meminfo_kib(vm), managed_pages(vm)
        silence(vm)
        vm.run("touch-free 512", timeout=120)
        wait_until(
            lambda: "host has not answered" in vm.console_text(), "the warning", 30
        )
        held = free - meminfo_kib(vm)
        assert 1 * KIB_PER_MIB < held <= 512 * KIB_PER_MIB, "no batch is held"
        # The guest runs on, allocator and all.
        vm.run("integrity -s 3 -m 64", timeout=120)
        time.sleep(6)
        assert vm.console_text().count("host has not answered") == 1
        unbind(vm)
        assert backend(vm) == "none"
        empty_cpu_lists(vm)
        wait_free(vm, free, tolerance_kib=8 * KIB_PER_MIB)
        assert managed_pages(vm) == managed
