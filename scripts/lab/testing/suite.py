# SPDX-License-Identifier: GPL-2.0
"""Run all groups of tests, also after one has failed, and add up the results.

One after the other, but for a group that keeps a single processor busy and is in
nobody's way: it runs beside them, and what it says is shown in the end.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab.base import paths
from lab.base.tally import counts, stream, summary


@dataclass
class Result:
    """What came out of one group."""

    target: str
    passed: int
    failed: int
    seconds: float
    # What it said and was not shown.
    output: str = ""


def run(target: str, shown: bool = True) -> Result:
    """Run one make target, given with its variables, that ends in a summary line."""
    if shown:
        print(f"\n=== make {target}", flush=True)
    start = time.monotonic()
    command = ["make", "--no-print-directory", *target.split()]
    code, output = stream(command, str(paths.ROOT), shown=shown)
    passed, failed = counts(output)
    if code and not failed:
        # it broke before it could count
        failed = 1
    if not passed and not failed:
        print(f"suite: make {target} ran no test, which counts as a failure")
        failed = 1
    seconds = time.monotonic() - start
    return Result(target, passed, failed, seconds, "" if shown else output)


def run_all(targets: list[str], beside: list[str]) -> list[Result]:
    """Run targets one after the other, and some more beside them."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        if beside:
            print(f"beside the others: make {' '.join(beside)}", flush=True)
        late = [pool.submit(run, target, shown=False) for target in beside]
        results = [run(target) for target in targets]
        for waiting in late:
            results.append(waiting.result())
            print(f"\n=== make {results[-1].target}, beside the others")
            print(results[-1].output, end="", flush=True)
    return results


def main(arguments: list[str]) -> int:
    """Entry point of `make test`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "targets", nargs="+", help="make targets to run, with variables: 'name A=b'"
    )
    parser.add_argument("--beside", nargs="*", default=[], help="targets to run beside")
    options = parser.parse_args(arguments)
    results = run_all(options.targets, options.beside)
    print()
    width = max(len(result.target) for result in results)
    for result in results:
        verdict = "FAIL" if result.failed else "PASS"
        minutes = result.seconds / 60
        print(
            f"{verdict}  make {result.target:{width}} {result.passed:4} passed,"
            f" {result.failed} failed ({minutes:.1f} min)"
        )
    failed = sum(result.failed for result in results)
    print(summary(sum(result.passed for result in results), failed))
    return 1 if failed else 0
