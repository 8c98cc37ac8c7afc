# SPDX-License-Identifier: GPL-2.0
"""The packages in a Debian with systemd: from the installation to the removal.

The tests are one story, and tell it in this order.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from lab.guest import accel, distro, vm
from lab.guest.distro import Distro
from lab.kernel import deb
from reporting import SYSFS, backend, stat, tunable, wait_drained, wait_until

pytestmark = pytest.mark.long
FLAVOUR = "page-reporting-small"
TOOLS = "page-reporting-tools"
APT = "DEBIAN_FRONTEND=noninteractive apt-get -q --yes --no-install-recommends"
MINUTES = 60
# Of what a program has freed, so much is back: less than all, for its neighbours.
FREED_MIB, BACK_KIB = 512, 384 << 10

# What a user copies, takes a "#" from, and changes.
EXAMPLE = "/usr/lib/tmpfiles.d/page-reporting.conf"
TUNABLES = "/etc/tmpfiles.d/page-reporting.conf"
AGE_MS, DEFAULT_AGE_MS = 700, 500


@pytest.fixture(scope="module", name="guest")
def fixture_guest() -> Iterator[Distro]:
    """Return a Debian that has the packages on a second disk, not installed."""
    acceleration = accel.choose(vm.kernel_image("ours"))
    base = distro.build(acceleration)
    disk, packages = (base.with_name(f"{name}.img") for name in ("test", "packages"))
    shutil.copy(base, disk)
    distro.disk_of([*(deb.PACKAGES / "small").glob("*.deb")], packages)
    with Distro(disk, name="distro", accel=acceleration, drives=[packages]) as guest:
        yield guest
    for file in (disk, packages):
        file.unlink()


def use_and_free(guest: Distro) -> int:
    """Have memory used and freed; return what the host had given to the guest."""
    guest.run(f"head -c {FREED_MIB}M /dev/zero >/dev/shm/used", 10 * MINUTES)
    peak = guest.rss_kib()
    guest.run("rm /dev/shm/used")
    return peak


def expect_return(guest: Distro) -> None:
    """What is freed is back at the host."""
    reported = stat(guest, "reported_kb")
    peak = use_and_free(guest)
    wait_until(lambda: peak - guest.rss_kib() > BACK_KIB, "memory at the host")
    assert stat(guest, "reported_kb") - reported > BACK_KIB


def failed_units(guest: Distro) -> str:
    """Return the services that have failed."""
    return guest.run("systemctl --failed --plain --no-legend")


def test_before(guest: Distro) -> None:
    """It is a Debian as it was installed, that boots by itself."""
    assert "cloud-amd64" in guest.run("uname -r")
    assert guest.try_run(f"ls {SYSFS}").status
    assert not failed_units(guest)


def test_installs(guest: Distro) -> None:
    """apt takes the packages; systemd takes what the user has set."""
    guest.run("mount -o ro /dev/vdb /mnt")
    wanted = f"/mnt/linux-image-*_amd64.deb /mnt/{TOOLS}_*.deb"
    guest.run(f"{APT} install {wanted}", 30 * MINUTES)
    change = f"s,^#\\(w .*/age_ms .*\\) {DEFAULT_AGE_MS}$,\\1 {AGE_MS},"
    guest.run(f"sed '{change}' {EXAMPLE} >{TUNABLES}")
    assert guest.run(f"grep -c ^w {TUNABLES}") == "1"


def test_boots_into_it(guest: Distro) -> None:
    """The boot loader chooses the new kernel; it reports, with what was set."""
    guest.reboot()
    assert guest.run("uname -r").endswith(FLAVOUR)
    assert backend(guest) == "virtio-balloon"
    assert tunable(guest, "age_ms") == AGE_MS
    assert not failed_units(guest)
    wait_drained(guest)
    expect_return(guest)


def test_tools(guest: Distro) -> None:
    """They say what is to be said of this guest."""
    assert "reported" in guest.run("page_reporting_why", 5 * MINUTES)
    assert "reported" in guest.run("page_reporting_top 1 1", 5 * MINUTES)


def test_ready_for_a_crash(guest: Distro) -> None:
    """kdump-tools has loaded the kernel that would write the dump."""
    assert ": ready to kdump" in guest.run("kdump-config status")


def test_suspend(guest: Distro) -> None:
    """The guest sleeps, wakes up, and goes on reporting."""
    guest.run("systemctl suspend", 10 * MINUTES)
    guest.qmp.wait_event("SUSPEND", 10 * MINUTES)
    guest.qmp.execute("system_wakeup")
    # What is sent to its serial port sooner is lost.
    awake = "PM: suspend exit"
    wait_until(lambda: awake in guest.console_text(), "the guest awake", 10 * MINUTES)
    expect_return(guest)


def test_removal(guest: Distro) -> None:
    """Nothing asks, nothing is left, and Debian's kernel boots again."""
    names = f"linux-image-$(uname -r) {TOOLS}"
    guest.run(f"{APT} purge {names}", 30 * MINUTES)
    guest.run(f"rm {TUNABLES}")
    guest.reboot()
    assert "cloud-amd64" in guest.run("uname -r")
    assert not guest.run(f"ls /boot | grep {FLAVOUR} || true")
    assert not failed_units(guest)
