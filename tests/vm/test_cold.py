# SPDX-License-Identifier: GPL-2.0
"""Memory that nobody uses comes back to the host; files that are in use stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Boot
from lab.guest.memory import guest_memory_kib
from lab.guest.vm import Vm
from reporting import retain_nothing, wait_drained, wait_until

KIB_PER_MIB = 1024
GUEST_MIB = 2048
COLD_MIB = 768
HOT_MIB = 48
AGE_SECONDS = 5
LRU_GEN = "/sys/kernel/mm/lru_gen/enabled"
KDAMONDS = "/sys/kernel/mm/damon/admin/kdamonds"
# How much of a file in use may have to be read again, and of a cold one may stay.
FEW = 0.05


def cached_kib(vm: Vm, name: str) -> int:
    """Return how much of a file is in the guest's page cache."""
    return int(vm.run(f"cached /mnt/{name}"))


@pytest.fixture(scope="module", name="guest")
def fixture_guest(boot: Boot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vm]:
    """Return a guest with a file system that has files, all of them holes."""
    disk = tmp_path_factory.mktemp("disk") / "disk"
    with disk.open("wb") as file:
        file.truncate(64 << 20)
    arguments = (
        "-drive", f"file={disk},format=raw,if=none,id=disk",
        "-device", "virtio-blk-pci,drive=disk",
    )  # fmt: skip
    with boot("cold", memory=f"{GUEST_MIB}M", arguments=arguments) as vm:
        retain_nothing(vm)
        vm.run("mke2fs /dev/vda && mkdir /mnt && mount -t ext2 /dev/vda /mnt")
        for name, mib in ("cold", COLD_MIB), ("read", HOT_MIB), ("mapped", HOT_MIB):
            vm.run(f"truncate -s {mib}M /mnt/{name}")
        yield vm


def wait_said(vm: Vm, name: str, words: str) -> None:
    """Wait until the program that uses a file has said something."""
    wait_until(lambda: words in vm.read(f"/tmp/{name}"), f"{name}: {words}")


@contextmanager
def in_use(vm: Vm) -> Iterator[None]:
    """Keep two files in use, one by read() and one through a mapping."""
    logs = {"read": "-r", "mapped": "-m"}
    for name, option in logs.items():
        vm.run(f"cached {option} 500 /mnt/{name} >/tmp/{name} 2>&1 &")
    for name in logs:
        wait_said(vm, name, "in use")
    yield
    vm.run("killall cached")
    for name in logs:
        wait_said(vm, name, "rounds=")


def fetched_share(vm: Vm, name: str) -> float:
    """Return how much of a file in use was read again, of all that was used."""
    found = re.search(r"rounds=(\d+) fetched_kib=(\d+)", vm.read(f"/tmp/{name}"))
    assert found
    rounds, kib = map(int, found.groups())
    assert rounds > AGE_SECONDS, "it was hardly in use"
    return kib / (rounds * HOT_MIB * KIB_PER_MIB)


def looked_at_mib(vm: Vm) -> int:
    """Return how much was looked at since the start."""
    found = re.search(r"looked at (\d+) MiB", vm.run("page_reporting_cold status"))
    assert found
    return int(found[1])


def test_cold_memory_comes_back(guest: Vm) -> None:
    """A file that was read once goes to the host, files in use stay cached."""
    guest.run("dd if=/mnt/cold of=/dev/null bs=1M 2>&1", timeout=600)
    assert cached_kib(guest, "cold") == COLD_MIB * KIB_PER_MIB
    with in_use(guest):
        wait_drained(guest)
        before = guest_memory_kib(guest.pid)
        assert before >= COLD_MIB * KIB_PER_MIB
        guest.write(LRU_GEN, "y")
        said = guest.run(f"page_reporting_cold start {AGE_SECONDS}")
        assert "multi-gen LRU is off" in said
        assert guest.read(LRU_GEN) == "0x0000"
        few = FEW * COLD_MIB * KIB_PER_MIB
        wait_until(lambda: cached_kib(guest, "cold") <= few, "cold memory free", 600)
        enough = before - (1 - 2 * FEW) * COLD_MIB * KIB_PER_MIB
        wait_until(lambda: guest_memory_kib(guest.pid) <= enough, "it at the host")
        # all of memory is looked at twice more
        more = looked_at_mib(guest) + 2 * GUEST_MIB
        wait_until(lambda: looked_at_mib(guest) >= more, "two more rounds", 600)
        for name in "read", "mapped":
            kept = cached_kib(guest, name)
            assert kept >= (1 - FEW) * HOT_MIB * KIB_PER_MIB, f"{name} has gone"
    for name in "read", "mapped":
        assert fetched_share(guest, name) <= FEW
    guest.run("page_reporting_cold stop")
    assert guest.read(f"{KDAMONDS}/nr_kdamonds") == "0"
    assert not guest.trouble()


@pytest.mark.parametrize("seconds", [5, 60, 86400])
def test_time_is_kept(guest: Vm, seconds: int) -> None:
    """So much is looked at that all memory takes that long; there is a limit."""
    guest.run(f"page_reporting_cold start {seconds}")
    quotas = f"{KDAMONDS}/0/contexts/0/schemes/0/quotas"
    amount = int(guest.read(f"{quotas}/bytes"))
    window = int(guest.read(f"{quotas}/reset_interval_ms")) / 1000
    guest.run("page_reporting_cold stop")
    assert amount > 0
    assert seconds * 0.9 <= (GUEST_MIB << 20) / amount * window <= seconds * 1.2


def test_another_user_of_damon_is_left_alone(guest: Vm) -> None:
    """What somebody else has set up is neither stopped nor shown."""
    guest.write(f"{KDAMONDS}/nr_kdamonds", 1)
    for command in "start", "stop", "status":
        said = guest.try_run(f"page_reporting_cold {command}")
        assert said.status == 1 and "in use" in said.output
    assert guest.read(f"{KDAMONDS}/nr_kdamonds") == "1"
    guest.write(f"{KDAMONDS}/nr_kdamonds", 0)


@pytest.mark.parametrize("seconds", ["4", "86401", "x", "-5", "1e9", "''"])
def test_seconds_are_checked(guest: Vm, seconds: str) -> None:
    """A value out of range is refused, and nothing is started."""
    assert guest.try_run(f"page_reporting_cold start {seconds}").status == 1
    assert guest.read(f"{KDAMONDS}/nr_kdamonds") == "0"


def test_it_is_there_once(guest: Vm) -> None:
    """A second start is refused, and what is not there cannot be stopped."""
    assert guest.try_run("page_reporting_cold stop").status == 1
    assert guest.try_run("page_reporting_cold status").status == 1
    guest.run("page_reporting_cold start")
    again = guest.try_run("page_reporting_cold start")
    assert again.status == 1 and "in use" in again.output
    guest.run("page_reporting_cold stop")


@pytest.mark.parametrize("words, status", [("--help", 0), ("", 2), ("start 5 5", 2)])
def test_usage(guest: Vm, words: str, status: int) -> None:
    """Help is asked for or deserved."""
    said = guest.try_run(f"page_reporting_cold {words}")
    assert said.status == status
    assert "usage:" in said.output
