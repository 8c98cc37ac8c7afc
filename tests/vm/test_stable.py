# SPDX-License-Identifier: GPL-2.0
"""A slow host, a guest short of memory, everything in flux: nothing escalates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    assert_reports,
    be_aggressive,
    retain_nothing,
    in_use,
    meminfo_kib,
    stat,
    tunable,
    tune,
    unbind,
    wait_drained,
    wait_until,
)

MAX_AGE_MS = 10000
SLOW = "insmod /modules/broken_backend.ko slow_ms=150"

# One that could happen to anybody in so many uses.
USES = 3
FEW_STALLS = 2

# The worker looks at most twice in the age, 500 ms, and now and then besides.
PASSES_A_SECOND = 8


@contextmanager
def few_passes(vm: Vm) -> Iterator[None]:
    """The worker does not run all the time meanwhile."""
    start, before = time.monotonic(), stat(vm, "passes")
    yield
    passes = stat(vm, "passes") - before
    assert passes <= PASSES_A_SECOND * (time.monotonic() - start + 1)
    assert tunable(vm, "current_age_ms") <= MAX_AGE_MS + 500


def churn_is_learnt(vm: Vm, mib: int, options: str) -> None:
    """In time, what is used again and again is not reported any more."""

    def refaulted() -> int:
        before = stat(vm, "refaulted_kb")
        vm.run(f"churn {options} -n 6 {mib}", timeout=300)
        return stat(vm, "refaulted_kb") - before

    wait_until(
        lambda: refaulted() <= 6 * (mib << 10) // 10, "less than a tenth refaulted"
    )


def be_slow(vm: Vm) -> None:
    """Have the host take its time."""
    unbind(vm)
    vm.run(SLOW)


def test_slow_host(boot: Boot) -> None:
    """What is given back comes later, and nothing else changes."""
    with boot("stable-slow") as vm:
        be_slow(vm)
        wait_drained(vm)
        with few_passes(vm):
            churn_is_learnt(vm, 256, "-g 1000")
        retain_nothing(vm)
        assert_reports(vm)
        wait_drained(vm)


def test_everything_in_flux(boot: Boot) -> None:
    """All memory is freed and used again, small page by small page."""
    with boot("stable-flux", memory="640M") as vm:
        wait_drained(vm)
        with few_passes(vm):
            churn_is_learnt(vm, 300, "-p 4k -g 300")
        retain_nothing(vm)
        wait_drained(vm)


def test_guest_short_of_memory(boot: Boot) -> None:
    """With hardly anything free, what comes and goes is left alone."""
    with boot("stable-short", memory="1G") as vm:
        wait_drained(vm)
        with in_use(vm, (meminfo_kib(vm, "MemAvailable") >> 10) - 80):
            with few_passes(vm):
                vm.run("churn -p 4k -g 100 -s 10 40", timeout=120)
            assert kills(vm) == 0
        retain_nothing(vm)
        wait_drained(vm)


def kills(vm: Vm) -> int:
    """Return how many processes were killed for want of memory."""
    return int(vm.run("awk '/^oom_kill /{print $2}' /proc/vmstat"))


def stalls(vm: Vm) -> int:
    """Return how often an allocation had to reclaim."""
    counts = vm.run("awk '/^allocstall_/{print $2}' /proc/vmstat").split()
    return sum(map(int, counts))


def use_again_and_again(vm: Vm, mib: int) -> int:
    """Return how many stalls some uses take."""
    before = stalls(vm)
    for _ in range(USES):
        vm.run(f"touch-free -p 4k {mib}", timeout=300)
    return stalls(vm) - before


def test_nobody_has_to_wait_for_a_report(boot: Boot) -> None:
    """What is being reported is missed by nobody, however slow the host is."""
    with boot("stable-stalls", memory="640M") as vm:
        be_slow(vm)
        wait_drained(vm)
        nearly_all = (meminfo_kib(vm, "MemAvailable") >> 10) - 48
        tune(vm, enabled=0)
        without = use_again_and_again(vm, nearly_all)
        tune(vm, enabled=1)
        be_aggressive(vm)
        enough = stat(vm, "reported_kb") + (512 << 10)

        def busy() -> bool:
            with_it = use_again_and_again(vm, nearly_all)
            assert kills(vm) == 0
            assert with_it <= without + FEW_STALLS
            return stat(vm, "reported_kb") > enough

        wait_until(busy, "512 MiB reported", 600)
