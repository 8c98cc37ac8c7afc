#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Run the KUnit suites on User Mode Linux with the kernel's own kunit.py."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import kernels, paths
from lab.tally import summary

OUTPUT = "obj-kunit"
KUNITCONFIG = "mm/page_reporting/tests/.kunitconfig"


def outcomes(group: dict[str, Any]) -> Iterator[str]:
    """Yield the outcome of every test case in kunit.py's JSON result."""
    for case in group.get("test_cases", []):
        yield case["status"]
    for sub_group in group.get("sub_groups", []):
        yield from outcomes(sub_group)


def main() -> int:
    """Entry point of `make kunit`."""
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    result = paths.LOGS / "kunit.json"
    result.unlink(missing_ok=True)
    print("kunit: building and running the suites on UML", flush=True)
    command = ["/usr/bin/python3", "tools/testing/kunit/kunit.py", "run"]
    command += ["--kunitconfig", KUNITCONFIG, "--build_dir", OUTPUT]
    command += ["--make_options", "CC=ccache gcc", "--json", str(result)]
    command += ["--jobs", str(os.cpu_count() or 1), *sys.argv[1:]]
    with paths.locked("kunit"):
        code = subprocess.call(
            command,
            cwd=paths.TREE,
            env=kernels.environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
        )
    seen: list[str] = []
    if result.exists():
        seen = list(outcomes(json.loads(result.read_text(encoding="utf-8"))))
    passed = seen.count("PASS")
    # a skipped case tests nothing, and a run without cases neither
    failed = len(seen) - passed or int(code != 0 or not seen)
    print(summary(passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
