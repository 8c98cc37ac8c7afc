# SPDX-License-Identifier: GPL-2.0
"""page_reporting_why agrees with the host about what the host has of a guest."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Boot
from lab.bench.policy.redundancy import host_address
from lab.guest.memory import guest_memory
from lab.guest.vm import Vm
from reporting import (
    SYSFS,
    in_use,
    meminfo_kib,
    retain_nothing,
    start_scatter,
    tunable,
    tune,
    wait_drained,
    wait_until,
)

KIB_PER_MIB = 1024
KIB_PER_PAGE = 4
GUEST_MIB = 2048
# What the guest says and what the host has may differ by this share.
TOLERANCE = 0.02
# What is at home on the host only: the tables of the firmware, below 1 MiB and on top.
FIRMWARE_KIB = 1024
# What runs between two looks may touch a block here and there, and the host then has a
# huge page for it.
TOUCHED_KIB = 2 * 2048
PRESENT = 1 << 63
SWAPPED = 1 << 62


def host_kib(vm: Vm) -> int:
    """Return how much of the guest's memory the host has, page by page."""
    entries = GUEST_MIB * KIB_PER_MIB // KIB_PER_PAGE
    with Path(f"/proc/{vm.pid}/pagemap").open("rb") as pagemap:
        pagemap.seek(host_address(vm) // 4096 * 8)
        data = pagemap.read(entries * 8)
    pages = struct.unpack(f"<{entries}Q", data)
    return sum(bool(page & (PRESENT | SWAPPED)) for page in pages) * KIB_PER_PAGE


def say(vm: Vm) -> dict[str, int]:
    """Return what the guest says, in KiB."""
    rows = [line.split() for line in vm.run("page_reporting_why -k").splitlines()]
    return {name.removesuffix("_kb"): int(kib) for name, kib in rows}


def settle(vm: Vm) -> None:
    """Have everything reported that can be."""
    wait_drained(vm)
    vm.write(f"{SYSFS}/flush", 1)


def agree(vm: Vm) -> dict[str, int]:
    """Check that guest and host agree; return what the guest says.

    Of a block that is free in part the host has all if it uses huge pages, and
    otherwise at least what is in use.
    """
    said, has = say(vm), host_kib(vm)
    most = said["at_host"]
    huge = guest_memory(vm.pid)["AnonHugePages"] > has // 2
    least = most if huge else most - said["fragments"]
    print(f"{most=} {least=} {has=} {said}")
    assert least * (1 - TOLERANCE) - FIRMWARE_KIB <= has
    assert has <= most * (1 + TOLERANCE) + FIRMWARE_KIB + TOUCHED_KIB
    return said


@pytest.fixture(scope="module", name="guest")
def fixture_guest(boot: Boot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    """Return a guest with a file on a disk, for page cache."""
    disk = tmp_path_factory.mktemp("disk") / "disk"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    drive = f"file={disk},format=raw,if=none,id=disk"
    device = "virtio-blk-pci,drive=disk"
    arguments = ("-drive", drive, "-device", device)
    with boot("why", memory=f"{GUEST_MIB}M", arguments=arguments) as vm:
        retain_nothing(vm)
        # Memory that is moved is at the host twice for a while.
        tune(vm, consolidate_percent=0)
        vm.run("mke2fs /dev/vda && mkdir /mnt && mount -t ext2 /dev/vda /mnt")
        vm.run("truncate -s 96M /mnt/file")
        yield vm


def test_all_memory_is_told(guest: Vm) -> None:
    """The sum is what the kernel's zones have, or holes between them aside."""
    settle(guest)
    said = agree(guest)
    zones = "awk '/^ +present/ { sum += $2 } END { print sum }' /proc/zoneinfo"
    assert abs(said["memory"] - int(guest.run(zones)) * KIB_PER_PAGE) <= FIRMWARE_KIB
    reserved = said["memory"] - meminfo_kib(guest, "MemTotal")
    assert abs(said["reserved"] - reserved) <= TOLERANCE * said["memory"]


def test_uses(guest: Vm) -> None:
    """Memory shows as what it is used for, and the host has it."""
    settle(guest)
    before = agree(guest)
    guest.run("dd if=/dev/zero of=/tmp/file bs=1M count=64 2>&1")
    guest.run("dd if=/mnt/file of=/dev/null bs=1M 2>&1")
    with in_use(guest, 320):
        settle(guest)
        now = agree(guest)
    more = {name: (now[name] - before[name]) // KIB_PER_MIB for name in now}
    assert 320 <= more["anonymous"] < 330
    assert 64 <= more["shmem"] < 70
    assert 96 <= more["cache"] < 102
    assert more["reserved"] == more["balloon"] == more["unbacked"] == 0
    guest.run("rm /tmp/file; echo 1 >/proc/sys/vm/drop_caches")
    settle(guest)
    after = agree(guest)
    assert after["at_host"] - before["at_host"] <= 32 * KIB_PER_MIB


def test_what_waits_is_at_the_host(guest: Vm) -> None:
    """Free memory that was not reported yet is told apart from what was."""
    settle(guest)
    before = agree(guest)
    tune(guest, age_ms=600000)
    guest.run("touch-free 512")
    wait_until(
        lambda: tunable(guest, "pending_kb") >= 448 * KIB_PER_MIB, "memory pending"
    )
    waiting = agree(guest)
    more = waiting["waiting"] - before["waiting"]
    assert more >= 448 * KIB_PER_MIB
    assert before["reported"] - waiting["reported"] >= 448 * KIB_PER_MIB
    tune(guest, age_ms=500)
    settle(guest)
    assert agree(guest)["waiting"] <= waiting["waiting"] - 448 * KIB_PER_MIB


def test_fragments(guest: Vm) -> None:
    """Free memory in pieces, which compaction could make whole."""
    settle(guest)
    before = agree(guest)
    start_scatter(guest, 512, 64)
    settle(guest)
    said = agree(guest)
    assert said["fragments"] - before["fragments"] >= 192 * KIB_PER_MIB
    assert said["compaction_gain"] >= 128 * KIB_PER_MIB
    guest.write("/proc/sys/vm/compact_memory", 1)
    settle(guest)
    after = agree(guest)
    gain = after["reported"] - said["reported"]
    assert gain <= said["compaction_gain"] + 16 * KIB_PER_MIB
    assert gain >= said["compaction_gain"] // 2
    guest.run("killall scatter")


def test_balloon(guest: Vm) -> None:
    """What a balloon has taken is neither in use nor free."""
    settle(guest)
    before = agree(guest)
    size = (GUEST_MIB - 256) << 20
    guest.qmp.execute("balloon", {"value": size})
    wait_until(
        lambda: meminfo_kib(guest, "MemTotal")
        <= before["memory"] - before["reserved"] - 240 * KIB_PER_MIB,
        "the balloon inflated",
    )
    settle(guest)
    assert agree(guest)["balloon"] >= 250 * KIB_PER_MIB
    guest.qmp.execute("balloon", {"value": GUEST_MIB << 20})
    wait_until(lambda: say(guest)["balloon"] == 0, "the balloon deflated")
