# SPDX-License-Identifier: GPL-2.0
"""Every command of the admin guide works in a guest."""

from __future__ import annotations

import re

import pytest
from lab.paths import ROOT
from lab.vm import Vm
from reporting import tune, wait_until

GUIDE = ROOT / "Documentation/admin-guide/mm/page_reporting.rst"


def transcripts() -> list[str]:
    """Return the commands of each example, as one command line each."""
    blocks = re.split(r"\n(?=\S)", GUIDE.read_text(encoding="utf-8"))
    commands = [re.findall(r"^    \$ (.+)$", block, re.MULTILINE) for block in blocks]
    return [" && ".join(lines) for lines in commands if lines]


@pytest.fixture(scope="module", autouse=True)
def busy(vm: Vm) -> None:
    """Free memory all the time, so that there is something to see."""
    tune(vm, max_age_ms=0)
    vm.run("(while sleep 1; do touch-free 512; done) >/dev/null 2>&1 &")


@pytest.mark.parametrize("command", transcripts())
def test_command(vm: Vm, command: str) -> None:
    """The commands of an example succeed, if need be after a while."""
    wait_until(lambda: vm.try_run(command).status == 0, command, seconds=30)
