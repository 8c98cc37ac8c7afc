# SPDX-License-Identifier: GPL-2.0
"""Every choice of what can be left out compiles, on a small 32-bit kernel."""

from __future__ import annotations

import itertools
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from lab.base import paths
from lab.kernel import kernels
from lab.kernel.kernels import Kernel

PARTS = ("RETAIN", "PIECES", "RESTORE", "CONSOLIDATE")
# Without Xen, which selects one of them.
SMALL = Kernel("small", paths.TREE, "obj-small", ("small.config",), arch="i386")
# In the same output directory: only what a choice touches is compiled anew.
NONE = replace(SMALL, fragments=("small.config", "none.config"))
# Any two of the parts in all four ways, which takes half of all choices.
CHOICES = [
    choice
    for choice in itertools.product((True, False), repeat=len(PARTS))
    if sum(choice) % 2 == 0
]


def name_of(choice: tuple[bool, ...]) -> str:
    """Name the parts that are chosen."""
    return "-".join(itertools.compress(PARTS, choice)) or "none"


@pytest.fixture(scope="module", name="small")
def fixture_small() -> Kernel:
    """Return a small kernel that is configured."""
    kernels.configure(SMALL)
    return SMALL


def choose(choice: tuple[bool, ...]) -> None:
    """Choose some of the parts; make brings the rest of the configuration in line."""
    config = SMALL.objects / ".config"
    switches = [
        word
        for part, chosen in zip(PARTS, choice)
        for word in ("--enable" if chosen else "--disable", f"PAGE_REPORTING_{part}")
    ]
    tool: list[str | Path] = [paths.TREE / "scripts/config", "--file", config]
    kernels.run([*tool, *switches], paths.TREE, SMALL.log)


def compile_objects(kernel: Kernel, target: str, *flags: str) -> None:
    """Make some objects of a kernel; a warning is an error."""
    command = kernels.make_command(kernel, "KCFLAGS=-Werror", *flags, target)
    kernels.run(command, kernel.tree, kernel.log)


def members(archive: Path) -> set[str]:
    """Return the names of the objects in an archive."""
    done = subprocess.run(
        ["ar", "t", archive], capture_output=True, text=True, check=True
    )
    return {Path(line).name for line in done.stdout.splitlines()}


@pytest.mark.parametrize("choice", CHOICES, ids=name_of)
def test_parts(small: Kernel, choice: tuple[bool, ...]) -> None:
    """It compiles without a warning, and what is left out is not there."""
    choose(choice)
    target = "mm/page_reporting/"
    compile_objects(small, target, "W=1")
    assert "warning" not in small.log.read_text(encoding="utf-8")
    config = (small.objects / ".config").read_text(encoding="utf-8")
    found = kernels.symbols(config)
    objects = members(small.objects / target / "built-in.a")
    for part, chosen in zip(PARTS, choice):
        symbol = f"CONFIG_PAGE_REPORTING_{part}"
        assert (found.get(symbol) == "y") == chosen, symbol
        assert (f"{part.lower()}.o" in objects) == chosen, part


def test_backend(small: Kernel) -> None:
    """The backend compiles, too."""
    compile_objects(small, "drivers/virtio/")
    assert "virtio_balloon.o" in members(small.objects / "drivers/virtio/built-in.a")


def test_allocator_without_page_reporting() -> None:
    """CONFIG_PAGE_REPORTING=n leaves nothing of it in the allocator."""
    kernels.configure(NONE)
    compile_objects(NONE, "mm/page_alloc.o")
    done = subprocess.run(
        ["nm", NONE.objects / "mm/page_alloc.o"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "free_one_page" in done.stdout
    assert "page_reporting" not in done.stdout
