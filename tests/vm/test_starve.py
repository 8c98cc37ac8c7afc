# SPDX-License-Identifier: GPL-2.0
"""Allocations that fail: nothing changes by half, and it works the next time.

The kernel is that of `make stress`, in which the allocation of a given number fails.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from lab.stress import hardware
from reporting import assert_reports, tunable, tune, wait_drained

pytestmark = pytest.mark.long

# How many allocations there are, at most, where one is tried after the other.
TUNE, BIND, BLOCK = 24, 120, 24


@pytest.fixture(scope="module")
def vm(boot: Boot) -> Iterator[Vm]:
    """Return a guest in which allocations fail when asked to."""
    with boot("starve", kernel="stress", append=hardware.APPEND) as guest:
        guest.run("stress injection")
        wait_drained(guest)
        yield guest


def test_order(vm: Vm) -> None:
    """It is the new one, or -ENOMEM and the old one; trackers of pieces the same."""
    before = tunable(vm, "order")
    said = ""
    for number in range(1, TUNE):
        said += vm.run(f"stress starve_tune {number} order {5 + number % 2}")
        said += vm.run(f"stress starve_tune {number} piece_age_ms {number % 2}")
    assert "starved" in said
    tune(vm, order=before, piece_age_ms=0)
    assert_reports(vm)


def test_registration(vm: Vm) -> None:
    """The driver begins without, or it fails; then it begins, and memory returns."""
    said = [vm.run(f"stress starve_bind {number}") for number in range(1, BIND, 3)]
    assert "starved" in said
    assert_reports(vm)


def test_memory_block(vm: Vm) -> None:
    """It is there or not, as if nobody reported; what is freed then is reported."""
    tries = (f"stress starve_block {number} {number}" for number in range(1, BLOCK))
    done = [vm.try_run(each, timeout=300) for each in tries]
    # what cannot be emptied in time stays as it is
    assert all("in use" in each.output for each in done if each.status)
    assert "starved" in [each.output for each in done]
    assert_reports(vm)
