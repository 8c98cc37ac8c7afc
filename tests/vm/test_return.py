# SPDX-License-Identifier: GPL-2.0
"""Memory that a guest frees comes back to the host, and none of it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    SYSFS,
    TRACING,
    Event,
    free_kib,
    in_use,
    managed_pages,
    meminfo_kib,
    stat,
    trace_of,
    tunable,
    tune,
    wait_drained,
    wait_free,
    wait_until,
)

KIB_PER_MIB = 1024
NOISE_KIB = 4096
LONG_MS = 600000


@pytest.mark.smoke
def test_freed_memory_returns(boot: Boot) -> None:
    """1 GiB freed in a guest of 2 GiB, all settings at their defaults.

    Host memory falls to where it was before, but for 5 % of what was freed: what
    the per-CPU lists have, and blocks that something else has part of by then.
    """
    with boot("return") as vm:
        wait_drained(vm)
        before = vm.rss_kib()
        with in_use(vm, 1024):
            assert vm.rss_kib() > 1024 * KIB_PER_MIB
        level = before + 1024 * KIB_PER_MIB // 20
        wait_until(lambda: vm.rss_kib() <= level, f"RSS at most {level} KiB")


def test_small_pages_return(vm: Vm) -> None:
    """1 GiB freed in pages of 4 KiB: all but what the per-CPU lists keep."""
    before = vm.rss_kib()
    with in_use(vm, 1024, "-p 4k"):
        assert vm.rss_kib() > 1024 * KIB_PER_MIB
    level = before + 100 * KIB_PER_MIB
    wait_until(lambda: vm.rss_kib() <= level, f"RSS at most {level} KiB")


def test_fresh_guest_is_drained(vm: Vm) -> None:
    """All free memory of whole blocks is reported, without a budget a pass."""
    wait_until(lambda: tunable(vm, "pending_kb") == 0, "nothing pending at all")
    assert stat(vm, "reported_kb") >= meminfo_kib(vm) * 95 // 100


def test_idle_guest_sleeps(vm: Vm) -> None:
    """With nothing to report there are no passes."""
    wait_drained(vm)

    def quiet() -> bool:
        passes = stat(vm, "passes")
        time.sleep(3)
        return stat(vm, "passes") == passes

    wait_until(quiet, "three seconds without a pass")


def test_nothing_is_reported_twice(vm: Vm) -> None:
    """What is reported of one free is not much more than what was freed."""
    wait_drained(vm)
    before = stat(vm, "reported_kb")
    vm.run("touch-free 1024", timeout=120)
    wait_until(
        lambda: stat(vm, "reported_kb") - before >= 640 * KIB_PER_MIB, "most of it"
    )
    wait_drained(vm)
    assert stat(vm, "reported_kb") - before <= 1024 * KIB_PER_MIB * 1.05


def kib(events: list[Event]) -> int:
    """Return the memory that events are about."""
    return sum(int(e["kb"]) if "kb" in e else 4 * int(e["pages"]) for e in events)


# A counter, its event, and what of the events is counted.
COUNTED: list[tuple[str, str, Callable[[list[Event]], int]]] = [
    ("reported_kb", "batch", kib),
    ("reported_kb", "entry", kib),
    ("reported_kb", "pass", kib),
    ("batches", "batch", len),
    ("passes", "pass", len),
    ("skipped_kb", "skip", kib),
    ("refaulted_kb", "refault", lambda es: sum(int(e["refaulted_kb"]) for e in es)),
]


def switch_events(vm: Vm, state: int) -> dict[str, int]:
    """Switch all events on or off; return the counters of that moment.

    In one command, because what a command frees may count.
    """
    names = list(dict.fromkeys(counter for counter, _, _ in COUNTED))
    files = " ".join(f"{SYSFS}/stats/{name}" for name in names)
    enable = f"{TRACING}/events/page_reporting/enable"
    values = vm.run(f"echo {state} >{enable}; cat {files}").split()
    return dict(zip(names, map(int, values)))


def pause(vm: Vm) -> None:
    """Switch reporting off, and wait until the worker has noticed."""
    tune(vm, enabled=0)
    wait_until(lambda: tunable(vm, "isolated_kb") == 0, "no batch at the host")
    # A flush runs in the worker, so the pass before it has ended.
    assert vm.try_run(f"echo 1 >{SYSFS}/flush").status != 0


def test_counters_agree_with_the_trace(vm: Vm) -> None:
    """The events add up to the counters."""
    # What is used again is a refault, however long that takes.
    tune(vm, max_age_ms=LONG_MS)
    vm.run("touch-free 512", timeout=120)
    vm.write(f"{SYSFS}/flush", 1)
    pause(vm)
    vm.write(f"{TRACING}/trace", "")
    before = switch_events(vm, 1)
    vm.run("touch-free 512", timeout=120)
    # Taken again before their turn comes, blocks are skipped.
    with in_use(vm, 384):
        tune(vm, enabled=1)
        # Nothing else is due, for it will be used again.
        vm.write(f"{SYSFS}/flush", 1)
        assert stat(vm, "skipped_kb") > before["skipped_kb"], "no skip"
    wait_until(lambda: stat(vm, "refaulted_kb") > before["refaulted_kb"], "refaults")
    vm.write(f"{SYSFS}/flush", 1)
    pause(vm)
    after = switch_events(vm, 0)
    tune(vm, enabled=1, max_age_ms=0)
    for counter, name, measure in COUNTED:
        events = trace_of(vm, f"page_reporting_{name}")
        counted = after[counter] - before[counter]
        assert counted > 0, counter
        # The programs that read the counters free memory, too.
        slack = NOISE_KIB if counter == "refaulted_kb" else 0
        assert abs(measure(events) - counted) <= slack, (counter, name)
        assert {e.get("err", "0") for e in events} == {"0"}


def test_disabled_means_no_reports(vm: Vm) -> None:
    """With enabled=0 memory stays; enabling reports what was freed meanwhile."""
    wait_drained(vm)
    pause(vm)
    before = stat(vm, "reported_kb")
    vm.run("touch-free 512")
    time.sleep(3)
    assert stat(vm, "reported_kb") == before
    tune(vm, enabled=1)
    wait_until(
        lambda: stat(vm, "reported_kb") - before >= 192 * KIB_PER_MIB, "most of it"
    )


def test_memory_in_use_is_left_alone(vm: Vm) -> None:
    """A program's memory stays at the host for as long as it runs."""
    with in_use(vm, 512):
        wait_drained(vm)
        held = vm.rss_kib()
        time.sleep(3)
        assert vm.rss_kib() >= held - 16 * KIB_PER_MIB
    wait_until(lambda: vm.rss_kib() <= held - 450 * KIB_PER_MIB, "512 MiB back")


def test_no_memory_is_lost(vm: Vm) -> None:
    """After many rounds the allocator has every page that it had before."""
    vm.run("touch-free 1024", timeout=300)
    wait_drained(vm)
    free, managed = free_kib(vm), managed_pages(vm)
    vm.run("churn -s 10 -g 700 512", timeout=300)
    vm.run("churn -p 4k -s 5 512", timeout=300)
    wait_drained(vm)
    assert managed_pages(vm) == managed
    # Less than one lost block a round would be.
    wait_free(vm, free, tolerance_kib=8 * KIB_PER_MIB)
