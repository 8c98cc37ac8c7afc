# SPDX-License-Identifier: GPL-2.0
"""What happens in a stress run follows from its seed, and from nothing else."""

from __future__ import annotations

import random
import re
from itertools import islice

import pytest
from lab.base import paths
from lab.guest.vm import Vm
from lab.stress import hardware, plan, run
from lab.stress.load import Log

MANY = 2000
GUEST = paths.ROOT / "tests" / "guest" / "stress"


def some(seed: int, number: int = MANY) -> list[plan.Event]:
    """Return the first events of a seed."""
    return list(islice(plan.plan(seed, plan.kinds("stress")), number))


def test_same_seed_same_plan() -> None:
    """It does not depend on anything else, nor on how much of it is asked for."""
    assert some(5, 10) == some(5)[:10]
    random.seed(1)
    first = some(5)
    random.seed(2)
    assert some(5) == first


def test_other_seed_other_plan() -> None:
    """Two seeds have little in common."""
    same = sum(a.command == b.command for a, b in zip(some(5), some(6)))
    assert same < MANY // 10


def test_everything_happens() -> None:
    """Every kind comes, each tunable is set and refused, each backend registers."""
    events = some(1)
    assert {event.kind for event in events} == set(plan.KINDS)
    for kind in ("tune", "refuse"):
        names = {event.arguments[0] for event in events if event.kind == kind}
        assert names == set(plan.VALUES)
    words = {word for event in events for word in event.arguments}
    assert words >= {*plan.MODULES, *plan.DIMMS, "freezer", "devices", "disk"}


def test_guest_knows_every_event() -> None:
    """The program in the guest has a function for each that is its own."""
    functions = set(re.findall(r"^(\w+)\(\)$", GUEST.read_text(), re.MULTILINE))
    assert {kind.name for kind in plan.IN_GUEST} <= functions


def test_hardware_knows_the_others() -> None:
    """Each event is done by one of both."""
    machine = hardware.Hardware(Vm.__new__(Vm))
    does = {kind for kind in plan.KINDS if machine.does(kind)}
    assert does == {kind.name for kind in plan.BY_HARDWARE}


def test_nothing_writes_to_unmapped_pages() -> None:
    """A seed whose free pages are unmapped has no backend that fills them."""
    for seed in (2, 3):
        events = islice(run.events(seed, "stress"), MANY)
        fills = any("keeping_backend" in event.arguments for event in events)
        assert fills != run.unmaps(seed)


def test_settings() -> None:
    """An hour and any seed by default."""
    chosen = run.settings({"HOURS": "", "SEED": ""})
    assert chosen.hours == 1 and 0 <= chosen.seed < run.SEEDS
    assert run.settings({"HOURS": "0.25", "SEED": "7"}) == run.Settings(0.25, 7)


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "1001", "an hour"])
def test_wrong_hours(hours: str) -> None:
    """The message names what is wrong, and what is right."""
    with pytest.raises(run.SettingError, match=f"HOURS={hours}: a number above 0"):
        run.settings({"HOURS": hours})


@pytest.mark.parametrize("seed", ["-1", "1.5", "x", "4294967296", "٣"])
def test_wrong_seed(seed: str) -> None:
    """The same for the seed."""
    with pytest.raises(run.SettingError, match=f"SEED={seed}: a whole number"):
        run.settings({"SEED": seed})


def test_wrong_kernel() -> None:
    """And for the kernel."""
    with pytest.raises(run.SettingError, match="KERNEL=x: one of stress, ours, debug"):
        run.settings({"KERNEL": "x"})


def test_log_counts() -> None:
    """What was done and what was refused is counted apart."""
    said: list[str] = []
    log = Log(said.append)
    log.note(plan.Event(1, "compact", ("2",)), 1.5, "")
    log.note(plan.Event(2, "block", ("3", "0")), 2, "in use")
    assert said == [
        "1 compact 2: done after 1.5 s",
        "2 block 3 0: refused: in use after 2.0 s",
    ]
    assert log.done == {"compact": 1} and log.refused == {"block: in use": 1}
