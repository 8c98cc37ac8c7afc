# SPDX-License-Identifier: GPL-2.0
"""A slow host, a guest short of memory, everything in flux: nothing escalates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from conftest import Boot
from lab.vm import Vm
from reporting import (
    assert_reports,
    be_aggressive,
    hold_nothing_back,
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

# One that could happen to anybody.
FEW_STALLS = 2

# The worker looks at most twice in the age, 500 ms, and now and then besides.
PASSES_A_SECOND = 8


@contextmanager
def few_passes(vm: Vm) -> Iterator[None]:
    """The worker does not run all the time meanwhile."""
    passes, start = stat(vm, "passes"), time.monotonic()
    yield
    seconds = time.monotonic() - start
    assert stat(vm, "passes") - passes <= PASSES_A_SECOND * (seconds + 1)
    assert tunable(vm, "current_age_ms") <= MAX_AGE_MS + 500


def churn_is_learnt(vm: Vm, mib: int, options: str) -> None:
    """After some cycles, what is used again and again is not reported any more."""
    vm.run(f"churn {options} -n 3 {mib}", timeout=120)
    before = stat(vm, "refaulted_kb")
    vm.run(f"churn {options} -n 6 {mib}", timeout=120)
    refaulted = stat(vm, "refaulted_kb") - before
    assert refaulted <= 6 * (mib << 10) // 10, "more than a tenth"


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
        hold_nothing_back(vm)
        assert_reports(vm)
        wait_drained(vm)


def test_everything_in_flux(boot: Boot) -> None:
    """All memory is freed and used again, small page by small page."""
    with boot("stable-flux", memory="640M") as vm:
        wait_drained(vm)
        with few_passes(vm):
            churn_is_learnt(vm, 300, "-p 4k -g 300")
        hold_nothing_back(vm)
        wait_drained(vm)


def test_guest_short_of_memory(boot: Boot) -> None:
    """With hardly anything free, what comes and goes is left alone."""
    with boot("stable-short", memory="1G") as vm:
        wait_drained(vm)
        hold = (meminfo_kib(vm, "MemAvailable") >> 10) - 80
        vm.run(f"touch-free -s 1000 {hold} >/tmp/hold 2>&1 & echo $! >/tmp/pid")
        wait_until(
            lambda: vm.try_run("grep -q touched /tmp/hold").status == 0,
            "the memory in use",
        )
        with few_passes(vm):
            vm.run("churn -p 4k -g 100 -s 10 40", timeout=60)
        assert kills(vm) == 0
        vm.run("kill $(cat /tmp/pid)")
        hold_nothing_back(vm)
        wait_drained(vm)


def kills(vm: Vm) -> int:
    """Return how many processes were killed for want of memory."""
    return int(vm.run("awk '/^oom_kill /{print $2}' /proc/vmstat"))


def stalls(vm: Vm) -> int:
    """Return how often an allocation had to reclaim."""
    counts = vm.run("awk '/^allocstall_/{print $2}' /proc/vmstat").split()
    return sum(map(int, counts))


def use_again_and_again(vm: Vm, mib: int) -> int:
    """Return how many stalls it takes."""
    before = stalls(vm)
    vm.run(f"for i in 1 2 3; do touch-free -p 4k {mib}; done", timeout=300)
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
        reported = stat(vm, "reported_kb")
        with_it = use_again_and_again(vm, nearly_all)
        assert stat(vm, "reported_kb") - reported > 512 << 10, "idle"
        assert kills(vm) == 0
        assert with_it <= without + FEW_STALLS
