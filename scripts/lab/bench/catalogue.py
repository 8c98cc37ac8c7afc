# SPDX-License-Identifier: GPL-2.0
"""All benchmarks, in the order of the report."""

from lab.bench import (
    build,
    busy,
    density,
    discard,
    fault,
    hold,
    memhog,
    scale,
    scatter,
    snapshot,
    xen,
)
from lab.bench.policy import benchmark as policy

BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        density.BENCHMARK,
        memhog.BENCHMARK,
        policy.BENCHMARK,
        build.BENCHMARK,
        scatter.BENCHMARK,
        busy.BENCHMARK,
        fault.BENCHMARK,
        scale.BENCHMARK,
        hold.BENCHMARK,
        discard.BENCHMARK,
        snapshot.BENCHMARK,
        xen.BENCHMARK,
    )
}
