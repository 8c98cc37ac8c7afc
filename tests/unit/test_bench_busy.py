# SPDX-License-Identifier: GPL-2.0
"""The statistics of the benchmark of what programs notice."""

from __future__ import annotations

from lab.bench.busy import PROBE_US, quantile, with_skipped


def test_skipped_probes_count_as_late() -> None:
    """A probe that is late for two more has those late, too, by less."""
    late = 2 * PROBE_US + 5
    found = with_skipped({50: 10, late: 2})
    assert found == {50: 10, late: 2, PROBE_US + 5: 2, 5: 2}


def test_quantile() -> None:
    """So many are not later, and fewer are less late."""
    delays = {10: 50, 20: 40, 30: 9, 40: 1}
    found = [quantile(delays, share) for share in (0.5, 0.9, 0.99, 1)]
    assert found == [10, 20, 30, 40]
    assert quantile({7: 3}, 0.5) == 7
