# SPDX-License-Identifier: GPL-2.0
"""Nothing that a domain had in its memory reaches another one."""

from __future__ import annotations

from conftest import Start
from lab.xen.host import Domain, XenHost
from unbacked import settle, switch, unback_eagerly, unbacked_kib, wait_until

MODULE = "/modules/leftovers.ko"
PARAMETERS = "/sys/module/leftovers/parameters"

SECRET_MIB = 140
XEN_NEEDS_MIB = 12


def leave(domain: Domain) -> None:
    """Leave a word all over the domain's free memory."""
    domain.run(f"insmod {MODULE} leave=1 mib={SECRET_MIB}")
    assert int(domain.read(f"{PARAMETERS}/mib")) == SECRET_MIB
    domain.run("rmmod leftovers")


def find(xen: XenHost, start: Start) -> int:
    """Count the word in a new domain that has nearly all of Xen's memory."""
    mib = xen.free_mib() - XEN_NEEDS_MIB
    with start("finder", "pv", mib=mib) as domain:
        domain.run(f"insmod {MODULE} mib={mib}", timeout=120)
        assert int(domain.read(f"{PARAMETERS}/mib")) > mib * 3 // 4
        return int(domain.read(f"{PARAMETERS}/found"))


def test_contents_do_not_leave(xen: XenHost, start: Start) -> None:
    """What is given away is cleared, even if the balloon does not do that."""
    with start("secret", "pvh", append="xen_scrub_pages=0") as domain:
        leave(domain)
        unback_eagerly(domain)
        settle(domain)
        assert unbacked_kib(domain) > SECRET_MIB << 10
        assert find(xen, start) == 0

        # The search is able to find something: what the balloon gives away.
        switch(domain, "off")
        leave(domain)
        xen.run("xl mem-set secret 64")
        wait_until(lambda: domain.pages() < 70 << 8, "the balloon inflated")
        assert find(xen, start) > 0
