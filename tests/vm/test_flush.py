# SPDX-License-Identifier: GPL-2.0
"""A flush reports everything now, and says so only when it is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Boot
from lab.guest.saving import create_disk, snapshot
from lab.guest.vm import Vm
from reporting import (
    LARGE,
    SYSFS,
    bind,
    leave_batch_at_host,
    migrate_to_nowhere,
    stat,
    tune,
    unbind,
    wait_drained,
    wait_until,
)

KIB_PER_MIB = 1024
# So long that nothing comes back by itself while a test looks.
NEVER_MS = 600000


# Guest memory that other processes of the host may map, and a save fills.
SHARED = (
    "-object", "memory-backend-memfd,id=shared,size=2G,share=on",
    "-machine", "memory-backend=shared",
)  # fmt: skip


def flush(vm: Vm, what: object = 1) -> int:
    """Flush, and return the KiB that it reported."""
    before = stat(vm, "flushed_kb")
    vm.write(f"{SYSFS}/flush", what)
    return stat(vm, "flushed_kb") - before


@LARGE
def test_free_flush_stop(boot: Boot) -> None:
    """Memory is back at the host when the flush returns: the guest may stop."""
    with boot("flush", memory="4G") as vm:
        wait_drained(vm)
        tune(vm, age_ms=NEVER_MS)
        idle = vm.rss_kib()
        vm.run("touch-free 2048", timeout=300)
        assert vm.rss_kib() > 2048 * KIB_PER_MIB
        assert flush(vm) >= 2000 * KIB_PER_MIB
        vm.qmp.execute("stop")
        assert vm.rss_kib() <= idle * 1.1
        vm.qmp.execute("cont")
        assert flush(vm) <= 8 * KIB_PER_MIB, "the second flush found more"


@pytest.mark.smoke
def test_flush_counts_like_the_statistics(vm: Vm) -> None:
    """What a flush says it reported is what the counter rises by."""
    tune(vm, age_ms=NEVER_MS)
    flush(vm)
    vm.run("touch-free 512", timeout=120)
    before = stat(vm, "reported_kb")
    assert flush(vm) == stat(vm, "reported_kb") - before > 400 * KIB_PER_MIB


def test_flush_without_backend(vm: Vm) -> None:
    """Without a backend a flush fails, as it does while reporting is off."""
    device = unbind(vm)
    result = vm.try_run(f"echo 1 > {SYSFS}/flush")
    bind(vm, device)
    assert result.status != 0
    assert "No such device" in result.output
    vm.write(f"{SYSFS}/enabled", 0)
    result = vm.try_run(f"echo 1 > {SYSFS}/flush")
    vm.write(f"{SYSFS}/enabled", 1)
    assert result.status != 0
    assert "Operation not permitted" in result.output


def save_as_for_migration(vm: Vm, _: Path) -> None:
    """Save the guest as for a migration to a file; it goes on."""
    migrate_to_nowhere(vm)


def take_snapshot(vm: Vm, folder: Path) -> None:
    """Keep the guest in a snapshot, as savevm does; it goes on by itself."""
    create_disk(vm, folder)
    snapshot(vm, "save")


@pytest.mark.parametrize("save", [save_as_for_migration, take_snapshot])
def test_everything_anew_after_a_save(
    boot: Boot, tmp_path: Path, save: Callable[[Vm, Path], None]
) -> None:
    """A save backs all of shared memory; only "all" gives it back."""
    with boot(save.__name__, arguments=SHARED) as vm:
        vm.run("touch-free 512", timeout=120)
        wait_drained(vm)
        flush(vm)
        before = vm.rss_kib()
        save(vm, tmp_path)
        full = vm.rss_kib()
        assert full > 2000 * KIB_PER_MIB, "the save did not need the memory"
        # To the guest all of that was reported and is free.
        flush(vm)
        assert vm.rss_kib() > full - 64 * KIB_PER_MIB
        failed, refaulted = stat(vm, "failed_kb"), stat(vm, "refaulted_kb")
        assert flush(vm, "all") > 1500 * KIB_PER_MIB
        assert vm.rss_kib() <= before * 1.1
        assert stat(vm, "failed_kb") == failed
        # What was free all the time was not given too early.
        assert stat(vm, "refaulted_kb") - refaulted <= 8 * KIB_PER_MIB


def test_private_memory_stays_with_the_host(boot: Boot, tmp_path: Path) -> None:
    """To save what is not there needs no memory, if nobody else maps it."""
    with boot("save-private") as vm:
        vm.run("touch-free 512", timeout=120)
        wait_drained(vm)
        flush(vm)
        before = vm.rss_kib()
        migrate_to_nowhere(vm)
        assert vm.rss_kib() <= before * 1.1


@pytest.mark.parametrize("piece_age_ms", [0, NEVER_MS])
def test_all_leaves_alone_what_is_in_use(boot: Boot, piece_age_ms: int) -> None:
    """Everything anew is everything free, pieces included."""
    with boot(f"anew-pieces{piece_age_ms}") as vm:
        tune(vm, piece_age_ms=piece_age_ms)
        vm.run("integrity -t 2 -m 200 -s 15 >/tmp/integrity 2>&1 &")
        flush(vm)
        for _ in range(5):
            assert flush(vm, "all") > 800 * KIB_PER_MIB
        wait_until(lambda: "word" in vm.read("/tmp/integrity"), "the verdict")
        assert "no wrong word" in vm.read("/tmp/integrity")


def test_flush_ends_with_a_signal(boot: Boot) -> None:
    """A device that does not answer holds nobody who can be killed."""
    with boot("flush-signal") as vm:
        wait_drained(vm)
        leave_batch_at_host(vm)
        flusher = f"sh -c 'echo 1 > {SYSFS}/flush' >/dev/null 2>&1"
        vm.run(f"{flusher} & echo $! > /tmp/flusher")
        pid = vm.read("/tmp/flusher")
        wait_until(lambda: "flush" in vm.read(f"/proc/{pid}/wchan"), "it waiting")
        vm.run(f"kill -9 {pid}")
        wait_until(lambda: vm.try_run(f"kill -0 {pid}").status != 0, "its end")
