# SPDX-License-Identifier: GPL-2.0
"""A guest that stands still while it has much to report goes on as if nothing was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    free_kib,
    in_use,
    is_under_way,
    managed_pages,
    retain_nothing,
    stat,
    traced,
    wait_drained,
    wait_free,
    wait_until,
)

KIB_PER_MIB = 1024
# The guest without what it frees.
OWN_MIB = 256
SECOND_NS = 1_000_000_000

Stop = Callable[[Vm, int], None]


def by_qemu(vm: Vm, seconds: int) -> None:
    """Have QEMU stop the guest, whose clock then stands still as well."""
    vm.qmp.execute("stop")
    time.sleep(seconds)
    vm.qmp.execute("cont")


def by_host(vm: Vm, seconds: int) -> None:
    """Stop QEMU itself, as a host does that has no time for it: the clock goes on."""
    os.kill(vm.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(vm.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("stop", "mib", "seconds"),
    [
        (by_qemu, 512, 10),
        # Longer than this, and the kernel's own watchdogs complain of such a host.
        pytest.param(by_host, 512, 10, marks=pytest.mark.long),
        pytest.param(by_qemu, 2048, 120, marks=pytest.mark.long),
    ],
)
def test_long_stop(boot: Boot, stop: Stop, mib: int, seconds: int) -> None:
    """All that was freed before comes back after it, soon, and nothing is lost."""
    with boot(f"{stop.__name__}-{mib}", memory=f"{mib + OWN_MIB}M") as vm:
        retain_nothing(vm)
        wait_drained(vm)
        free, managed = free_kib(vm), managed_pages(vm)
        given = vm.rss_kib()
        before = stat(vm, "reported_kb")

        def slowest_ns() -> int:
            """Use memory, free it, stop in the middle of reports."""
            with traced(vm, "page_reporting_batch") as batches:
                with in_use(vm, mib):
                    reported = stat(vm, "reported_kb")
                wait_until(lambda: is_under_way(vm, reported), "a batch at the host")
                stop(vm, seconds)
                wait_drained(vm)
            return max((int(batch["ns"]) for batch in batches), default=0)

        if stop is by_qemu:
            # The time of the stop counts for nobody.
            assert slowest_ns() < seconds * SECOND_NS // 2
        else:
            slowest_ns()
        assert stat(vm, "reported_kb") - before >= mib * KIB_PER_MIB * 9 // 10
        level = given + mib * KIB_PER_MIB // 10
        wait_until(lambda: vm.rss_kib() <= level, f"RSS at most {level} KiB")
        wait_free(vm, free, tolerance_kib=8 * KIB_PER_MIB)
        assert managed_pages(vm) == managed
        assert stat(vm, "failed_kb") == 0
