# SPDX-License-Identifier: GPL-2.0
"""Guest memory in huge pages of the host, which it only takes back whole.

What a guest reports in smaller entries, or in ones that are not aligned, QEMU
acknowledges and leaves where it is.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from host_memory import whole_free_kib
from lab.guest.huge_pages import HugePages
from lab.guest.vm import Vm
from reporting import (
    SYSFS,
    retain_nothing,
    in_use,
    start_scatter,
    stat,
    tune,
    wait_drained,
    wait_until,
)

KIB_PER_MIB = 1024
GUEST_MIB = 1024
USED_MIB = 512
# A block here and there that the guest uses or frees by itself.
NOISE_KIB = 16 * KIB_PER_MIB

HUGE = (
    "-object", f"memory-backend-memfd,id=huge,size={GUEST_MIB}M,share=on,hugetlb=on,"
    "hugetlbsize=2M",
    "-machine", "memory-backend=huge",
)  # fmt: skip


@pytest.fixture(name="pool", scope="module")
def fixture_pool() -> Iterator[HugePages]:
    """Return huge pages of the host for one guest."""
    with HugePages(GUEST_MIB) as pool:
        yield pool


def settle(vm: Vm) -> None:
    """Have all reported that can be, per-CPU lists included."""
    wait_drained(vm)
    vm.write(f"{SYSFS}/flush", 1)


def use_and_free(vm: Vm, pool: HugePages) -> tuple[int, int]:
    """Use memory and free it; return the KiB reported and those that came back."""
    settle(vm)
    with in_use(vm, USED_MIB):
        settle(vm)
        reported, free = stat(vm, "reported_kb"), pool.free_kib()
    settle(vm)
    return stat(vm, "reported_kb") - reported, pool.free_kib() - free


def test_reported_is_what_comes_back(boot: Boot, pool: HugePages) -> None:
    """With the default order all that counts as reported is free at the host."""
    with boot("huge", memory=f"{GUEST_MIB}M", arguments=HUGE) as vm:
        reported, gained = use_and_free(vm, pool)
        assert gained >= USED_MIB * KIB_PER_MIB * 9 // 10
        assert abs(reported - gained) <= NOISE_KIB


SETTINGS: list[dict[str, int]] = [
    {}, {"order": 5}, {"piece_age_ms": 1}, {"order": 5, "piece_age_ms": 1},
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_small_entries_do_not_spoil_large_ones(
    boot: Boot, pool: HugePages, settings: dict[str, int]
) -> None:
    """What is free in whole huge pages comes back, whatever is free beside it."""
    name = "-".join(["huge", *settings])
    with boot(name, memory=f"{GUEST_MIB}M", arguments=HUGE) as vm:
        retain_nothing(vm)
        # All that is free side by side may be in one entry.
        tune(vm, enabled=0, **settings)
        # Of each piece of 3 MiB that is free, a part is a whole huge page.
        start_scatter(vm, 600, 3072)
        # Until all of it is due: what is not reported at a time is not in one entry.
        vm.run("sleep 1")
        tune(vm, enabled=1)
        settle(vm)
        assert whole_free_kib(vm) >= 200 * KIB_PER_MIB, "nothing to look at"

        def returned() -> bool:
            # The guest frees and takes a little all the time.
            return pool.free_kib() >= whole_free_kib(vm) - NOISE_KIB

        wait_until(returned, "what is free in whole huge pages is back")
