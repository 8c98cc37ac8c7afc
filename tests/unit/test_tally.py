# SPDX-License-Identifier: GPL-2.0
"""How the results of a group of tests are counted."""

import pytest
from lab.base.tally import Tally, counts


@pytest.mark.parametrize(
    "output, expected",
    [
        ("x\n3 passed, 1 failed\n", (3, 1)),
        ("12 passed in 3.4s\n", (12, 0)),
        ("1 failed, 4 passed, 2 errors in 61.89s (0:01:01)\n", (4, 3)),
        ("2 passed, 1 failed\n4 passed, 0 failed\nmake: Error\n", (4, 0)),
        ("no tests ran in 0.1s\n", (0, 0)),
    ],
)
def test_counts(output: str, expected: tuple[int, int]) -> None:
    """The last summary counts, in our form or in that of pytest."""
    assert counts(output) == expected


def test_a_complaint_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """It is shown, counted and gives a failing exit status."""
    tally = Tally()
    tally.check("good", list)
    tally.check("bad", lambda: ["file:1: wrong"])
    assert tally.finish() == 1
    shown = capsys.readouterr().out
    assert "file:1: wrong" in shown
    assert shown.endswith("1 passed, 1 failed\n")


def test_nothing_checked_fails() -> None:
    """A run without any check proves nothing."""
    assert Tally().finish() == 1
