# SPDX-License-Identifier: GPL-2.0
"""A guest that libvirt runs, with what the admin guide says of libvirt."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab.base.paths import ROOT
from reporting import backend, in_use, stat, wait_drained, wait_until
from virsh import NAME, connected, domain, libvirt

GUIDE = ROOT / "Documentation/admin-guide/mm/page_reporting.rst"
KIB_PER_MIB = 1024
USED_MIB = 512
# What comes and goes beside it, in the guest and in QEMU.
NOISE_KIB = 48 * KIB_PER_MIB


def balloon_of_the_guide() -> str:
    """Return the balloon that the admin guide has for libvirt."""
    found = re.search(
        r"<memballoon .*?</memballoon>", GUIDE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return found[0]


@pytest.mark.long
def test_libvirt(tmp_path: Path, accelerator: str) -> None:
    """It shows what was given back, and a saved guest has no more than it uses."""
    saved = tmp_path / f"state/var/lib/libvirt/qemu/save/{NAME}.save"
    description = domain(tmp_path, accelerator, balloon_of_the_guide())
    with libvirt(tmp_path) as daemon:
        daemon.virsh("define", str(description))
        daemon.virsh("start", NAME)
        with connected(tmp_path, fresh=True) as guest:
            wait_drained(guest)
            before = daemon.memory_kib("rss")
            with in_use(guest, USED_MIB):
                used = daemon.memory_kib("rss")
                assert used >= before + USED_MIB * KIB_PER_MIB - NOISE_KIB
            wait_until(
                lambda: daemon.memory_kib("rss") <= before + NOISE_KIB, "memory back"
            )
            after = daemon.memory_kib("rss")
        daemon.virsh("managedsave", NAME)
        size = saved.stat().st_blocks // 2
        assert size <= after + NOISE_KIB
        daemon.virsh("start", NAME)
        with connected(tmp_path, fresh=False) as guest:
            assert backend(guest) == "virtio-balloon"
            loaded = daemon.memory_kib("rss")
            assert loaded <= after + NOISE_KIB, "what was free is resident"
            reported = stat(guest, "reported_kb")
            with in_use(guest, USED_MIB):
                pass
            wait_until(
                lambda: daemon.memory_kib("rss") <= loaded + NOISE_KIB, "memory back"
            )
            assert stat(guest, "reported_kb") > reported
    print(f"KiB: {before=} {used=} {after=} {size=} {loaded=}")
