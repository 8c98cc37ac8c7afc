# SPDX-License-Identifier: GPL-2.0
"""How the benchmarks count."""

from __future__ import annotations

import pytest
from lab.bench.guest import reaches, stays_below
from lab.bench.policy.redundancy import account, free_blocks


def test_free_blocks() -> None:
    """The highest bit of the first digit is the lowest block."""
    assert free_blocks("81f0") == {0, 7, 8, 9, 10, 11}


@pytest.mark.parametrize(
    ("reports", "redundancy", "waiting"),
    [
        ([[], [], [1]], 1.0, 0),  # reported a round later
        ([[], [1], []], 1.0, 0),  # reported in the round of the free
        ([[], [1], [1]], 2.0, 0),  # reported twice
        ([[], [1], [5]], 2.0, 0),  # reported without having been freed
        ([[7], [1], []], 1.0, 0),  # before the beginning
        ([[], [], []], None, 2),  # not reported at all
    ],
)
def test_account(
    reports: list[list[int]], redundancy: float | None, waiting: int
) -> None:
    """One block of 2 MiB is freed, in the first round."""
    result = account([{5}, {1, 5}, {1, 5}], reports)
    assert result["freed_mib"] == 2
    assert result["redundancy"] == redundancy
    assert result["unreported_mib"] == waiting


def test_freed_twice_before_it_is_reported_counts_once() -> None:
    """A report covers all that happened before."""
    result = account([set(), {1}, set(), {1}], [[], [], [], [1]])
    assert (result["freed_mib"], result["redundancy"]) == (2, 1.0)


SAMPLES = [(0.0, 100), (1.0, 40), (2.0, 90), (3.0, 40), (4.0, 30), (5.0, 40)]


def test_reaches() -> None:
    """The first time counts, from the start on."""
    assert reaches(SAMPLES, 0.5, 40) == 0.5
    assert reaches(SAMPLES, 2.0, 40) == 1.0
    assert reaches(SAMPLES, 0.0, 10) is None


def test_stays_below() -> None:
    """A dip does not count, memory has to stay below."""
    assert stays_below(SAMPLES, 0.0, 40, 2.0) == 3.0
    assert stays_below(SAMPLES, 0.0, 40, 3.0) is None
