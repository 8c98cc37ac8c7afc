# SPDX-License-Identifier: GPL-2.0
"""The next kernel must not lose memory to what this one has reported."""

from __future__ import annotations

from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    BUSY,
    NOT_ANSWERED,
    assert_reports,
    be_aggressive,
    leave_batch_at_host,
    rebind_after_silence,
    tunable,
    tune,
    unbind,
    wait_drained,
    wait_until,
)

# So much memory does the next kernel look at, again and again.
CHECKED_MIB = 256


def start_next_kernel(vm: Vm) -> None:
    """Start another kernel, and wait until it says that its memory is right."""
    vm.run(f"(kexec-try -c {CHECKED_MIB}; echo failed) >/tmp/kexec 2>&1 &")
    # One letter on the console is all that it says.
    wait_until(lambda: vm.console_text()[-1:] in ("K", "X"), "the next kernel", 300)
    assert vm.console_text().endswith("K"), "memory has changed under it"


def test_kexec_under_load(boot: Boot) -> None:
    """Another kernel starts while memory is reported, and keeps its own."""
    with boot("kexec", cpus=4) as vm:
        be_aggressive(vm)
        vm.run("integrity -t 4 -m 128 -s 1000 >/dev/null 2>&1 &")
        assert_reports(vm)
        start_next_kernel(vm)


def test_kexec_with_a_silent_device(boot: Boot) -> None:
    """A batch that the host may still discard keeps the next kernel from starting."""
    with boot("kexec-silent") as vm:
        be_aggressive(vm)
        wait_drained(vm)
        leave_batch_at_host(vm)
        done = vm.try_run("kexec-try", timeout=60)
        assert done.status == 1
        assert BUSY in done.output
        assert NOT_ANSWERED in vm.console_text()
        # Neither does a second attempt wait for ever, nor has the first spoilt it.
        assert vm.try_run("kexec-try", timeout=60).status == 1
        rebind_after_silence(vm)
        assert_reports(vm)
        start_next_kernel(vm)


def test_kexec_waits_for_a_slow_host(boot: Boot) -> None:
    """A host that answers late delays the next kernel, and no more."""
    with boot("kexec-slow") as vm:
        be_aggressive(vm)
        unbind(vm)
        vm.run("insmod /modules/broken_backend.ko slow_ms=500")
        tune(vm, enabled=0)
        vm.run("touch-free 512", timeout=120)
        tune(vm, enabled=1)
        wait_until(lambda: tunable(vm, "isolated_kb") > 0, "a batch at the host")
        start_next_kernel(vm)


def test_reporting_goes_on_after_a_jump_back(boot: Boot) -> None:
    """What was paused for the other kernel reports again."""
    with boot("kexec-jump") as vm:
        be_aggressive(vm)
        assert_reports(vm)
        vm.run("kexec-try -j", timeout=120)
        assert_reports(vm)
