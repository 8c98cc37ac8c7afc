# SPDX-License-Identifier: GPL-2.0
"""A page in use never loses its contents, and damage would be noticed."""

from __future__ import annotations

import re

import pytest
from conftest import Boot
from reporting import (
    backend,
    be_aggressive,
    stat,
    tune,
    unbind,
    wait_until,
)

# Processors, the order, and for how long: what happens at the same time on several
# processors has more time to.
CASES = (
    pytest.param(4, 9, 30, marks=pytest.mark.smoke), (4, 0, 30), (1, 9, 10), (1, 0, 10),
)  # fmt: skip


@pytest.mark.parametrize("cpus, order, seconds", CASES)
def test_contents_survive(boot: Boot, cpus: int, order: int, seconds: int) -> None:
    """Patterns in small and huge pages survive the most aggressive reporting."""
    with boot(f"integrity-{cpus}cpu-order{order}", cpus=cpus, memory="1G") as vm:
        be_aggressive(vm)
        tune(vm, order=order)
        before = stat(vm, "reported_kb")
        # Memory is never idle: half of it is in use, half is being reported.
        check = f"integrity -t {cpus + 1} -m {500 // (cpus + 1)} -s {seconds}"

        def busy() -> bool:
            assert "no wrong word" in vm.run(check, timeout=seconds + 120)
            return stat(vm, "reported_kb") - before > 64 * 1024

        wait_until(busy, "64 MiB reported meanwhile", 300)
        assert stat(vm, "failed_kb") == 0


def test_damage_is_noticed(boot: Boot) -> None:
    """A backend that reports a page in use makes the integrity program fail."""
    with boot("broken-backend") as vm:
        be_aggressive(vm)
        # The victim stays where it is.
        tune(vm, consolidate_percent=0)
        unbind(vm)
        assert backend(vm) == "none"
        vm.run("insmod /modules/broken_backend.ko")
        assert backend(vm) == "unnamed"

        vm.run("(integrity -v -m 400 -s 20; echo status $?) >/tmp/integrity 2>&1 &")
        wait_until(lambda: "victim" in vm.read("/tmp/integrity"), "a victim page")
        victim = re.search(r"victim (\d+)", vm.read("/tmp/integrity"))
        assert victim
        parameter = "/sys/module/broken_backend/parameters/victim_pfn"
        vm.write(parameter, victim[1])
        wait_until(lambda: "status" in vm.read("/tmp/integrity"), "the verdict")
        verdict = vm.read("/tmp/integrity")
        assert "WRONG WORD in the victim page" in verdict
        assert "status 1" in verdict
        vm.run("rmmod broken_backend")
