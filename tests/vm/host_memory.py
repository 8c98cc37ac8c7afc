# SPDX-License-Identifier: GPL-2.0
"""What the host itself says of the memory that it has given to a guest."""

from __future__ import annotations

from pathlib import Path

from lab.guest.memory import mappings
from lab.guest.vm import Vm

KIB_PER_MIB = 1024
BLOCKS_PER_KIB = 2


def file_kib(path: Path) -> int:
    """Return what is allocated of a file, whoever maps it."""
    return path.stat().st_blocks // BLOCKS_PER_KIB


def memfd_kib(vm: Vm, mib: int) -> int:
    """Return what is allocated of the memfd of this size that is guest memory."""
    files = [
        fd
        for fd in Path(f"/proc/{vm.pid}/fd").iterdir()
        if "memfd:" in str(fd.readlink()) and fd.stat().st_size == mib << 20
    ]
    assert files, f"no memfd of {mib} MiB"
    return file_kib(files[0])


def mapped_kib(vm: Vm, mib: int) -> int:
    """Return what is resident of the mapping of this size that is guest memory."""
    found = [each for each in mappings(vm.pid) if each["Size"] == mib * KIB_PER_MIB]
    assert len(found) == 1, f"{len(found)} mappings of {mib} MiB"
    return found[0]["Rss"]


def whole_free_kib(vm: Vm) -> int:
    """Return what is free in the guest in blocks of 2 MiB: that can all come back."""
    zones = [line.split()[4:] for line in vm.read("/proc/buddyinfo").splitlines()]
    return sum(int(zone[9]) * 2048 + int(zone[10]) * 4096 for zone in zones)
