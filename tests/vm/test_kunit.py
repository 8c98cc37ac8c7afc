# SPDX-License-Identifier: GPL-2.0
"""The KUnit suites, and a stress run, on x86-64 with all kinds of checks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from lab.kernel.kernels import DEBUG_KERNELS
from reporting import (
    assert_reports,
    assert_suites_pass,
    backend,
    be_aggressive,
    bind,
    rarely,
    tune,
    unbind,
    wait_until,
)

FIRST, *OTHERS = DEBUG_KERNELS
KMEMLEAK = "/sys/kernel/debug/kmemleak"


def assert_no_leaks(vm: Vm) -> None:
    """Check that nothing was forgotten that was allocated by us."""
    # What a register has at the first look is in memory at the second.
    vm.write(KMEMLEAK, "scan")
    vm.write(KMEMLEAK, "scan")
    found = vm.read(KMEMLEAK)
    assert "fpr_" not in found and "page_reporting" not in found, found


@pytest.fixture(scope="module", name="debug_vm", params=[FIRST, *rarely(*OTHERS)])
def fixture_debug_vm(boot: Boot, request: pytest.FixtureRequest) -> Iterator[Vm]:
    """Return a guest with a debug kernel, which runs KUnit while it boots."""
    # Room for all results, should the console be slower than the tests.  And of
    # what is plugged in later, only the old controller knows the interrupt.
    append = "log_buf_len=4M noapic"
    name = request.param
    with boot(name, kernel=name, cpus=4, balloon=None, append=append) as vm:
        yield vm
        if vm.try_run(f"test -e {KMEMLEAK}").status == 0:
            assert_no_leaks(vm)


def test_kunit_suites_pass(debug_vm: Vm) -> None:
    """Every suite passes on four processors."""
    assert_suites_pass(debug_vm)


def test_stress_with_checks(debug_vm: Vm) -> None:
    """Freeing, reporting, unbinding and changing the order: no complaint."""
    debug_vm.add_balloon()
    # Without ACPI nobody tells the kernel.
    debug_vm.write("/sys/bus/pci/rescan", 1)
    wait_until(lambda: backend(debug_vm) == "virtio-balloon", "the backend")
    be_aggressive(debug_vm)
    debug_vm.run("integrity -t 4 -m 128 -s 20 >/tmp/integrity 2>&1 &")
    for order in (9, 0, 5, 10, 9):
        tune(debug_vm, order=order)
        bind(debug_vm, unbind(debug_vm))
    wait_until(lambda: "word" in debug_vm.read("/tmp/integrity"), "the verdict", 300)
    assert "no wrong word" in debug_vm.read("/tmp/integrity")
    assert_reports(debug_vm)
