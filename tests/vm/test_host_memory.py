# SPDX-License-Identifier: GPL-2.0
"""Whatever guest memory is made of at the host, it comes back, and stays intact.

One guest has a NUMA node of each kind of memory, so that one boot tries them all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import Boot
from host_memory import KIB_PER_MIB, file_kib, mapped_kib, memfd_kib
from lab.base import paths
from lab.guest.huge_pages import HugePages
from lab.guest.vm import Vm
from reporting import SYSFS, in_use, retain_nothing, stat, tune, wait_drained

BACKENDS = {
    "anonymous": "memory-backend-ram",
    "memfd": "memory-backend-memfd,share=on",
    "huge": "memory-backend-memfd,share=on,hugetlb=on,hugetlbsize=2M",
    "tmpfs": "memory-backend-file,share=on,mem-path={tmpfs}/guest",
    "file": "memory-backend-file,share=on,mem-path={disk}/shared",
    "private-file": "memory-backend-file,share=off,mem-path={disk}/private",
}
KINDS = list(BACKENDS)
# The first has the kernel, too; they are told apart by their sizes.
MIB = dict(zip(KINDS, (256, 128, 132, 136, 140, 144)))
USED_MIB = 64
# A block here and there that the guest uses or frees by itself, on any node.
NOISE_KIB = 12 * KIB_PER_MIB


class Guest:
    """A guest that has memory of each kind: its nodes are in the order of the kinds."""

    def __init__(self, vm: Vm, given: dict[str, Callable[[], int]]) -> None:
        self.vm = vm
        self._given = given

    def given_kib(self, kind: str) -> int:
        """Return what the host says that it has given of a kind of memory."""
        return self._given[kind]()

    def settle(self) -> None:
        """Have all reported that can be, per-CPU lists included."""
        wait_drained(self.vm)
        self.vm.write(f"{SYSFS}/flush", 1)


def arguments(disk: Path, tmpfs: Path) -> list[str]:
    """Return the arguments for a node of each kind; the first has the processors."""
    words = []
    for node, (kind, backend) in enumerate(BACKENDS.items()):
        where = backend.format(disk=disk, tmpfs=tmpfs)
        cpus = "" if node else ",cpus=0-1"
        words += ["-object", f"{where},id=node{node},size={MIB[kind]}M"]
        words += ["-numa", f"node,nodeid={node}{cpus},memdev=node{node}"]
    return words


def prepared(disk: Path) -> Path:
    """Return the folder, with a file that has something to lose if it is mapped."""
    with (disk / "private").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, MIB["private-file"] << 20)
    return disk


@pytest.fixture(name="kinds", scope="module")
def fixture_kinds(boot: Boot) -> Iterator[Guest]:
    """Return a guest with every kind of memory."""
    paths.BUILD.mkdir(exist_ok=True)
    with (
        HugePages(MIB["huge"]) as pool,
        TemporaryDirectory(dir=paths.BUILD) as on_disk,
        TemporaryDirectory(dir="/dev/shm") as name,
        boot(
            "host-memory",
            memory=f"{sum(MIB.values())}M",
            arguments=arguments(disk := prepared(Path(on_disk)), tmpfs := Path(name)),
        ) as vm,
    ):
        retain_nothing(vm)
        yield Guest(
            vm,
            {
                "anonymous": lambda: mapped_kib(vm, MIB["anonymous"]),
                "memfd": lambda: memfd_kib(vm, MIB["memfd"]),
                "huge": lambda: MIB["huge"] * KIB_PER_MIB - pool.free_kib(),
                "tmpfs": lambda: file_kib(tmpfs / "guest"),
                "file": lambda: file_kib(disk / "shared"),
                "private-file": lambda: mapped_kib(vm, MIB["private-file"])
                + file_kib(disk / "private"),
            },
        )


@pytest.mark.parametrize("kind", KINDS)
def test_reported_is_what_comes_back(kinds: Guest, kind: str) -> None:
    """What the guest says it reported is what the host says it got, no less."""
    vm, node = kinds.vm, KINDS.index(kind)
    kinds.settle()
    idle = kinds.given_kib(kind)
    with in_use(vm, USED_MIB, f"-n {node}"):
        kinds.settle()
        before, full = stat(vm, "reported_kb"), kinds.given_kib(kind)
        assert full - idle >= USED_MIB * KIB_PER_MIB - NOISE_KIB
    kinds.settle()
    reported, back = stat(vm, "reported_kb") - before, full - kinds.given_kib(kind)
    assert back >= USED_MIB * KIB_PER_MIB * 9 // 10
    assert abs(reported - back) <= NOISE_KIB


def test_contents_stay_intact(kinds: Guest) -> None:
    """Memory of every kind is used and reported at a time, and no word is wrong."""
    vm = kinds.vm
    before = stat(vm, "reported_kb")
    tune(vm, age_ms=0)
    nodes = range(len(KINDS))
    check = "integrity -n $node -t 1 -m 48 -s 8 >/tmp/integrity-$node 2>&1"
    names = " ".join(map(str, nodes))
    vm.run(f"for node in {names}; do {check} & done; wait", timeout=300)
    for node in nodes:
        assert "no wrong word" in vm.read(f"/tmp/integrity-{node}"), KINDS[node]
    assert stat(vm, "reported_kb") - before > 64 * KIB_PER_MIB, "nothing happened"
    assert stat(vm, "failed_kb") == 0
