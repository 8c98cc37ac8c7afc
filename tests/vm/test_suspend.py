# SPDX-License-Identifier: GPL-2.0
"""Reporting pauses for suspend, resumes after it, and loses nothing."""

from __future__ import annotations

import pytest
from lab.vm import Vm
from reporting import (
    assert_reports,
    backend,
    be_aggressive,
    free_kib,
    managed_pages,
    wait_drained,
    wait_free,
)


@pytest.mark.parametrize("level", ["freezer", "devices"])
def test_suspend_and_resume(vm: Vm, level: str) -> None:
    """Suspend down to a level of /sys/power/pm_test, with memory just freed."""
    be_aggressive(vm)
    vm.write("/sys/module/suspend/parameters/pm_test_delay", 1)
    vm.run("touch-free 512", timeout=120)
    wait_drained(vm)
    free, managed = free_kib(vm), managed_pages(vm)
    vm.write("/sys/power/pm_test", level)
    for _ in range(3):
        vm.run("touch-free 512; echo freeze >/sys/power/state", timeout=120)
        assert backend(vm) == "virtio-balloon"
    wait_drained(vm)
    assert managed_pages(vm) == managed
    wait_free(vm, free, tolerance_kib=5 * 1024)
    assert_reports(vm)
