# SPDX-License-Identifier: GPL-2.0
"""Who may switch it on: the domain's administrator and the toolstack, both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import Start
from lab.guest.vm import Guest
from lab.xen.host import Domain, XenHost
from unbacked import (
    BLOCK_KIB,
    SWITCH,
    backend,
    books,
    kernel_says,
    remove_node,
    set_node,
    settle,
    switch,
    unback_eagerly,
    unbacked_kib,
    wait_until,
)

NONSENSE = ("", "much", "-1", "12 MiB", "0x1000", "99999999999999999999999")
ALLOWED = "allowed are 0 for off or a limit in KiB"


@pytest.fixture(scope="module")
def pvh(start: Start) -> Iterator[Domain]:
    """Return a domain that these tests share; it is on, without a node."""
    with start("permission", "pvh") as domain:
        unback_eagerly(domain)
        settle(domain)
        yield domain


def clear_log(guest: Guest) -> None:
    """Forget what the kernel has logged, after looking for trouble in it."""
    assert not guest.try_run("dmesg -c | grep -E 'BUG:|WARNING:'").output


def wait_on(domain: Domain) -> None:
    """Wait until more is unbacked than any limit of these tests."""
    wait_until(lambda: unbacked_kib(domain) > 100 << 10, "unbacked without a limit")


def test_off_by_default(start: Start) -> None:
    """A domain that was not asked gives nothing away."""
    with start("default", "pvh") as domain:
        assert domain.read(SWITCH) == "off"
        assert backend(domain) == "none"


def reaches(domain: Domain, kib: int) -> bool:
    """Tell whether so much is unbacked that no other block fits into the limit."""
    return kib - BLOCK_KIB < unbacked_kib(domain) <= kib


@pytest.mark.parametrize("word", ["maybe", "1", ""])
def test_boot_parameter_nonsense(start: Start, word: str) -> None:
    """A value that is not on or off is refused, and says what is allowed."""
    with start("nonsense", "pv", append=f"xen_page_reporting={word}") as domain:
        assert domain.read(SWITCH) == "off"
        assert kernel_says(domain, f"xen_page_reporting={word} is not known")
        assert kernel_says(domain, "allowed are on and off")
        assert domain.try_run(f"echo '{word}' >{SWITCH}").status
        assert domain.read(SWITCH) == "off"


def test_boot_parameter(xen: XenHost) -> None:
    """The parameter switches on, but only what the toolstack allows."""
    domain = Domain(xen, "boot", "pvh")
    domain.configure(256, 1, "xen_page_reporting=on", ())
    domain.create("-p")
    domain.identify()
    set_node(domain, "0")
    xen.run("xl unpause boot")
    try:
        domain.connect()
        assert domain.read(SWITCH) == "on"
        assert backend(domain) == "none"
        set_node(domain, str(32 << 10))
        wait_until(lambda: reaches(domain, 32 << 10), "the limit reached")
        assert domain.trouble() == []
    finally:
        domain.destroy()


def test_limit_changes(pvh: Domain) -> None:
    """The node is obeyed while the domain runs."""
    everything = books(pvh)
    for kib in (64 << 10, 16 << 10, 48 << 10):
        set_node(pvh, str(kib))
        wait_until(lambda: reaches(pvh, kib), f"{kib} KiB unbacked")
        assert books(pvh).elsewhere == everything.elsewhere
    set_node(pvh, "0")
    wait_until(lambda: backend(pvh) == "none", "off")
    nothing = books(pvh)
    assert (nothing.unbacked, nothing.elsewhere) == (0, everything.elsewhere)
    remove_node(pvh)
    wait_on(pvh)


@pytest.mark.parametrize("kib", ["1", "3"])
def test_limit_below_a_page(pvh: Domain, kib: str) -> None:
    """A limit of less than a page is no page, not no limit."""
    set_node(pvh, kib)
    wait_until(lambda: backend(pvh) == "none", "off")
    remove_node(pvh)
    wait_on(pvh)


@pytest.mark.parametrize("value", NONSENSE)
def test_node_nonsense(pvh: Domain, value: str) -> None:
    """What is not a number forbids, and the log says what is allowed."""
    clear_log(pvh)
    set_node(pvh, value)
    wait_until(lambda: backend(pvh) == "none", "off")
    assert kernel_says(pvh, f"is '{value}', {ALLOWED}")
    assert unbacked_kib(pvh) == 0
    remove_node(pvh)
    wait_on(pvh)


def test_switch(pvh: Domain) -> None:
    """The administrator may switch off and on at any time, also twice."""
    for state in ("off", "off", "on", "on"):
        switch(pvh, state)
        assert pvh.read(SWITCH) == state
        assert backend(pvh) == {"on": "xen", "off": "none"}[state]
    wait_on(pvh)


OTHER = "/modules/example_backend.ko"
TAKEN = "free memory is reported to another hypervisor already"


def test_another_backend(start: Start) -> None:
    """Who is first reports, and the parameter does not say that Xen is on."""
    with start("two", "pvh") as domain:
        domain.run(f"insmod {OTHER}")
        first = backend(domain)
        assert first not in ("none", "xen")
        assert domain.try_run(f"echo on >{SWITCH}").status
        assert domain.read(SWITCH) == "off"
        assert kernel_says(domain, TAKEN)
        assert backend(domain) == first
        # How to switch.
        domain.run("rmmod example_backend")
        switch(domain, "on")
        assert (domain.read(SWITCH), backend(domain)) == ("on", "xen")


def test_another_backend_before_the_toolstack(xen: XenHost, start: Start) -> None:
    """Nor does it when the toolstack allows it too late."""
    domain = Domain(xen, "late", "pvh")
    domain.configure(256, 1, "xen_page_reporting=on", ())
    domain.create("-p")
    domain.identify()
    set_node(domain, "0")
    xen.run("xl unpause late")
    try:
        domain.connect()
        assert domain.read(SWITCH) == "on"
        domain.run(f"insmod {OTHER}")
        remove_node(domain)
        wait_until(lambda: domain.read(SWITCH) == "off", "the truth")
        assert kernel_says(domain, TAKEN)
        assert domain.trouble() == []
    finally:
        domain.destroy()
