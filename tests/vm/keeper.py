# SPDX-License-Identifier: GPL-2.0
"""Steering keeping_backend, which stands in for a hypervisor that keeps memory.

The module fills what it is given with a pattern and counts in damaged_kb what has
changed when it is asked for it: memory that somebody used while the hypervisor had it.
"""

from __future__ import annotations

from lab.guest.vm import Vm
from reporting import SYSFS, backend, be_aggressive, tunable, wait_until

PARAMETERS = "/sys/module/keeping_backend/parameters"


def refuse(vm: Vm, yes: bool) -> None:
    """Make the hypervisor refuse to give memory back, or not."""
    vm.write(f"{PARAMETERS}/refuse", int(yes))


def unbacked_kib(vm: Vm) -> int:
    """Return what is unbacked."""
    return tunable(vm, "unbacked_kb")


def unback(vm: Vm, kib: int) -> None:
    """Wait until so much is unbacked."""
    vm.try_run(f"echo 1 >{SYSFS}/flush")
    wait_until(lambda: unbacked_kib(vm) >= kib, f"{kib} KiB unbacked")


def assert_undamaged(vm: Vm) -> None:
    """Check that nobody has used memory that the hypervisor had."""
    assert int(vm.read(f"{PARAMETERS}/damaged_kb")) == 0


def load(vm: Vm) -> None:
    """Load the backend, with everything free due at once."""
    be_aggressive(vm)
    vm.run("insmod /modules/keeping_backend.ko")
    assert backend(vm) == "keeping_backend"
