# SPDX-License-Identifier: GPL-2.0
"""Run the benchmarks that are named, one after the other: see bench.runner.

One that this machine is too small for does not keep the others from running.
"""

import argparse

from lab.bench.catalogue import BENCHMARKS
from lab.bench.runner import STOPPED
from lab.bench.runner import main as run_benchmark


def main(arguments: list[str]) -> None:
    """Entry point of `make bench` and `make bench-NAME`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=BENCHMARKS)
    refused = []
    for name in parser.parse_args(arguments).names:
        try:
            run_benchmark(BENCHMARKS[name])
        except SystemExit as why:
            if str(why) == STOPPED:
                raise
            refused.append(f"{name}: {why}")
    if refused:
        raise SystemExit("\n".join(refused))
