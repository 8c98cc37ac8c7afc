# SPDX-License-Identifier: GPL-2.0
"""What the tests share: steering page reporting, and Xen's view of a domain."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.base import waiting
from lab.guest.vm import Guest
from lab.xen.host import Domain, XenHost

SYSFS = "/sys/kernel/mm/page_reporting"
SWITCH = "/sys/module/kernel/parameters/xen_page_reporting"
BALLOON = "/sys/devices/system/xen_memory/xen_memory0"
NODE = "memory/free-page-reporting"

KIB_PER_PAGE = 4

# The largest block that may come back in part when Xen runs out of memory.
BLOCK_KIB = 4096

# A guard against hanging for ever, not a statement about speed.
PATIENCE_SECONDS = 180


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait for a condition; fail with what was waited for."""
    waiting.wait_until(condition, what, seconds)


def number(guest: Guest, name: str) -> int:
    """Return a value of the core's directory in sysfs."""
    return int(guest.read(f"{SYSFS}/{name}"))


def meminfo_kib(guest: Guest, name: str) -> int:
    """Return a line of /proc/meminfo."""
    return int(guest.run(f"grep -w {name}: /proc/meminfo").split()[1])


def unbacked_kib(guest: Guest) -> int:
    """Return what is with Xen."""
    return number(guest, "unbacked_kb")


def backend(guest: Guest) -> str:
    """Return the name of the registered backend, or "none"."""
    return guest.run(f"ls {SYSFS}/backends").strip() or "none"


def switch(guest: Guest, state: str) -> None:
    """Switch reporting on or off; it is off once everything is back."""
    guest.write(SWITCH, state)


def unback_eagerly(guest: Guest) -> None:
    """Switch on, and do not retain memory that may be used again soon."""
    guest.run(f"cd {SYSFS} && echo 0 >max_age_ms && echo 100 >age_ms")
    switch(guest, "on")


def settle(guest: Guest) -> int:
    """Wait until the guest has given away what it can; return that in KiB."""
    seen = [-1, unbacked_kib(guest)]
    deadline = time.monotonic() + PATIENCE_SECONDS
    while seen[-3:] != [seen[-1]] * 3:
        assert time.monotonic() < deadline, f"does not settle, unbacked: {seen[-9:]}"
        time.sleep(1)
        now = unbacked_kib(guest)
        if now > max(seen):
            # It gets on, however slowly.
            deadline = time.monotonic() + PATIENCE_SECONDS
        seen.append(now)
    return seen[-1]


def set_node(domain: Domain, value: str) -> None:
    """Say in xenstore what the toolstack allows."""
    path = f"/local/domain/{domain.id()}/{NODE}"
    domain.host.run(f"xenstore-write -- {path} {shlex.quote(value)}")


def remove_node(domain: Domain) -> None:
    """Leave the toolstack without a say."""
    domain.host.run(f"xenstore-rm /local/domain/{domain.id()}/{NODE}")


@dataclass(frozen=True)
class Books:
    """The memory of a domain in its own books and in those of Xen, in KiB."""

    current: int
    unbacked: int
    pages: int
    free: int
    # The same as `xl info` shows it, in whole MiB.
    free_mib: int

    @property
    def elsewhere(self) -> int:
        """What Xen counts for the domain beyond what the domain counts."""
        return self.pages - (self.current - self.unbacked)


def books(guest: Domain | XenHost) -> Books:
    """Read the books; what is unbacked must not change meanwhile."""
    host = guest.host if isinstance(guest, Domain) else guest
    domid = guest.id()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < deadline, "what is unbacked changes all the time"
        unbacked = unbacked_kib(guest)
        current = int(guest.read(f"{BALLOON}/info/current_kb"))
        account, free_mib = host.account(), host.free_mib()
        if unbacked == unbacked_kib(guest):
            break
    pages = account.pages[domid] * KIB_PER_PAGE
    return Books(current, unbacked, pages, account.free_kib, free_mib)


def kernel_says(guest: Guest, what: str) -> bool:
    """Tell whether the kernel has logged something."""
    return not guest.try_run(f"dmesg | grep -q -F -e {shlex.quote(what)}").status
