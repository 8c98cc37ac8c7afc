# SPDX-License-Identifier: GPL-2.0
"""A guest goes to another QEMU while it frees memory: it goes on reporting there."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import pytest
from arrival import FILE, LIVE, SNAPSHOT, Way, without_guest
from conftest import Boot, Kernel
from host_memory import KIB_PER_MIB, mapped_kib, memfd_kib, whole_free_kib
from lab.guest.saving import create_disk, snapshot
from lab.guest.vm import Vm
from lab.testing.side_by_side import own_name
from reporting import SYSFS, be_aggressive, in_use, stat, wait_drained, wait_until

# With less there is none to spare: huge pages have the kernel keep a reserve.
MIB = 512
USED_MIB = 96
# So much, and it is clear that reports go on.
REPORTED_MIB = 16
# What the guest frees or uses by itself.
NOISE_KIB = 16 * KIB_PER_MIB


class Size(TypedDict):
    """What both QEMUs are told of the guest."""

    memory: str
    cpus: int


BACKENDS = {
    "private": "memory-backend-ram",
    "shared": "memory-backend-memfd,share=on",
}


def arguments_of(memory: str) -> list[str]:
    """Return the arguments for a guest with this kind of memory."""
    backend = f"{BACKENDS[memory]},id=memory,size={MIB}M"
    return ["-object", backend, "-machine", "memory-backend=memory"]


def given_kib(vm: Vm, memory: str) -> int:
    """Return what the host says that it has given to the guest."""
    return memfd_kib(vm, MIB) if memory == "shared" else mapped_kib(vm, MIB)


def needed_kib(vm: Vm) -> int:
    """Return what the guest needs: all that is not free in whole blocks."""
    return MIB * KIB_PER_MIB - whole_free_kib(vm) + NOISE_KIB


def flush(vm: Vm, what: object = 1) -> None:
    """Have everything reported, or everything anew."""
    wait_drained(vm)
    vm.write(f"{SYSFS}/flush", what)


def start_use(vm: Vm) -> None:
    """Begin to use memory and to free it, over and over."""
    check = "integrity -t 1 -m 32 -s 1000000 >/tmp/integrity 2>&1"
    vm.run(f"touch /tmp/load; {check} & echo $! >/tmp/integrity.pid")
    # More than the per-CPU lists keep, which is an eighth of the memory.
    vm.run("while [ -e /tmp/load ]; do touch-free 160; done >/tmp/load.out 2>&1 &")


def use_and_report(vm: Vm) -> None:
    """Wait until what is freed is reported."""
    enough = stat(vm, "reported_kb") + REPORTED_MIB * KIB_PER_MIB
    wait_until(lambda: stat(vm, "reported_kb") >= enough, "some memory reported", 600)


def end_use(vm: Vm) -> None:
    """End the use; nothing may have been lost since it began."""
    vm.run("rm /tmp/load; kill $(cat /tmp/integrity.pid)")
    wait_until(lambda: "word" in vm.read("/tmp/integrity"), "the verdict")
    assert "no wrong word" in vm.read("/tmp/integrity")
    wait_until(lambda: vm.try_run("pidof touch-free").status != 0, "nothing in use")


@pytest.mark.parametrize(
    ("way", "memory"),
    [
        pytest.param(LIVE, "private"),
        pytest.param(LIVE, "shared", marks=pytest.mark.long),
        pytest.param(FILE, "private", marks=pytest.mark.long),
        pytest.param(FILE, "shared", marks=pytest.mark.long),
        pytest.param(SNAPSHOT, "private", marks=pytest.mark.long),
        pytest.param(SNAPSHOT, "shared", marks=pytest.mark.long),
    ],
    ids=lambda value: value.name if isinstance(value, Way) else value,
)
def test_guest_arrives(
    boot: Boot,
    accelerator: str,
    kernel_named: Kernel,
    tmp_path: Path,
    way: Way,
    memory: str,
) -> None:
    """It arrives in the middle of reports, with every word, and goes on with them."""
    arguments = arguments_of(memory)
    name = f"{way.name}-{memory}"
    size: Size = {"memory": f"{MIB}M", "cpus": 1}
    with boot(f"{name}-old", **size, arguments=arguments) as old:
        be_aggressive(old)
        flush(old)
        target = Vm(
            kernel_named("ours"),
            name=own_name(f"test-{name}-new"),
            accel=accelerator,
            **size,
            arguments=[*arguments, *way.arguments],
        )
        with without_guest(target) as vm:
            start_use(old)
            use_and_report(old)
            way.go(old, vm, tmp_path)
            old.stop()
            use_and_report(vm)
            end_use(vm)
            flush(vm)
            arrived = given_kib(vm, memory)
            if memory == "shared":
                # All was there, but for what was used since and reported again.
                assert arrived >= needed_kib(vm) + USED_MIB * KIB_PER_MIB
            else:
                assert arrived <= needed_kib(vm)
            flush(vm, "all")
            assert given_kib(vm, memory) <= needed_kib(vm)
            with in_use(vm, USED_MIB):
                pass
            flush(vm)
            assert given_kib(vm, memory) <= needed_kib(vm)
            assert stat(vm, "failed_kb") == 0


@pytest.mark.parametrize(
    "memory", ["private", pytest.param("shared", marks=pytest.mark.long)]
)
def test_going_back_to_a_snapshot(boot: Boot, tmp_path: Path, memory: str) -> None:
    """What the guest used since then stays behind it, until it reports all anew."""
    arguments = arguments_of(memory)
    name, size = f"goes-back-{memory}", f"{MIB}M"
    with boot(name, cpus=1, memory=size, arguments=arguments) as vm:
        be_aggressive(vm)
        flush(vm)
        idle = given_kib(vm, memory)
        create_disk(vm, tmp_path)
        snapshot(vm, "save")
        vm.run(f"touch-free -s 1000000 {USED_MIB} >/tmp/used 2>&1 &")
        wait_until(lambda: "touched" in vm.read("/tmp/used"), "memory in use")
        snapshot(vm, "load")
        assert vm.try_run("pidof touch-free").status != 0, "still the same guest"
        flush(vm)
        kept = given_kib(vm, memory)
        assert kept >= idle + USED_MIB * KIB_PER_MIB - NOISE_KIB
        flush(vm, "all")
        assert given_kib(vm, memory) <= needed_kib(vm)
