# SPDX-License-Identifier: GPL-2.0
"""Every choice of the parts of the core that can be left out compiles."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest
from lab import kernels, paths
from lab.kernels import Kernel

PARTS = ("RETAIN", "PIECES", "RESTORE")
# Without Xen, which selects one of them.
KERNEL = Kernel("layers", paths.TREE, "obj-layers", ("small.config",))
CHOICES = list(itertools.product((True, False), repeat=len(PARTS)))


def name_of(choice: tuple[bool, ...]) -> str:
    """Name the parts that are chosen."""
    return "-".join(itertools.compress(PARTS, choice)) or "none"


def configure(choice: tuple[bool, ...]) -> None:
    """Choose some of the parts, and make sure that they are what is built."""
    kernels.configure(KERNEL)
    config = KERNEL.objects / ".config"
    switches = [
        word
        for part, chosen in zip(PARTS, choice)
        for word in ("--enable" if chosen else "--disable", f"PAGE_REPORTING_{part}")
    ]
    tool: list[str | Path] = [paths.TREE / "scripts/config", "--file", config]
    kernels.run([*tool, *switches], paths.TREE, KERNEL.log)
    kernels.run(kernels.make_command(KERNEL, "olddefconfig"), paths.TREE, KERNEL.log)
    found = kernels.symbols(config.read_text(encoding="utf-8"))
    for part, chosen in zip(PARTS, choice):
        symbol = f"CONFIG_PAGE_REPORTING_{part}"
        assert (found.get(symbol) == "y") == chosen, symbol


def members(archive: Path) -> set[str]:
    """Return the names of the objects in an archive."""
    done = subprocess.run(
        ["ar", "t", archive], capture_output=True, text=True, check=True
    )
    return {Path(line).name for line in done.stdout.splitlines()}


@pytest.mark.parametrize("choice", CHOICES, ids=name_of)
def test_parts(choice: tuple[bool, ...]) -> None:
    """It compiles without a warning, and what is left out is not there."""
    configure(choice)
    target = "mm/page_reporting/"
    command = kernels.make_command(KERNEL, "W=1", "KCFLAGS=-Werror", target)
    kernels.run(command, KERNEL.tree, KERNEL.log)
    assert "warning" not in KERNEL.log.read_text(encoding="utf-8")
    objects = members(KERNEL.objects / target / "built-in.a")
    for part, chosen in zip(PARTS, choice):
        assert (f"{part.lower()}.o" in objects) == chosen, part
