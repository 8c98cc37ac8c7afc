# SPDX-License-Identifier: GPL-2.0
"""How tests that run side by side are ordered, and who runs them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from lab.base import paths
from lab.base.tally import counts
from lab.testing.side_by_side import own_name

CONFTEST = """
import pytest
from lab.testing.side_by_side import begin_with, keep_together

SHARED = ("slow", "quick")

def pytest_itemcollected(item):
    keep_together(item, SHARED)

def pytest_collection_modifyitems(items):
    begin_with(items, SHARED)

@pytest.fixture(scope="module")
def quick():
    pass

@pytest.fixture(scope="module")
def slow():
    pass
"""
TESTS = "def test_own(): pass\n" + "".join(
    f"def test_{number}({{fixture}}): pass\n" for number in range(4)
)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """Return a folder with tests that share something, and others."""
    scripts = paths.ROOT / "scripts"
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {scripts}\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name, fixture in (("test_a", "quick"), ("test_b", "slow")):
        (tmp_path / f"{name}.py").write_text(TESTS.format(fixture=fixture))
    return tmp_path


def run(folder: Path, *options: str) -> str:
    """Run the tests of a folder, or what else the options say."""
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider"]
    return subprocess.check_output([*command, *options], cwd=folder, text=True)


def test_what_is_shared_begins(folder: Path) -> None:
    """The fixture that takes longest first, and tests that share nothing last."""
    output = run(folder, "--collect-only", "-q")
    assert re.findall(r"^test_(.)\.py::test_(.)", output, re.MULTILINE) == [
        *(("b", str(number)) for number in range(4)),
        *(("a", str(number)) for number in range(4)),
        ("a", "o"),
        ("b", "o"),
    ]


def test_what_is_shared_stays_together(folder: Path) -> None:
    """One process runs all tests of a module that share something."""
    output = run(folder, "-v", "-n", "2", "--dist", "loadgroup")
    seen = re.findall(r"\[(gw\d)\] .* PASSED (test_.)\.py::test_\d@", output)
    assert len(seen) == 8
    assert len(set(seen)) == 2, output
    assert counts(output) == (10, 0)


def test_names_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes may have the same guest, and each has a log of its own."""
    names = set()
    for worker in ("gw0", "gw1"):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)
        names.add(own_name("guest"))
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    names.add(own_name("guest"))
    assert len(names) == 3
    assert "guest" in names
