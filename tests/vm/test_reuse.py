# SPDX-License-Identifier: GPL-2.0
"""Memory that is used again and again is left alone; the rest comes back."""

from __future__ import annotations

import re

from conftest import Boot
from lab.vm import Vm
from reporting import stat, tunable, wait_drained, wait_until

KIB_PER_MIB = 1024
CHURN_MIB = 384


def churn(vm: Vm, seconds: int) -> int:
    """Take and free the same amount over and over; return the KiB in all."""
    output = vm.run(f"churn -g 1000 -s {seconds} {CHURN_MIB}", timeout=seconds + 120)
    cycles = re.search(r"cycles=(\d+)", output)
    assert cycles, output
    return int(cycles[1]) * CHURN_MIB * KIB_PER_MIB


def test_reuse_is_learned_and_forgotten(boot: Boot) -> None:
    """A pause of a second between uses costs refaults only at first."""
    with boot("reuse") as vm:
        wait_drained(vm)
        churn(vm, 10)
        before = stat(vm, "refaulted_kb")
        churned = churn(vm, 15)
        assert before > 0, "nothing to learn from"
        assert stat(vm, "refaulted_kb") - before <= churned * 5 // 100
        assert tunable(vm, "current_age_ms") > tunable(vm, "age_ms")
        # Nobody wants it any more: all of it goes, and nothing is held back.
        wait_drained(vm)
        wait_until(
            lambda: tunable(vm, "current_age_ms") == tunable(vm, "age_ms"),
            "age back to what was asked for",
        )
        reported = stat(vm, "reported_kb")
        vm.run("touch-free 512", timeout=120)
        wait_until(
            lambda: stat(vm, "reported_kb") - reported >= 300 * KIB_PER_MIB,
            "memory of another program reported",
        )
        wait_drained(vm)
