# SPDX-License-Identifier: GPL-2.0
"""The commands of the harness: there are those that are called, and no other."""

from __future__ import annotations

import inspect
import re
import subprocess
from importlib import import_module

import pytest
from lab.__main__ import COMMANDS
from lab.base.paths import ROOT


def lab(*words: str) -> subprocess.CompletedProcess[str]:
    """Call the harness as the Makefile does."""
    return subprocess.run(
        ["/usr/bin/python3", "-B", "-m", "lab", *words],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_has_every_command() -> None:
    """Each has a line of its own."""
    done = lab("--help")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split()[0] for line in done.stdout.splitlines()[2:]]
    assert lines == [*COMMANDS]


def test_no_command_waits_for_another() -> None:
    """What they need is not imported before one is run."""
    program = "import lab.__main__, sys; print(*sys.modules)"
    done = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", program],
        cwd=ROOT / "scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    ours = [name for name in done.stdout.split() if name.startswith("lab.")]
    assert ours == ["lab.__main__"]


@pytest.mark.parametrize(
    "words, why",
    [
        (("nonsense",), "nonsense: no such"),
        ((), "a command is missing"),
        (("qemu", "x"), "no arguments"),
    ],
)
def test_misuse(words: tuple[str, ...], why: str) -> None:
    """The message says what is wrong."""
    done = lab(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_run(name: str) -> None:
    """It has an entry point, which takes arguments if the help says so."""
    command = COMMANDS[name]
    main = import_module(f"lab.{command.module}").main
    assert len(inspect.signature(main).parameters) == bool(command.usage)


def test_makefile_calls_every_command() -> None:
    """None is there for nothing, and none is missing."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\(LAB\) ([a-z-]+)", text)) == set(COMMANDS)
