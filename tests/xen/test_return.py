# SPDX-License-Identifier: GPL-2.0
"""Memory that a domain does not use is Xen's, and comes back when it does."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from conftest import Start
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

# What the guest's own programs need and free meanwhile.
NOISE_KIB = 8 << 10

# What runs for minutes: a check of its memory, and beside it what gives memory
# away and takes it again: more than the per-CPU lists of the allocator keep.
TRADED_MIB = 80
CHECK = "integrity -t 1 -m 24 -s"
TRADE = f"until [ -e /tmp/stop ]; do touch-free {TRADED_MIB}; sleep 1; done"


def goes_and_comes_back(guest: Domain | XenHost, mib: int) -> None:
    """Follow @mib of memory from the guest to Xen and back."""
    before = books(guest)
    total, free = meminfo_kib(guest, "MemTotal"), meminfo_kib(guest, "MemFree")
    assert before.unbacked == 0
    unback_eagerly(guest)
    settle(guest)
    gone = books(guest)
    assert gone.unbacked >= mib << 10
    # All books agree to the page.
    assert before.pages - gone.pages == gone.unbacked
    assert gone.free - before.free == gone.unbacked
    assert abs(gone.free_mib - before.free_mib - (gone.unbacked >> 10)) <= 1
    # The guest does not look smaller, to itself or to the balloon.
    assert gone.current == before.current
    assert meminfo_kib(guest, "MemTotal") == total
    assert meminfo_kib(guest, "MemFree") > free - NOISE_KIB

    restored = number(guest, "stats/restored_kb")
    output = guest.run(f"integrity -t 1 -m {mib} -s 8", timeout=120)
    assert "no wrong word" in output
    # In that time a slow machine may have needed little of it.
    guest.run(f"touch-free {mib}", timeout=120)
    # The rest was there: what a zone keeps, and what is too scattered to be given.
    assert number(guest, "stats/restored_kb") - restored > (mib << 10) // 3, "idle"

    switch(guest, "off")
    after = books(guest)
    assert (after.unbacked, after.pages) == (0, before.pages)
    assert after.free == before.free
    assert number(guest, "stats/failed_kb") == 0


def test_domain(domain: Domain) -> None:
    """A domain gives away most of its memory and gets it back."""
    goes_and_comes_back(domain, 150)


def free_after(xen: XenHost, seconds: int) -> int:
    """Return what Xen has free after a while."""
    time.sleep(seconds)
    return xen.account().free_kib


def test_dom0(xen: XenHost) -> None:
    """So does dom0."""
    # Its balloon lends pages to map domains, and takes them back in time.
    wait_until(
        lambda: xen.read(f"{BALLOON}/info/current_kb")
        == xen.read(f"{BALLOON}/target_kb"),
        "the balloon at its target",
    )
    # The last pages of a domain that has gone are freed a little later.
    wait_until(lambda: len({free_after(xen, pause) for pause in (0, 1, 1)}) == 1,
               "Xen's free memory steady")
    goes_and_comes_back(xen, 150)


def traded(domain: Domain) -> bool:
    """Has the domain taken back more than it gives away at a time?"""
    return number(domain, "stats/restored_kb") > TRADED_MIB << 10


@pytest.mark.parametrize("seconds", [40, pytest.param(100, marks=pytest.mark.long)])
def test_integrity_for_long(start: Start, seconds: int) -> None:
    """Memory that comes and goes all the time is right, on two processors as well.

    Not those of a PVH domain: with two, it ends in a triple fault within minutes,
    at an address of Xen, and so in the emulation of hardware virtualisation.
    """
    with ExitStack() as stack:
        domains = [
            stack.enter_context(start(f"long-{kind}", kind, mib=200, cpus=cpus))
            for kind, cpus in (("pv", 2), ("pvh", 1))
        ]
        before = [books(domain) for domain in domains]
        for domain in domains:
            unback_eagerly(domain)
            domain.run(f"({CHECK} {seconds}; echo status $?) >/tmp/log 2>&1 &")
            domain.run(f"({TRADE}; echo status $?) >/tmp/trade 2>&1 &")
        for domain, account in zip(domains, before):
            domain.run("until grep -q status /tmp/log; do sleep 1; done", timeout=300)
            assert "no wrong word" in domain.read("/tmp/log")
            wait_until(lambda: traded(domain), "memory given away and taken back")
            domain.run("touch /tmp/stop")
            domain.run("until grep -q status /tmp/trade; do sleep 1; done", timeout=120)
            switch(domain, "off")
            after = books(domain)
            assert (after.unbacked, after.pages) == (0, account.pages)


@pytest.mark.parametrize("domain", QUICK_KINDS, indirect=True)
def test_by_itself(domain: Domain) -> None:
    """Memory that is freed goes to Xen without a flush, with default settings."""
    domain.run("touch-free -s 1000 100 >/tmp/touched 2>&1 & echo $! >/tmp/pid")
    wait_until(lambda: domain.read("/tmp/touched") == "touched", "memory in use")
    switch(domain, "on")
    rest = settle(domain)
    domain.run("kill $(cat /tmp/pid)")
    wait_until(lambda: unbacked_kib(domain) >= rest + (90 << 10), "memory with Xen")
