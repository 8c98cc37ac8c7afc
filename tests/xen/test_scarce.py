# SPDX-License-Identifier: GPL-2.0
"""Other domains use what a domain gave away, until there is nothing left."""

from __future__ import annotations

import pytest
from conftest import Start
from lab.xen.host import QUICK_KINDS, Domain, XenHost
from unbacked import (
    BLOCK_KIB,
    SWITCH,
    SYSFS,
    backend,
    books,
    kernel_says,
    set_node,
    settle,
    unback_eagerly,
    unbacked_kib,
    wait_until,
)

# Xen needs some for itself, for a domain's page tables for example.
XEN_NEEDS_MIB = 12

KILLED = 137

NOT_ALL_BACK = "Xen has not given all memory back yet"

# The kernel may kill one more while the memory of the first is about to be free.
BYSTANDERS = "for i in 1 2 3; do sleep 600 & done"
# A program that goes on beside the one that uses up the memory.
WITNESS = "echo -900 >/proc/self/oom_score_adj; integrity -t 1 -m 12 -s 25"


@pytest.mark.parametrize("kind", QUICK_KINDS)
def test_nothing_to_give_back(xen: XenHost, start: Start, kind: str) -> None:
    """A domain whose memory is gone fails cleanly, and never uses a hole."""
    with start("giver", kind) as giver:
        before = books(giver)
        unback_eagerly(giver)
        settle(giver)
        # More than was free before: the other one gets the giver's memory.
        mib = xen.free_mib() - XEN_NEEDS_MIB
        assert mib > (before.free >> 10) + 100
        with start("taker", "pv", mib=mib):
            giver.run(f"({BYSTANDERS}) >/dev/null 2>&1")
            giver.run(f"({WITNESS}; echo status $?) >/tmp/log 2>&1 &")
            # What is freed now would be there to complete what Xen gave in part.
            giver.write(f"{SYSFS}/enabled", 0)
            hog = giver.try_run("touch-free 200", timeout=120)
            assert hog.status == KILLED
            assert kernel_says(giver, "Out of memory: Killed process")
            assert kernel_says(giver, "(touch-free)")
            # It got what there was, and still has what there was not.
            assert unbacked_kib(giver) > 100 << 10
            # Of the block that it asked for, Xen may have had a part.
            part = books(giver).elsewhere - before.elsewhere
            assert 0 < part < BLOCK_KIB
            # Whoever forbids it, it goes on until everything is back.
            set_node(giver, "0")
            wait_until(lambda: kernel_says(giver, NOT_ALL_BACK), "the message")
            assert giver.try_run(f"echo off >{SWITCH}").status
            assert backend(giver) == "xen"
            giver.run("until grep -q status /tmp/log; do sleep 1; done")
            assert "no wrong word" in giver.read("/tmp/log")
        # Now there is some again.
        wait_until(lambda: backend(giver) == "none", "all is back")
        after = books(giver)
        assert (after.unbacked, after.pages) == (0, before.pages)
        assert "freed" in giver.run("touch-free 200", timeout=120)


# What a zone may cost while an allocation waits for it: it is asked at most once
# a second in the end, and a few times more by whom the OOM killer calls.
ZONES = 3
ATTEMPTS = 300
TRACING = "/sys/kernel/tracing"
RESTORES = f"{TRACING}/events/page_reporting/page_reporting_restore"


def uptime(domain: Domain) -> float:
    """Return the seconds that the domain itself has counted."""
    return float(domain.read("/proc/uptime").split()[0])


def busy_share(domain: Domain, seconds: int) -> float:
    """Return how much of the processor the domain uses, as it sees it."""
    share = "awk '/^cpu /{print $2+$3+$4+$7+$8, $5+$6}' /proc/stat"
    lines = domain.run(f"{share}; sleep {seconds}; {share}").splitlines()
    before, after = ([int(n) for n in line.split()] for line in lines)
    busy, idle = (b - a for a, b in zip(before, after))
    return busy / (busy + idle)


def cap(domain: Domain, mib: int) -> None:
    """Let a domain have no more than this, though its target stays what it is.

    xl refuses that, so it is shown another target, unnoticed by the domain.
    """
    node = f"/local/domain/{domain.id()}/memory/target"
    domain.host.run(
        f"xl pause {domain.name} && target=$(xenstore-read {node})"
        f" && xenstore-write {node} {mib << 10} && xl mem-max {domain.name} {mib}"
        f" && xenstore-write {node} $target && xl unpause {domain.name}"
    )


@pytest.mark.parametrize("kind", QUICK_KINDS)
def test_capped(xen: XenHost, start: Start, kind: str) -> None:
    """A domain that may not have more than it has fails cleanly, and is idle."""
    with start("capped", kind) as domain:
        before = books(domain)
        unback_eagerly(domain)
        settle(domain)
        unbacked = unbacked_kib(domain)
        assert unbacked > 120 << 10
        used_mib = (before.current - unbacked) >> 10
        domain.write(f"{SYSFS}/enabled", 0)
        unbacked = unbacked_kib(domain)
        cap(domain, used_mib - 16)
        domain.write(f"{RESTORES}/enable", 1)
        begin = uptime(domain)
        hog = domain.try_run("touch-free 200", timeout=120)
        assert hog.status == KILLED
        assert unbacked_kib(domain) == unbacked
        attempts = int(domain.run(f"grep -c err=-12 {TRACING}/trace"))
        assert attempts <= ATTEMPTS + ZONES * (uptime(domain) - begin)
        domain.write(f"{RESTORES}/enable", 0)
        # Nor is it busy when it must give everything back and cannot.
        set_node(domain, "0")
        wait_until(lambda: kernel_says(domain, NOT_ALL_BACK), "the message")
        assert busy_share(domain, 10) < 0.5
        xen.run("xl mem-max capped 256")
        wait_until(lambda: backend(domain) == "none", "all is back")
        after = books(domain)
        assert (after.unbacked, after.pages) == (0, before.pages)
        assert "freed" in domain.run("touch-free 150", timeout=120)
