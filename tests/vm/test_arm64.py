# SPDX-License-Identifier: GPL-2.0
"""Another machine: arm64, with pages of 4 KiB and of 64 KiB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Boot
from keeper import assert_undamaged, load, unback, unbacked_kib
from lab.guest import qemu
from lab.guest.vm import Vm
from reporting import (
    LARGE,
    assert_suites_pass,
    be_aggressive,
    in_use,
    stat,
    tune,
    wait_drained,
    wait_until,
)

KIB_PER_MIB = 1024
FREED_MIB = 1024
# The suites have run when these begin.
NO_SUITES = "kunit.enable=0"
# The suites take a dozen of the largest blocks, which are of 512 MiB with 64 KiB pages.
SUITES_MEMORY = {"arm64": "2G", "arm64-64k": "16G"}

# The order of what the module stands for a host of.
TWO_MIB = {"arm64": 9, "arm64-64k": 5}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(qemu.VERSION != qemu.OWN, reason=f"arm64 is on QEMU {qemu.OWN}"),
]


def per_cpu_kib(vm: Vm) -> int:
    """Return what the allocator's per-CPU lists have."""
    counts = "/cpu: /{getline; n += $2} END {print n}"
    pages = int(vm.run(f"awk '{counts}' /proc/zoneinfo"))
    page = vm.run("awk '/^MMUPageSize/{print $2; exit}' /proc/self/smaps")
    return pages * int(page)


@pytest.fixture(name="kernel", params=["arm64", "arm64-64k"])
def fixture_kernel(request: pytest.FixtureRequest) -> str:
    """Return the name of a kernel."""
    return str(request.param)


@pytest.fixture(name="arm64")
def fixture_arm64(boot: Boot, kernel: str) -> Iterator[Vm]:
    """Return a guest in which memory is reported."""
    with boot(kernel, kernel=kernel, cpus=4, append=NO_SUITES) as vm:
        wait_drained(vm)
        yield vm


@LARGE
def test_suites_pass(boot: Boot, kernel: str) -> None:
    """Every KUnit suite passes there."""
    with boot(
        f"{kernel}-kunit",
        kernel=kernel,
        cpus=4,
        balloon=None,
        memory=SUITES_MEMORY[kernel],
        append="log_buf_len=4M",
    ) as vm:
        assert_suites_pass(vm)


def test_freed_memory_returns(arm64: Vm) -> None:
    """All but 5 % of what was freed, and what the per-CPU lists have.

    They count pages, and may have a hundred MiB of those of 64 KiB.
    """
    before = arm64.rss_kib()
    with in_use(arm64, FREED_MIB):
        assert arm64.rss_kib() > FREED_MIB * KIB_PER_MIB
    level = before + FREED_MIB * KIB_PER_MIB // 20
    wait_until(
        lambda: arm64.rss_kib() <= level + per_cpu_kib(arm64), f"RSS near {level} KiB"
    )


def test_contents_survive(arm64: Vm) -> None:
    """Patterns in memory survive the most aggressive reporting."""
    be_aggressive(arm64)
    before = stat(arm64, "reported_kb")

    def busy() -> bool:
        assert "no wrong word" in arm64.run("integrity -t 5 -m 200 -s 30", timeout=300)
        return stat(arm64, "reported_kb") - before > 64 * KIB_PER_MIB

    wait_until(busy, "64 MiB reported meanwhile", 600)
    assert stat(arm64, "failed_kb") == 0


def test_unbacked_memory(boot: Boot, kernel: str) -> None:
    """Memory that the hypervisor keeps is there for whoever needs it."""
    with boot(
        f"{kernel}-unbacked", kernel=kernel, balloon=None, append=NO_SUITES
    ) as vm:
        tune(vm, order=TWO_MIB[kernel])
        load(vm)
        unback(vm, FREED_MIB * KIB_PER_MIB)
        tune(vm, enabled=0)
        before = unbacked_kib(vm)
        assert "no wrong word" in vm.run("integrity -t 3 -m 450 -s 20", timeout=300)
        assert unbacked_kib(vm) < before
        assert stat(vm, "restored_kb") > 0
        assert_undamaged(vm)
