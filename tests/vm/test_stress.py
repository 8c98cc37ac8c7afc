# SPDX-License-Identifier: GPL-2.0
"""`make stress` for a moment: a few events of one seed, on the kernel of the others."""

from __future__ import annotations

from itertools import islice

from conftest import Boot
from lab.stress import hardware, plan
from lab.stress.level import Before
from lab.stress.load import Load, Log

# Of the first events of this one, each is of another kind.
SEED = 694
EVENTS = 12
# What this kernel has, but for what takes long when it is emulated.
SLOW = ("rest", "sleep", "device")
KINDS = [name for name in plan.kinds("ours") if name not in SLOW]


def test_a_moment_of_stress(boot: Boot) -> None:
    """Memory stays as it was, the kernel does not complain, all is reported."""
    with boot(
        "stress",
        cpus=plan.PROCESSORS,
        memory=hardware.MEMORY,
        append=hardware.APPEND,
        arguments=hardware.arguments(KINDS),
    ) as vm:
        before = Before(vm)
        load = Load(vm, Log(print))
        load.watch(2, 32, 5)
        load.run(islice(plan.plan(SEED, KINDS), EVENTS))
        before.put_back(load.hardware)
        assert "no wrong word" in load.end_watch()
        before.wait_back()
