# SPDX-License-Identifier: GPL-2.0
"""Every command of the admin guide works in a guest."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import Boot
from lab.base.paths import ROOT
from lab.guest.image import build_perf_image
from lab.guest.vm import Vm
from reporting import retain_nothing, wait_until

GUIDE = ROOT / "Documentation/admin-guide/mm/page_reporting.rst"


def transcripts() -> list[str]:
    """Return the commands of each example, as one command line each."""
    blocks = re.split(r"\n(?=\S)", GUIDE.read_text(encoding="utf-8"))
    commands = [re.findall(r"^    \$ (.+)$", block, re.MULTILINE) for block in blocks]
    return [" && ".join(lines) for lines in commands if lines]


@pytest.fixture(scope="module")
def busy(boot: Boot) -> Iterator[Vm]:
    """Return a guest that frees memory all the time, for something to see."""
    perf = ("-initrd", str(build_perf_image()))
    with boot("admin_guide", arguments=perf) as vm:
        retain_nothing(vm)
        vm.run("(while sleep 1; do touch-free 512; done) >/dev/null 2>&1 &")
        yield vm


@pytest.mark.parametrize("command", transcripts())
def test_command(busy: Vm, command: str) -> None:
    """The commands of an example succeed, if need be after a while."""
    wait_until(lambda: busy.try_run(command).status == 0, command)
