# SPDX-License-Identifier: GPL-2.0
"""Memory that is used again and again is left alone; the rest comes back."""

from __future__ import annotations

from conftest import Boot
from lab.guest.vm import Vm
from reporting import stat, tunable, wait_drained, wait_until

KIB_PER_MIB = 1024
CHURN_MIB = 384


CYCLES = 8
# So much refaults at most of what is used again and again: a twentieth.
LEARNT_KIB = CYCLES * CHURN_MIB * KIB_PER_MIB // 20


def churn(vm: Vm) -> int:
    """Take and free the same amount over and over; return what refaulted."""
    before = stat(vm, "refaulted_kb")
    vm.run(f"churn -g 1000 -n {CYCLES} {CHURN_MIB}", timeout=300)
    return stat(vm, "refaulted_kb") - before


def test_reuse_is_learned_and_forgotten(boot: Boot) -> None:
    """A pause of a second between uses costs refaults only at first."""
    with boot("reuse") as vm:
        wait_drained(vm)
        assert churn(vm) > 0, "nothing to learn from"
        wait_until(lambda: churn(vm) <= LEARNT_KIB, "a twentieth refaulted")
        vm.run(f"churn -g 1000 -s 1000 {CHURN_MIB} >/dev/null 2>&1 &")
        wait_until(
            lambda: tunable(vm, "current_age_ms") > tunable(vm, "age_ms"),
            "memory retained",
        )
        vm.run("killall churn")
        # Nobody wants it any more: all of it goes, and nothing is retained.
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
