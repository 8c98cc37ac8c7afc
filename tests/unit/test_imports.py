# SPDX-License-Identifier: GPL-2.0
"""The check of the direction of imports in the harness."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.check.imports import Directions, Modules, check, circles, imported, read

DIRECTIONS = Directions({"low": set(), "high": {"low"}}, [["high.one", "high.two"]])
FINE: Modules = {
    "__main__": {"low.base", "high.one"},
    "low.base": set(),
    "high.one": {"low.base", "high.shared"},
    "high.two.part": {"high.two.other", "high.shared"},
    "high.two.other": set(),
    "high.shared": {"low.base"},
}


def test_down_is_allowed() -> None:
    """And beside, within a package."""
    assert not DIRECTIONS.complaints(FINE)


@pytest.mark.parametrize(
    "module, other",
    [
        ("low.base", "high.shared"),
        ("high.shared", "__main__"),
        ("high.one", "high.two.part"),
        ("high.two.part", "high.one"),
    ],
)
def test_what_is_not_listed_is_found(module: str, other: str) -> None:
    """An arrow up, one to the commands, and from one benchmark to another."""
    found = DIRECTIONS.complaints({**FINE, module: {*FINE[module], other}})
    assert f"{module}: imports {other}, which it may not" in found


def test_circle_is_found() -> None:
    """Of modules within a package, and in the list itself."""
    (found,) = DIRECTIONS.complaints({**FINE, "high.shared": {"high.one"}})
    assert found.startswith("a circle: ")
    assert "high.one" in found and "high.shared" in found
    assert circles({"a": {"b"}, "b": {"a"}}) and not circles({"a": {"b"}, "b": set()})


def test_list_is_complete() -> None:
    """A package that is not listed is an error, as is one that is not there."""
    found = DIRECTIONS.complaints({"low.base": set(), "new.module": set()})
    assert found == ["new: is not listed", "high: is listed and does not exist"]


def test_all_forms_are_seen() -> None:
    """Also that within a function, and relative ones."""
    source = """
import lab.a
from lab.b import c, d as e
from . import f
from ..g import h

def late():
    from lab import i
"""
    names = {"lab.a", "lab.b.c", "lab.b.d", "lab.x.f", "lab.g.h", "lab.i"}
    assert imported(source, "lab.x.module") == names


def test_modules_are_read(tmp_path: Path) -> None:
    """What is imported of a module is that module, what is elsewhere is nothing."""
    harness = tmp_path / "lab"
    for name, text in {
        "a/one": "import os\nfrom lab.b import two\nfrom lab.b.three import x\n",
        "b/two": "from .three import x\n",
        "b/three": "import lab.b\n",
    }.items():
        path = harness / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert read(harness) == {
        "a.one": {"b.two", "b.three"}, "b.two": {"b.three"}, "b.three": set()
    }  # fmt: skip


def test_the_harness() -> None:
    """The harness itself keeps to its list."""
    assert not check()
