# SPDX-License-Identifier: GPL-2.0
"""A device that never answers holds one batch, and nothing once it is gone."""

from __future__ import annotations

import time

from conftest import Boot
from reporting import (
    backend,
    be_aggressive,
    empty_cpu_lists,
    managed_pages,
    meminfo_kib,
    silence,
    tunable,
    unbind,
    wait_drained,
    wait_free,
    wait_until,
)

KIB_PER_MIB = 1024


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
            lambda: "host has not answered" in vm.console_text(), "the warning"
        )
        held = free - meminfo_kib(vm)
        assert 1 * KIB_PER_MIB < held <= 512 * KIB_PER_MIB, "no batch is held"
        # The per-CPU lists have some as well, and had some before.
        isolated = tunable(vm, "isolated_kb")
        assert 1 * KIB_PER_MIB < isolated <= held + 16 * KIB_PER_MIB
        # The guest runs on, allocator and all.
        vm.run("integrity -s 3 -m 64", timeout=120)
        time.sleep(6)
        assert vm.console_text().count("host has not answered") == 1
        unbind(vm)
        assert backend(vm) == "none"
        assert tunable(vm, "isolated_kb") == 0
        empty_cpu_lists(vm)
        wait_free(vm, free, tolerance_kib=8 * KIB_PER_MIB)
        assert managed_pages(vm) == managed


def test_silent_device_with_a_balloon(boot: Boot) -> None:
    """A balloon is in the way when the driver is taken off: nobody waits for it."""
    with boot("silent-balloon") as vm:
        be_aggressive(vm)
        vm.qmp.execute("balloon", {"value": 1536 << 20})
        wait_until(
            lambda: int(vm.qmp.execute("query-balloon")["actual"]) == 1536 << 20,
            "512 MiB in the balloon",
        )
        wait_drained(vm)
        free = meminfo_kib(vm)
        silence(vm)
        vm.run("touch-free 512", timeout=120)
        wait_until(
            lambda: "host has not answered" in vm.console_text(), "the warning"
        )
        # The balloon's worker now waits for the device, too.
        vm.qmp.execute("balloon", {"value": 1024 << 20})
        time.sleep(1)
        unbind(vm)
        assert backend(vm) == "none"
        empty_cpu_lists(vm)
        wait_free(vm, free + (512 << 10), tolerance_kib=16 * KIB_PER_MIB)
