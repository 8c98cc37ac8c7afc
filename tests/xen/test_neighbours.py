# SPDX-License-Identifier: GPL-2.0
"""What else moves the memory of a domain goes on working."""

from __future__ import annotations

import pytest
from conftest import Start
from lab.xen.host import QUICK_KINDS, Domain, XenHost
from unbacked import (
    BALLOON,
    books,
    number,
    settle,
    switch,
    unback_eagerly,
    unbacked_kib,
    wait_until,
)

# What a program and the page cache may need for themselves.
SMALL_KIB = 4 << 10
CHECKED_MIB = 32


def current_kib(domain: Domain) -> int:
    """Return what the balloon has left the domain."""
    return int(domain.read(f"{BALLOON}/info/current_kb"))


@pytest.mark.parametrize("domain", QUICK_KINDS, indirect=True)
def test_mem_set(xen: XenHost, domain: Domain) -> None:
    """The balloon reaches its targets, and what is unbacked is apart from it."""
    before = books(domain)
    unback_eagerly(domain)
    settle(domain)
    for mib in (160, 96, 256):
        target = before.current - ((256 - mib) << 10)
        xen.run(f"xl mem-set {domain.name} {mib}")
        wait_until(lambda: current_kib(domain) == target, f"{mib} MiB by the balloon")
        settle(domain)
        assert books(domain).elsewhere == before.elsewhere
        assert "no wrong word" in domain.run("integrity -t 1 -m 40 -s 3", timeout=60)
    switch(domain, "off")
    after = books(domain)
    assert (after.unbacked, after.pages) == (0, before.pages)


@pytest.mark.parametrize("kind", QUICK_KINDS)
def test_less_than_maximum(start: Start, kind: str) -> None:
    """A domain that starts below its maximum does not use what is not there."""
    options = {"append": "xen_page_reporting=on", "settings": ["maxmem=384"]}
    with start("below", kind, mib=192, **options) as domain:
        settle(domain)
        assert unbacked_kib(domain) > 60 << 10
        account = books(domain)
        assert account.current <= 192 << 10
        assert "no wrong word" in domain.run("integrity -t 1 -m 80 -s 5", timeout=60)
        assert books(domain).elsewhere == account.elsewhere


def test_dom0_maps_domains(xen: XenHost, start: Start) -> None:
    """dom0 maps memory of domains, and grants, while some of its own is unbacked."""
    unback_eagerly(xen)
    settle(xen)
    try:
        assert unbacked_kib(xen) > 100 << 10
        for kind in QUICK_KINDS:
            with start("mapped", kind) as domain:
                assert domain.run("seq 2000").splitlines()[-1] == "2000"
        assert "no wrong word" in xen.run("integrity -t 1 -m 60 -s 5", timeout=60)
    finally:
        switch(xen, "off")


@pytest.mark.parametrize(
    "domain", [*QUICK_KINDS, pytest.param("hvm", marks=pytest.mark.long)], indirect=True
)
def test_save_and_restore(xen: XenHost, domain: Domain) -> None:
    """A domain with unbacked blocks is saved and restored, and loses nothing."""
    before = books(domain)
    unback_eagerly(domain)
    integrity = f"integrity -t 1 -m {CHECKED_MIB} -s 45"
    domain.run(f"({integrity}; echo status $?) >/tmp/log 2>&1 &")
    settle(domain)
    unbacked = unbacked_kib(domain)
    xen.run(f"xl save {domain.name} /tmp/saved 2>&1", timeout=200)
    # What was away is not in it.
    assert int(xen.run("stat -c %s /tmp/saved")) < 128 << 20
    xen.run("xl restore /tmp/saved 2>&1 && rm /tmp/saved", timeout=200)
    domain.identify()
    # The program may have more of its memory now than it had before.
    assert unbacked_kib(domain) > unbacked - (CHECKED_MIB << 10) - SMALL_KIB
    assert books(domain).elsewhere == before.elsewhere
    restored = number(domain, "stats/restored_kb")
    assert "freed" in domain.run("touch-free 120", timeout=120)
    assert number(domain, "stats/restored_kb") > restored
    domain.run("until grep -q status /tmp/log; do sleep 1; done", timeout=120)
    assert "no wrong word" in domain.read("/tmp/log")
    switch(domain, "off")
    after = books(domain)
    assert (after.unbacked, after.pages) == (0, before.pages)
