# SPDX-License-Identifier: GPL-2.0
"""Count what passed and failed, and say so in one common form."""

import re
import sys
import time
from collections.abc import Callable

from lab.base.follow import follow

# Complaints of one check that are shown; the first ones tell enough.
SHOWN = 30


class Tally:
    """Runs named checks and counts their outcomes."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, name: str, function: Callable[[], list[str]]) -> None:
        """Run one check, which returns its complaints."""
        start = time.monotonic()
        complaints = function()
        seconds = time.monotonic() - start
        self.add(not complaints)
        verdict = "FAIL" if complaints else "PASS"
        print(f"{verdict}  {name} ({seconds:.1f} s)", flush=True)
        for line in complaints[:SHOWN]:
            print(f"      {line}")
        if len(complaints) > SHOWN:
            print(f"      and {len(complaints) - SHOWN} more")

    def add(self, passed: bool) -> None:
        """Count one outcome."""
        self.passed += passed
        self.failed += not passed

    def finish(self) -> int:
        """Print the final line; return the exit status."""
        print(summary(self.passed, self.failed), flush=True)
        return 1 if self.failed or not self.passed else 0


def summary(passed: int, failed: int) -> str:
    """Return the line that ends every group of tests."""
    return f"{passed} passed, {failed} failed"


def counts(output: str) -> tuple[int, int]:
    """Read the last summary in a program's output: ours or that of pytest."""
    for line in reversed(output.splitlines()):
        numbers = {
            kind: int(number)
            for number, kind in re.findall(r"(\d+) (passed|failed|errors?)\b", line)
        }
        if numbers:
            failed = sum(number for kind, number in numbers.items() if kind != "passed")
            return numbers.get("passed", 0), failed
    return 0, 0


def stream(
    command: list[str], cwd: str | None = None, *, shown: bool = True
) -> tuple[int, str]:
    """Run a command, show its output as it comes and return it as well."""
    lines = []

    def see(line: str) -> None:
        if shown:
            sys.stdout.write(line)
            sys.stdout.flush()
        lines.append(line)

    status = follow(command, see, cwd=cwd)
    return status, "".join(lines)
