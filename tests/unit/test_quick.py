# SPDX-License-Identifier: GPL-2.0
"""The suites in user space fail when the code is wrong."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from lab.kernel import quick

# A mistake for each file: what is written there, and what is instead.
MISTAKES = {
    "policy": ("return age >= scan->age &&", "return age > scan->age &&"),
    "reuse": ("fall = high - low;", "fall = high;"),
    "tracker": ("if (next != scan->segment)", "if (0)"),
    "batch": ("range->pfn % FPR_BORDER_PAGES == 0", "range->pfn == 0"),
}
# What compiles, and what only a sanitizer sees.
LEAK = ("\tkvfree(fz->summary);\n\tkvfree(fz);", "\tkvfree(fz);")
LOOP = ("\treturn left <= backoff ? left : 0;", "\twhile (left)\n\t\t;\n\treturn 0;")
BEYOND = ("FPR_SEGMENT_BLOCKS; bit++)", "FPR_SEGMENT_BLOCKS + 1; bit++)")


def spoil(core: Path, name: str, mistake: tuple[str, str]) -> None:
    """Make a mistake in a copy of the core."""
    file = core / f"{name}.c"
    text = file.read_text(encoding="utf-8")
    assert text.count(mistake[0]) == 1, f"{name}.c has changed: find a new mistake"
    file.write_text(text.replace(*mistake), encoding="utf-8")


@pytest.fixture(name="core")
def fixture_core(tmp_path: Path) -> Path:
    """Return a copy of the core."""
    return Path(shutil.copytree(quick.CORE, tmp_path / "core"))


def run(core: Path, *variables: str) -> tuple[int, str]:
    """Run the suites on a copy; return the status and all output."""
    command = quick.command("run", core, core.with_name("output"))
    done = subprocess.run(
        [*command, *variables],
        env=quick.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_each_suite_finds_a_mistake(core: Path) -> None:
    """None passes just because it is compiled."""
    for name, mistake in MISTAKES.items():
        spoil(core, name, mistake)
    status, output = run(core)
    assert status
    for name in MISTAKES:
        assert f"FAIL  page_reporting_{name}: " in output, output


@pytest.mark.parametrize(
    "mistake, sign", [(LEAK, "LeakSanitizer"), (BEYOND, "runtime error: index 64")]
)
def test_sanitizers_see_mistakes(
    core: Path, mistake: tuple[str, str], sign: str
) -> None:
    """Leaks and accesses out of bounds end the run."""
    spoil(core, "tracker", mistake)
    status, output = run(core, "SUITES=tracker", "FILTER=*index_arithmetic")
    assert status and sign in output, output
    assert mistake is LEAK or "0 passed, 1 failed" in output, output


def test_case_that_hangs_is_named(core: Path) -> None:
    """It is ended, and so is the run."""
    spoil(core, "policy", LOOP)
    status, output = run(core, "SUITES=policy", "FILTER=*.test_backoff*")
    assert status and "FAIL  page_reporting_policy.test_backoff" in output, output
    assert output.rstrip().splitlines()[-2].startswith("0 passed, 1 failed"), output


def test_no_suite_that_matches_is_a_failure(core: Path) -> None:
    """A filter with a misspelling does not pass."""
    status, output = run(core, "SUITES=policy", "FILTER=page_reporting_polciy")
    assert status and "0 passed, 0 failed" in output, output
    assert "  page_reporting_policy\n" in output, output
