# SPDX-License-Identifier: GPL-2.0
"""The balloon takes what is unbacked first, and fetches nothing back for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Start
from lab.guest.vm import Guest
from lab.xen.host import QUICK_KINDS, Domain, XenHost
from unbacked import (
    BALLOON,
    books,
    meminfo_kib,
    number,
    settle,
    switch,
    unback_eagerly,
    unbacked_kib,
    wait_until,
)

MIB = 256
TARGET_MIB = 120

# Xen needs some for itself, for a domain's page tables for example.
XEN_NEEDS_MIB = 12

# More than all others could give away.
GREED_MIB = 300


def current_kib(domain: Domain) -> int:
    """Return what the balloon has left the domain."""
    return int(domain.read(f"{BALLOON}/info/current_kb"))


def killed(guest: Guest) -> int:
    """Return how many processes the OOM killer has ended."""
    return int(guest.run("awk '/^oom_kill/{print $2}' /proc/vmstat"))


@contextmanager
def taker(xen: XenHost, start: Start) -> Iterator[Domain]:
    """Run a domain that takes all that Xen has, and all that becomes free."""
    mib = xen.free_mib() - XEN_NEEDS_MIB
    most = f"maxmem={mib + GREED_MIB}"
    with start("taker", "pv", mib=mib, settings=[most]) as domain:
        domain.run(f"cd {BALLOON} && echo 1 >max_schedule_delay")
        domain.write(f"{BALLOON}/max_retry_count", 0)
        xen.run(f"xl mem-set taker {mib + GREED_MIB}")
        wait_until(lambda: xen.free_mib() < XEN_NEEDS_MIB // 2, "Xen's memory taken")
        yield domain


@pytest.mark.parametrize("kind", QUICK_KINDS)
def test_target_below_what_is_there(xen: XenHost, start: Start, kind: str) -> None:
    """A domain whose unbacked memory others have reaches a lower target unharmed."""
    with start("giver", kind, mib=MIB) as giver:
        before = books(giver)
        total = meminfo_kib(giver, "MemTotal")
        unback_eagerly(giver)
        settle(giver)
        unbacked = unbacked_kib(giver)
        assert unbacked > 140 << 10
        # What may not come back is free memory, but not available.
        assert meminfo_kib(giver, "MemFree") > unbacked
        assert meminfo_kib(giver, "MemAvailable") < (MIB << 10) - unbacked
        with taker(xen, start):
            restored = number(giver, "stats/restored_kb")
            target = before.current - ((MIB - TARGET_MIB) << 10)
            xen.run(f"xl mem-set giver {TARGET_MIB}")
            wait_until(lambda: current_kib(giver) == target, f"{TARGET_MIB} MiB")
            assert killed(giver) == 0
            given = (MIB - TARGET_MIB) << 10
            assert number(giver, "stats/claimed_kb") == given
            assert number(giver, "stats/restored_kb") == restored, "fetched"
            assert meminfo_kib(giver, "MemTotal") == total - given
            assert books(giver).elsewhere == before.elsewhere
            assert giver.run("seq 2000").splitlines()[-1] == "2000"
            assert killed(giver) == 0
        # Raised again, and everything back, no page is missing or too many.
        xen.run(f"xl mem-set giver {MIB}")
        wait_until(lambda: current_kib(giver) == before.current, f"{MIB} MiB")
        assert meminfo_kib(giver, "MemTotal") == total
        assert "no wrong word" in giver.run("integrity -t 1 -m 120 -s 5", timeout=120)
        switch(giver, "off")
        after = books(giver)
        assert (after.unbacked, after.pages) == (0, before.pages)
