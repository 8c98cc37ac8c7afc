# SPDX-License-Identifier: GPL-2.0
"""The example backends of the documentation work, in guests without balloon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    SYSFS,
    backend,
    be_aggressive,
    managed_pages,
    stat,
    tunable,
    tune,
    wait_drained,
    wait_until,
)

PARAMETERS = "/sys/module/example_backend/parameters"
# Less than a block, of which a part comes back.
SOME_KIB = 1000


def taken_kib(vm: Vm) -> int:
    """Return what the example counted."""
    return int(vm.read(f"{PARAMETERS}/reported_kb"))


def free_some(vm: Vm, counter: str) -> None:
    """Free memory and wait until a counter shows that it was offered.

    Half of it is enough: the per-CPU lists of the allocator keep some.
    """
    before = stat(vm, counter)
    vm.run("touch-free 512")
    wait_until(lambda: stat(vm, counter) - before >= 256 << 10, f"{counter} rising")


@pytest.fixture(scope="module")
def vm(boot: Boot) -> Iterator[Vm]:
    """Return a guest whose only backend is the example."""
    with boot("example-backend", balloon=None) as guest:
        assert backend(guest) == "none"
        # What is freed is offered at once, and not retained.
        tune(guest, max_age_ms=0)
        guest.run("insmod /modules/example_backend.ko")
        yield guest


def test_counts_agree(vm: Vm) -> None:
    """The example was given exactly what the core says it reported."""
    assert backend(vm) == "example_backend"
    wait_drained(vm)
    free_some(vm, "reported_kb")
    tune(vm, enabled=0)
    # A batch may still be on its way.
    wait_until(
        lambda: taken_kib(vm) == stat(vm, "reported_kb"),
        "reported_kb of the example and of the core the same",
    )
    assert taken_kib(vm) > 0
    tune(vm, enabled=1)


def test_refused_memory_is_offered_again(vm: Vm) -> None:
    """Entries that the example marks as failed stay pending."""
    wait_drained(vm)
    vm.write(f"{PARAMETERS}/refuse", 1)
    before = stat(vm, "failed_kb")
    vm.run("touch-free 512")
    wait_until(lambda: stat(vm, "failed_kb") > before, "memory refused")
    assert int(vm.read(f"{SYSFS}/pending_kb")) >= 128 << 10
    assert backend(vm) == "example_backend"

    vm.write(f"{PARAMETERS}/refuse", 0)
    # nobody waits for the end of the back-off
    tune(vm, enabled=1)
    wait_drained(vm)
    tune(vm, enabled=0)
    wait_until(lambda: taken_kib(vm) == stat(vm, "reported_kb"), "the same count")
    tune(vm, enabled=1)


def test_unload(vm: Vm) -> None:
    """After the module is gone nothing is registered, and it can come back."""
    vm.run("rmmod example_backend")
    assert backend(vm) == "none"
    assert int(vm.read(f"{SYSFS}/pending_kb")) == 0
    vm.run("insmod /modules/example_backend.ko")
    free_some(vm, "reported_kb")
    vm.run("rmmod example_backend")
    assert backend(vm) == "none"


def test_example_that_restores(boot: Boot) -> None:
    """A block that came back in part lacks only the rest, and nothing is lost."""
    spare = "/sys/module/example_restore/parameters/spare_kb"
    with boot("example-restore", balloon=None, memory="2G") as vm:
        be_aggressive(vm)
        managed = managed_pages(vm)
        vm.run("insmod /modules/example_restore.ko")
        wait_until(lambda: tunable(vm, "unbacked_kb") >= 1200 << 10, "memory given")
        tune(vm, enabled=0)
        wait_until(
            lambda: int(vm.read(spare)) == tunable(vm, "unbacked_kb"),
            "no batch on its way",
        )
        given = tunable(vm, "unbacked_kb")

        # others have taken the rest, and what is left is less than a block
        vm.write(spare, SOME_KIB)
        too_much = vm.try_run("touch-free 1500", timeout=300)
        assert too_much.status != 0, "memory came from nowhere"
        assert int(vm.read(spare)) == 0

        # they give exactly so much back that each page can be had once
        vm.write(spare, given - SOME_KIB)
        vm.run("touch-free 1500", timeout=300)
        vm.run("rmmod example_restore")
        assert managed_pages(vm) == managed
        assert "lost to this system" not in vm.run("dmesg")
