#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Run all groups of tests, also after one has failed, and add up the results."""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import paths
from lab.tally import counts, stream, summary


@dataclass
class Result:
    """What came out of one group."""

    target: str
    passed: int
    failed: int
    seconds: float


def run(target: str) -> Result:
    """Run one make target that ends in a summary line."""
    print(f"\n=== make {target}", flush=True)
    start = time.monotonic()
    code, output = stream(["make", "--no-print-directory", target], str(paths.ROOT))
    passed, failed = counts(output)
    if code and not failed:
        # it broke before it could count
        failed = 1
    if not passed and not failed:
        print(f"suite: make {target} ran no test, which counts as a failure")
        failed = 1
    return Result(target, passed, failed, time.monotonic() - start)


def main() -> int:
    """Entry point of `make test`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", help="make targets to run")
    results = [run(target) for target in parser.parse_args().targets]
    print()
    for result in results:
        verdict = "FAIL" if result.failed else "PASS"
        minutes = result.seconds / 60
        print(
            f"{verdict}  make {result.target:12} {result.passed:4} passed,"
            f" {result.failed} failed ({minutes:.1f} min)"
        )
    failed = sum(result.failed for result in results)
    print(summary(sum(result.passed for result in results), failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
