# SPDX-License-Identifier: GPL-2.0
"""Reporting pauses for suspend, resumes after it, and loses nothing."""

from __future__ import annotations

import re

import pytest
from conftest import Boot
from lab.guest.vm import BALLOON, Vm
from reporting import (
    NOT_ANSWERED,
    assert_reports,
    backend,
    be_aggressive,
    free_kib,
    leave_batch_at_host,
    managed_pages,
    rebind_after_silence,
    retain_nothing,
    stat,
    tune,
    wait_drained,
    wait_free,
    wait_until,
)


ENABLED = "backend virtio-balloon enabled"


@pytest.mark.parametrize("level", ["freezer", "devices"])
def test_suspend_and_resume(vm: Vm, level: str) -> None:
    """Suspend down to a level of /sys/power/pm_test, with memory just freed."""
    be_aggressive(vm)
    vm.write("/sys/module/suspend/parameters/pm_test_delay", 1)
    vm.run("touch-free 512", timeout=120)
    wait_drained(vm)
    free, managed = free_kib(vm), managed_pages(vm)
    vm.write("/sys/power/pm_test", level)
    enabled = vm.console_text().count(ENABLED)
    for _ in range(3):
        vm.run("touch-free 512; echo freeze >/sys/power/state", timeout=120)
        assert backend(vm) == "virtio-balloon"
    wait_drained(vm)
    assert managed_pages(vm) == managed
    # The core has paused, and the driver had nothing to do about it.
    assert vm.console_text().count(ENABLED) == enabled
    wait_free(vm, free, tolerance_kib=5 * 1024)
    assert_reports(vm)


def be_patient(vm: Vm) -> None:
    """Have the kernel not take a test of hibernation for a lockup.

    It waits in 5000 delays of a millisecond, each of which a busy host draws out.
    """
    vm.write("/proc/sys/kernel/watchdog_thresh", 60)


@pytest.mark.parametrize(("state", "anew"), [("freeze", False), ("disk", True)])
def test_what_is_reported_anew(vm: Vm, state: str, anew: bool) -> None:
    """After hibernation another kernel has used the memory, after suspend not."""
    be_aggressive(vm)
    be_patient(vm)
    vm.write("/sys/module/suspend/parameters/pm_test_delay", 1)
    vm.write("/sys/power/pm_test", "freezer")
    wait_drained(vm)
    free, before = free_kib(vm), stat(vm, "reported_kb")
    refaulted = stat(vm, "refaulted_kb")
    vm.run(f"echo {state} >/sys/power/state", timeout=120)
    wait_drained(vm)
    again = stat(vm, "reported_kb") - before
    if anew:
        assert again > free // 2
        assert stat(vm, "refaulted_kb") - refaulted < free // 10
    else:
        assert again < free // 2


def suspend_often(vm: Vm, times: int) -> None:
    """Suspend to idle, in turn down to the devices and only to frozen tasks.

    The devices are gone for a second, which is longer than memory waits to be reported:
    what is freed just before, and what the per-CPU lists let go of then, would be due.
    In between hibernation is begun: it shrinks what can be shrunk, and gives up when
    there is no room for its image.
    """
    for number in range(1, times + 1):
        devices = bool(number % 4)
        vm.write("/sys/power/pm_test", "devices" if devices else "freezer")
        vm.write("/sys/module/suspend/parameters/pm_test_delay", int(devices))
        if number % 10:
            vm.write("/sys/power/state", "freeze")
        else:
            done = vm.try_run("echo disk >/sys/power/state")
            assert not done.status or "Cannot allocate memory" in done.output


@pytest.mark.parametrize("times", [12, pytest.param(40, marks=pytest.mark.long)])
def test_suspended_often_under_load(boot: Boot, times: int) -> None:
    """Memory is allocated and freed all the time, and the balloon can shrink.

    What the stock kernel once did when memory was freed while it suspended, and what
    the notifiers of its driver could do: use a queue that is gone (CVE-2026-74481).
    Here the core is paused, and its worker is frozen besides: without both, a report
    finds what the freed queue was filled with, and fails.
    """
    balloon = f"{BALLOON},free-page-hint=on,deflate-on-oom=on,iothread=io"
    options = {"balloon": balloon, "arguments": ["-object", "iothread,id=io"]}
    # Objects are filled with a pattern when they are freed, and checked.
    debugging = "slub_debug=FZPU"
    with boot("suspend-often", cpus=4, memory="1G", append=debugging, **options) as vm:
        retain_nothing(vm)
        be_patient(vm)
        tune(vm, order=0, age_ms=300)
        vm.qmp.execute("balloon", {"value": 900 << 20})
        before = stat(vm, "reported_kb")
        load = "while [ -e /tmp/load ]; do touch-free 300; done"
        vm.run(f"touch /tmp/load; for i in 1 2; do ({load}) >/dev/null 2>&1 & done")
        suspend_often(vm, times)
        assert backend(vm) == "virtio-balloon", "a report failed"
        enough = before + 1024 * 1024
        wait_until(lambda: stat(vm, "reported_kb") > enough, "1 GiB reported")
        vm.run("rm /tmp/load")
        wait_until(lambda: vm.try_run("pidof touch-free").status != 0, "its end")
        wait_drained(vm)
        assert_reports(vm)


def log_time(vm: Vm, text: str) -> float:
    """Return the time of the last line of the kernel's log with this text."""
    times = re.findall(rf"\[ *([\d.]+)\] .*{re.escape(text)}", vm.console_text())
    assert times, f"nothing in the log of {text!r}"
    return float(times[-1])


def test_suspend_with_a_silent_device(boot: Boot) -> None:
    """It is refused soon, with the reason, until the driver was taken off."""
    with boot("suspend-silent") as vm:
        be_aggressive(vm)
        wait_drained(vm)
        vm.write("/sys/module/suspend/parameters/pm_test_delay", 1)
        vm.write("/sys/power/pm_test", "devices")
        leave_batch_at_host(vm)
        for refusals in (1, 2):
            done = vm.try_run("echo freeze >/sys/power/state", timeout=120)
            assert done.status != 0, "suspended with a batch at the host"
            assert vm.console_text().count(NOT_ANSWERED) == refusals
            # Freezing the tasks in vain would take 20 s.
            start = log_time(vm, "PM: suspend entry")
            assert log_time(vm, "PM: suspend exit") - start < 15
        # The guest goes on as before.
        vm.run("integrity -s 3 -m 64", timeout=120)
        rebind_after_silence(vm)
        vm.write("/sys/power/state", "freeze")
        assert_reports(vm)
