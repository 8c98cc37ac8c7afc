# SPDX-License-Identifier: GPL-2.0
"""An emulator that fails is told from a domain that fails."""

from __future__ import annotations

import pytest
from lab.xen.host import EMULATION_FAULT

# What Xen says at the end of a domain, without most of the registers.
DUMP = """(XEN) d3v0 Triple fault - invoking HVM shutdown action 1
(XEN) *** Dumping Dom3 vcpu#0 state: ***
(XEN) CPU:    0
(XEN) RIP:    {rip}
(XEN) RFLAGS: 0000000000000246   CONTEXT: {context} (d3v0)
"""


@pytest.mark.parametrize(
    "rip, context, emulator",
    [
        # the domain runs, but with an address of Xen
        ("e008:[<ffff82d0402044a5>]", "hvm guest", True),
        # the domain's own kernel
        ("0010:[<ffffffff81a40b80>]", "hvm guest", False),
        # Xen itself
        ("e008:[<ffff82d0402044a5>]", "hypervisor", False),
    ],
)
def test_emulation_fault(rip: str, context: str, emulator: bool) -> None:
    """It is where the domain was that tells."""
    found = EMULATION_FAULT.search(DUMP.format(rip=rip, context=context))
    assert bool(found) == emulator
