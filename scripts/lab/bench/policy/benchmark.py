# SPDX-License-Identifier: GPL-2.0
"""Benchmarks of when memory is reported, against the stock kernel.

How they are run, and the settings: see bench.runner.
"""

from __future__ import annotations


from lab.bench.policy import back, churn, pieces, plot, redundancy
from lab.bench.policy.text import describe
from lab.bench.runner import Benchmark, Measure, Step
from lab.guest.variants import ALL, NONE, OURS, SOONER, STOCKS

RETURN_MIB = (256, 1024, 3072)
FLUSH_MIB = (3072,)
# Where the delay of the stock kernel can be set, that is what comes next to a flush.
ASKED = (OURS, *STOCKS) if SOONER in STOCKS else ()


def steps() -> list[Step]:
    """Return all steps."""
    reporting = tuple(variant for variant in ALL if variant is not NONE)
    return [
        *(Step(f"return-{mib}", 70, returning(mib), ALL) for mib in RETURN_MIB),
        *(
            Step(f"churn-{gap:g}", 120, churning(gap), ALL)
            for gap in churn.GAPS
        ),
        *(
            Step(f"counted-{gap:g}", 60, counting(gap), (OURS, *STOCKS, NONE))
            for gap in churn.GAPS
        ),
        *(Step(f"flush-{mib}", 70, asking(mib), ASKED) for mib in FLUSH_MIB if ASKED),
        Step("many", 260, back.together, ALL),
        Step("mixed", 110, back.beside_churn, ALL),
        Step("pieces", 170, redundancy.redundancy, reporting),
        Step("fine", 600, pieces.fine, (OURS,)),
        *(
            Step(f"age-{pattern}", 170, aging(pattern), (OURS,))
            for pattern in churn.PATTERNS
        ),
    ]


def returning(mib: int) -> Measure:
    """Return the benchmark of one amount."""
    return lambda bench, variant: back.alone(bench, variant, mib)


def asking(mib: int) -> Measure:
    """Return the benchmark of one amount that is asked for."""
    return lambda bench, variant: back.asked(bench, variant, mib)


def churning(gap: float) -> Measure:
    """Return the benchmark of one gap."""
    return lambda bench, variant: churn.churn(bench, variant, gap)


def counting(gap: float) -> Measure:
    """Return the benchmark of one gap that counts instructions."""
    return lambda bench, variant: churn.counted(bench, variant, gap)


def aging(pattern: str) -> Measure:
    """Return the benchmark of one pattern, which only our kernel can run."""
    return lambda bench, _: churn.age(bench, pattern)


BENCHMARK = Benchmark("policy", steps, plot.draw, describe)
