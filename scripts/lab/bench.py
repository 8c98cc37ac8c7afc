#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Run the benchmarks that are named, one after the other: see bench_runner.py.

One that this machine is too small for does not keep the others from running.
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import (
    bench_build,
    bench_density,
    bench_discard,
    bench_fault,
    bench_memhog,
    bench_policy,
    bench_scale,
    bench_xen,
)
from lab.bench_runner import STOPPED
from lab.bench_runner import main as run_benchmark

BENCHMARKS = {
    module.BENCHMARK.name: module.BENCHMARK
    for module in (
        bench_density,
        bench_memhog,
        bench_fault,
        bench_scale,
        bench_discard,
        bench_build,
        bench_policy,
        bench_xen,
    )
}


def main() -> None:
    """Entry point of `make bench` and `make bench-NAME`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=BENCHMARKS)
    refused = []
    for name in parser.parse_args().names:
        try:
            run_benchmark(BENCHMARKS[name])
        except SystemExit as why:
            if str(why) == STOPPED:
                raise
            refused.append(f"{name}: {why}")
    if refused:
        raise SystemExit("\n".join(refused))


if __name__ == "__main__":
    main()
