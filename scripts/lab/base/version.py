# SPDX-License-Identifier: GPL-2.0
"""Which version of the project this is: the first one in CHANGELOG.md."""

import re
import subprocess

from lab.base.paths import ROOT

CHANGES = ROOT / "CHANGELOG.md"
HEADING = re.compile(r"^## (\d+(?:\.\d+)+) \((\d{4}-\d\d-\d\d)\)$", re.MULTILINE)


def versions(text: str) -> list[tuple[str, str]]:
    """Return the versions in a list of changes with their dates, newest first."""
    return HEADING.findall(text)


def number() -> str:
    """Return the number of this version."""
    return versions(CHANGES.read_text(encoding="utf-8"))[0][0]


def released() -> str:
    """Return the date of this version, as in 2026-11-27."""
    return versions(CHANGES.read_text(encoding="utf-8"))[0][1]


def commit() -> str:
    """Return the commit of this tree, and whether there is more in it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def described() -> str:
    """Return what tells this version from every other one."""
    return f"{number()} ({commit()})"
