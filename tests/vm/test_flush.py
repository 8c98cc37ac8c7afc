# SPDX-License-Identifier: GPL-2.0
"""A flush reports everything now, and says so only when it is done."""

from __future__ import annotations

import time

from conftest import Boot
from lab.vm import Vm
from reporting import SYSFS, bind, silence, stat, tune, unbind, wait_drained

KIB_PER_MIB = 1024
# So long that nothing comes back by itself while a test looks.
NEVER_MS = 600000


def flush(vm: Vm) -> int:
    """Flush, and return the KiB that it reported."""
    vm.write(f"{SYSFS}/flush", 1)
    return int(vm.read(f"{SYSFS}/flush")) // 1024


def test_free_flush_stop(boot: Boot) -> None:
    """Memory is back at the host when the flush returns: the guest may stop."""
    with boot("flush", memory="4G") as vm:
        wait_drained(vm)
        tune(vm, age_ms=NEVER_MS, max_delay_ms=NEVER_MS)
        idle = vm.rss_kib()
        vm.run("touch-free 2048", timeout=300)
        assert vm.rss_kib() > 2048 * KIB_PER_MIB
        assert flush(vm) >= 2000 * KIB_PER_MIB
        vm.qmp.execute("stop")
        assert vm.rss_kib() <= idle * 1.1
        vm.qmp.execute("cont")
        assert flush(vm) <= 8 * KIB_PER_MIB, "the second flush found more"


def test_flush_counts_like_the_statistics(vm: Vm) -> None:
    """What a flush says it reported is what the counter rises by."""
    tune(vm, age_ms=NEVER_MS, max_delay_ms=NEVER_MS)
    flush(vm)
    vm.run("touch-free 512", timeout=120)
    before = stat(vm, "reported_kb")
    assert flush(vm) == stat(vm, "reported_kb") - before > 400 * KIB_PER_MIB


def test_flush_without_backend(vm: Vm) -> None:
    """Without a backend a flush fails, as it does while reporting is off."""
    device = unbind(vm)
    result = vm.try_run(f"echo 1 > {SYSFS}/flush")
    bind(vm, device)
    assert result.status != 0
    assert "No such device" in result.output
    vm.write(f"{SYSFS}/enabled", 0)
    result = vm.try_run(f"echo 1 > {SYSFS}/flush")
    vm.write(f"{SYSFS}/enabled", 1)
    assert result.status != 0
    assert "Operation not permitted" in result.output


def test_flush_ends_with_a_signal(boot: Boot) -> None:
    """A device that does not answer holds nobody who can be killed."""
    with boot("flush-signal") as vm:
        wait_drained(vm)
        silence(vm)
        vm.run("touch-free 512", timeout=120)
        flusher = f"sh -c 'echo 1 > {SYSFS}/flush' >/dev/null 2>&1"
        vm.run(f"{flusher} & echo $! > /tmp/flusher")
        time.sleep(1)
        vm.run("kill -9 $(cat /tmp/flusher)")
        time.sleep(1)
        assert vm.try_run("kill -0 $(cat /tmp/flusher)").status != 0
