# SPDX-License-Identifier: GPL-2.0
"""The list of changes has a version at its head, and what names it says so."""

from __future__ import annotations

import re

from lab.base import paths, version


def as_numbers(text: str) -> list[int]:
    """Return a version so that it can be compared."""
    return [int(part) for part in text.split(".")]


def test_changes_are_in_order() -> None:
    """Every heading is a version with a date, and the newest comes first."""
    text = version.CHANGES.read_text(encoding="utf-8")
    found = version.versions(text)
    assert len(found) == len(re.findall("^## ", text, re.MULTILINE)) > 0
    numbers = [as_numbers(number) for number, _ in found]
    assert numbers == sorted(numbers, reverse=True)
    dates = [date for _, date in found]
    assert dates == sorted(dates, reverse=True)


def test_first_version_counts() -> None:
    """An older one further down does not."""
    text = "# Changes\n\n## 1.10 (2030-01-02)\n\n- x\n\n## 1.9 (2030-01-01)\n"
    assert version.versions(text)[0] == ("1.10", "2030-01-02")


def test_description() -> None:
    """It has the number and the commit."""
    assert re.fullmatch(
        rf"{re.escape(version.number())} \(([0-9a-f]{{7,}}(-dirty)?|unknown)\)",
        version.described(),
    )


def test_readme_has_the_version() -> None:
    """Who reads what was tried knows of which version that is said."""
    readme = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    assert f"\nVersion {version.number()}, see [CHANGELOG.md]" in readme
