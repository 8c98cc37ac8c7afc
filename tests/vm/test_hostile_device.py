# SPDX-License-Identifier: GPL-2.0
"""A device that does what no device should: the guest goes on, nothing is lost.

The module hostile_device is the device, with a transport of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    backend,
    be_aggressive,
    free_kib,
    rarely,
    stat,
    tunable,
    wait_drained,
    wait_free,
    wait_until,
)

KIB_PER_MIB = 1024
FREED_MIB = 128
PARAMETERS = "/sys/module/hostile_device/parameters"
# Feature bits of virtio_balloon: what is told to the host, statistics, and so on.
POISON, REPORTING = 1 << 4, 1 << 5
ALL = (1 << 6) - 1
# Queues by their place: inflate, deflate, statistics, hinting, reporting.
REPORTING_QUEUE = 4


@pytest.fixture(scope="module", name="hostile")
def fixture_hostile(boot: Boot) -> Iterator[Vm]:
    """Return a guest without a device, in which what is free is reported at once."""
    with boot("hostile", balloon=None, memory="512M") as vm:
        be_aggressive(vm)
        yield vm


def behave(vm: Vm, how: str) -> None:
    """Tell the device what to do wrong."""
    vm.write(f"{PARAMETERS}/behaviour", how)


def served(vm: Vm) -> int:
    """Return how many batches the device was given."""
    return int(vm.read(f"{PARAMETERS}/served"))


@contextmanager
def device(vm: Vm, **parameters: int) -> Iterator[None]:
    """Plug a device in, for as long as the context lasts; nothing is lost by it."""
    free = free_kib(vm)
    words = " ".join(f"{name}={value}" for name, value in parameters.items())
    vm.run(f"insmod /modules/hostile_device.ko {words}")
    try:
        yield
    finally:
        vm.run("rmmod hostile_device")
    assert backend(vm) == "none"
    assert tunable(vm, "isolated_kb") == 0
    wait_free(vm, free, tolerance_kib=8 * KIB_PER_MIB)


def assert_takes_what_is_freed(vm: Vm) -> None:
    """Check that memory in use stays as it is, and what is freed is reported."""
    assert backend(vm) == "virtio-balloon"
    wait_drained(vm)
    before, failed = stat(vm, "reported_kb"), stat(vm, "failed_kb")
    assert "no wrong word" in vm.run(f"integrity -t 2 -m {FREED_MIB // 2} -s 3")
    vm.run(f"touch-free {FREED_MIB}")
    enough = before + FREED_MIB * KIB_PER_MIB // 2
    wait_until(lambda: stat(vm, "reported_kb") >= enough, f"{enough} KiB reported")
    assert stat(vm, "failed_kb") == failed


@pytest.mark.parametrize("size", [1, 1024, *rarely(2)])
def test_size_of_the_queue(hostile: Vm, size: int) -> None:
    """A queue may be short, or longer than a batch."""
    with device(hostile, queue_size=size):
        assert_takes_what_is_freed(hostile)


@pytest.mark.parametrize("how", ["long", "spurious", *rarely("short")])
def test_harmless_lies(hostile: Vm, how: str) -> None:
    """Lengths are not looked at, and an interrupt says nothing by itself."""
    with device(hostile):
        behave(hostile, how)
        assert_takes_what_is_freed(hostile)


@pytest.mark.parametrize(
    "how", ["twice", "stray", *rarely("unknown", "silent", "vanish", "needs_reset")]
)
def test_answers_that_break(hostile: Vm, how: str) -> None:
    """The guest goes on, and what the device had is there again without it."""
    with device(hostile):
        wait_drained(hostile)
        behave(hostile, how)
        before = served(hostile)
        hostile.run(f"touch-free {FREED_MIB}")
        wait_until(lambda: served(hostile) > before, "a batch at the device")
        assert "no wrong word" in hostile.run("integrity -t 2 -m 64 -s 3")
    with device(hostile):
        assert_takes_what_is_freed(hostile)


@pytest.mark.parametrize(
    "features", [ALL, *rarely(REPORTING, ALL & ~POISON, ALL & ~REPORTING)]
)
def test_features(hostile: Vm, features: int) -> None:
    """Whatever else the device offers, it is taken at its word about reporting."""
    with device(hostile, features=features):
        if features & REPORTING:
            assert_takes_what_is_freed(hostile)
        else:
            assert backend(hostile) == "none"


def test_no_queue(hostile: Vm) -> None:
    """A device that offers reporting and has no queue for it is not used."""
    with device(hostile, misfit=REPORTING_QUEUE):
        assert backend(hostile) == "none"
        found = "virtio_balloon.*probe.*failed"
        wait_until(
            lambda: hostile.try_run(f"dmesg | grep '{found}'").status == 0, found
        )
