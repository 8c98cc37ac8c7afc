# SPDX-License-Identifier: GPL-2.0
"""The core's arithmetic in user space: its KUnit suites, or the tracker's fuzzer.

Neither needs a kernel tree.  What the fuzzer tried is kept, so that the next run
goes on from there; an input that fails is kept beside it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.base import paths
from lab.base.follow import follow
from lab.base.progress import Progress
from lab.base.tally import Tally, summary

PROGRAMS = paths.ROOT / "tools" / "testing" / "page_reporting"
TESTS = paths.ROOT / "tests" / "kunit"
CORE = paths.ROOT / "mm" / "page_reporting"
OUTPUT = paths.TOP / "quick"
FOUND = paths.TOP / "fuzz"

# Long inputs from the beginning: what goes wrong may take many steps.
FUZZER = ("-max_len=2048", "-len_control=0", "-timeout=10", "-print_final_stats=1")
# What libFuzzer says while all is well.
CHATTER = re.compile(r"#\d|\tNEW_FUNC|INFO:|stat::|Done |=?====|#### |###### |\"")
INPUTS = re.compile(r"^stat::number_of_executed_units: (\d+)", re.MULTILINE)


def command(target: str, core: Path = CORE, output: Path = OUTPUT) -> list[str]:
    """Return the command that builds a target, and runs the suites if that is it."""
    return [
        "/usr/bin/make", "--silent", "-C", str(PROGRAMS), f"-j{os.cpu_count() or 1}",
        f"SOURCES={core}", f"TESTS={TESTS}", f"O={output}", target,
    ]  # fmt: skip


def environment() -> dict[str, str]:
    """Leave out the variables of the make that called: this one has its own."""
    left_out = ("MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "O")
    return {key: value for key, value in os.environ.items() if key not in left_out}


def make(target: str, *variables: str) -> int:
    """Run make, and count a target that does not build as one that failed."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with paths.locked("quick"):
        return subprocess.call([*command(target), *variables], env=environment())


def run_suites(chosen: str | None) -> int:
    """Build and run the suites, or those whose names match."""
    built = make("suites")
    if built:
        print(summary(0, 1))
        return built
    program = [str(OUTPUT / "run-suites"), *([chosen] if chosen else [])]
    return subprocess.call(program)


def watch(program: Sequence[str | Path], log: Path) -> tuple[int, list[str]]:
    """Show how far the fuzzer is, keep what it says.

    Return its status and what is no chatter.
    """
    progress = Progress("fuzz")
    said = []
    with open(log, "w", encoding="utf-8") as kept:

        def see(line: str) -> None:
            kept.write(line)
            if line.startswith("#"):
                progress.step(" ".join(line.split()))
            elif not CHATTER.match(line):
                said.append(line.rstrip())

        status = follow(program, see)
    progress.done()
    return status, said


def complaints(status: int, said: Sequence[str], log: Path) -> list[str]:
    """Return what went wrong, if anything did."""
    tried = INPUTS.search(log.read_text(encoding="utf-8"))
    if not status and tried and int(tried[1]):
        print(f"fuzz: {tried[1]} inputs, log in {paths.shown(log)}")
        return []
    again = f"to try it again: {paths.shown(OUTPUT / 'fuzz-tracker')} FILE"
    return [*said, f"the fuzzer ends with status {status}", again]


def fuzz_for(seconds: int) -> list[str]:
    """Have the fuzzer look for a difference between the tracker and its model."""
    if make("fuzz-target"):
        return ["the fuzzer does not build"]
    corpus = FOUND / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    log = FOUND / "log"
    arguments = [f"-max_total_time={seconds}", f"-artifact_prefix={FOUND}/"]
    program: list[str | Path] = [OUTPUT / "fuzz-tracker", *FUZZER, *arguments, corpus]
    status, said = watch(program, log)
    return complaints(status, said, log)


def main(arguments: list[str]) -> int:
    """Entry point of `make quick` and `make fuzz`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("filter", nargs="?", help="suites, as for make kunit")
    parser.add_argument("--fuzz", type=int, metavar="SECONDS")
    options = parser.parse_args(arguments)
    if options.fuzz is None:
        return run_suites(options.filter)
    tally = Tally()
    tally.check("tracker as its model", lambda: fuzz_for(options.fuzz))
    return tally.finish()
