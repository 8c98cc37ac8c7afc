# SPDX-License-Identifier: GPL-2.0
"""What happens to a domain is seen, also when it cannot be asked any more."""

from __future__ import annotations

import pytest
from conftest import Start
from lab.guest.vm import VmError
from lab.xen.host import QUICK_KINDS, XenHost


@pytest.mark.parametrize("kind", QUICK_KINDS)
def test_a_domain_that_dies_says_why(xen: XenHost, start: Start, kind: str) -> None:
    """Its console log is kept, and the end of it is in the failure."""
    with pytest.raises(VmError, match="(?s)dying ended during.*Kernel panic"):
        with start("dying", kind) as domain:
            domain.try_run("echo c >/proc/sysrq-trigger")
    log = domain.keep_log()
    assert log.name == f"{xen.name}-dying.log"
    assert "Kernel panic" in log.read_text()


def test_commands_are_killed_before_their_server(start: Start) -> None:
    """Memory that runs out ends a command, and the next one is answered."""
    with start("small", "pvh", mib=160) as domain:
        scores = "cat /proc/self/oom_score_adj /proc/$PPID/oom_score_adj"
        assert domain.run(scores).split() == ["0", "-1000"]
        for _ in range(3):
            assert domain.try_run("touch-free 400", timeout=120).status == 137
            assert domain.run("echo still here") == "still here"
