# SPDX-License-Identifier: GPL-2.0
"""dom0: what it may have, and who may report its memory."""

from __future__ import annotations

from lab.xen.host import XenHost
from unbacked import (
    backend,
    kernel_says,
    meminfo_kib,
    settle,
    switch,
    unback_eagerly,
    unbacked_kib,
    wait_until,
)

PAGES_PER_MIB = 256

REFUSED = "free page reporting is not available in a Xen PV domain"


def test_less_than_its_maximum() -> None:
    """A dom0 that may have more than it has gets no more by giving and taking."""
    mib = 512
    with XenHost(
        name="test-xen-max", memory="1536M", dom0_mib=mib, dom0_max_mib=2 * mib
    ) as xen:
        total = meminfo_kib(xen, "MemTotal")

        def pages() -> int:
            found = xen.account().pages[0]
            assert found <= mib * PAGES_PER_MIB
            return found

        before = pages()
        for _ in range(2):
            unback_eagerly(xen)
            settle(xen)
            unbacked = unbacked_kib(xen)
            assert unbacked > 100 << 10
            pages()
            xen.run("(integrity -t 1 -m 200 -s 5; echo status $?) >/tmp/log 2>&1 &")
            while xen.try_run("grep -q status /tmp/log").status:
                pages()
            assert "no wrong word" in xen.read("/tmp/log")
            xen.run("rm /tmp/log")
            switch(xen, "off")
            assert pages() == before
            assert meminfo_kib(xen, "MemTotal") == total
        assert xen.trouble() == []


def test_virtio_balloon_in_a_pv_domain() -> None:
    """Its memory is scattered: a virtio device is given none of it, but Xen is."""
    with XenHost(
        name="test-xen-virtio", memory="1G", balloon="free-page-reporting=on"
    ) as xen:
        assert kernel_says(xen, REFUSED)
        assert backend(xen) == "none"
        unback_eagerly(xen)
        assert backend(xen) == "xen"
        wait_until(lambda: unbacked_kib(xen) > 50 << 10, "memory with Xen")
        # The balloon itself is there.
        assert xen.run("ls /sys/bus/virtio/drivers/virtio_balloon | grep virtio")
        assert xen.run(f"dmesg | grep -c -F '{REFUSED}'") == "1"
        switch(xen, "off")
        assert xen.trouble() == []
