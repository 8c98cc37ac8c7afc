# SPDX-License-Identifier: GPL-2.0
"""Other domains use what a domain gave away, until there is nothing left."""

from __future__ import annotations

import pytest
from conftest import Start
from holding import (
    BLOCK_KIB,
    SWITCH,
    SYSFS,
    books,
    held_kib,
    hold_eagerly,
    kernel_says,
    set_node,
    settle,
    wait_until,
)
from lab.xen_host import QUICK_KINDS, XenHost

# Xen needs some for itself, for a domain's page tables for example.
XEN_NEEDS_MIB = 12

KILLED = 137

NOT_ALL_BACK = "Xen has not given all memory back yet"

# A program that goes on beside the one that uses up the memory.
WITNESS = "echo -900 >/proc/self/oom_score_adj; integrity -t 1 -m 12 -s 25"


@pytest.mark.parametrize("kind", QUICK_KINDS)
def test_nothing_to_give_back(xen: XenHost, start: Start, kind: str) -> None:
    """A domain whose memory is gone fails cleanly, and never uses a hole."""
    with start("giver", kind) as giver:
        before = books(giver)
        hold_eagerly(giver)
        settle(giver)
        # More than was free before: the other one gets the giver's memory.
        mib = xen.free_mib() - XEN_NEEDS_MIB
        assert mib > (before.free >> 10) + 100
        with start("taker", "pv", mib=mib):
            giver.run(f"({WITNESS}; echo status $?) >/tmp/log 2>&1 &")
            # What is freed now would be there to complete what Xen gave in part.
            giver.write(f"{SYSFS}/enabled", 0)
            hog = giver.try_run("touch-free 200", timeout=120)
            assert hog.status == KILLED
            assert kernel_says(giver, "Out of memory: Killed process")
            assert kernel_says(giver, "(touch-free)")
            # It got what there was, and still has what there was not.
            assert held_kib(giver) > 100 << 10
            # Of the block that it asked for, Xen may have had a part.
            part = books(giver).elsewhere - before.elsewhere
            assert 0 < part < BLOCK_KIB
            # Whoever forbids it, it goes on until everything is back.
            set_node(giver, "0")
            wait_until(lambda: kernel_says(giver, NOT_ALL_BACK), "the message")
            assert giver.try_run(f"echo off >{SWITCH}").status
            assert giver.read(f"{SYSFS}/backend") == "xen"
            giver.run("until grep -q status /tmp/log; do sleep 1; done")
            assert "no wrong word" in giver.read("/tmp/log")
        # Now there is some again.
        wait_until(lambda: giver.read(f"{SYSFS}/backend") == "none", "all is back")
        after = books(giver)
        assert (after.held, after.pages) == (0, before.pages)
        assert "freed" in giver.run("touch-free 200", timeout=120)
