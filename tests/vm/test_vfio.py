# SPDX-License-Identifier: GPL-2.0
"""A guest that has a device of its host: the host keeps what is reported."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import nested
import pytest
from conftest import Boot
from lab.guest import qemu
from reporting import SYSFS, be_aggressive, in_use, stat

MIB = 1 << 20
DISK_MIB = 16
FREED_MIB = 64
FREED_KIB = FREED_MIB << 10
# What QEMU itself may give back.
NOISE_KIB = 4096


def host_gets(guest: nested.Inner) -> int:
    """Have memory reported that was in use; return what the host has more, in KiB."""
    be_aggressive(guest)
    before = stat(guest, "reported_kb")
    with in_use(guest, FREED_MIB):
        used = guest.host_kib()
    guest.run(f"echo 1 >{SYSFS}/flush")
    assert stat(guest, "reported_kb") - before >= FREED_KIB // 2
    return used - guest.host_kib()


@pytest.mark.long
@pytest.mark.skipif(
    qemu.VERSION != qemu.OWN, reason=f"the inner guest is on QEMU {qemu.OWN}"
)
def test_assigned_device(boot: Boot, tmp_path: Path) -> None:
    """What the device may reach stays at the guest, and is what it reads there."""
    disk = tmp_path / "disk"
    content = os.urandom(DISK_MIB * MIB)
    disk.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    with boot(
        "vfio", kernel="rare", balloon=None, memory="1G", accel="tcg",
        arguments=nested.outer_arguments(disk),
    ) as outer:  # fmt: skip
        with nested.inner(outer) as guest:
            assert host_gets(guest) >= FREED_KIB // 2
        nested.assign_disk(outer)
        with nested.inner(outer, f"-device vfio-pci,host={nested.ADDRESS}") as guest:
            assert guest.host_kib() >= nested.INNER_MIB << 10, "memory is not pinned"
            for _ in range(3):
                assert host_gets(guest) <= NOISE_KIB, "the host takes what is pinned"
                guest.write("/proc/sys/vm/drop_caches", 3)
                found = guest.run("sha256sum /dev/vda").split()[0]
                assert found == digest, "the device wrote elsewhere"
