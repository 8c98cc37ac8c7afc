#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Benchmarks of when memory is reported, against the stock kernel.

Writes build/report/policy.json after every step and policy*.png at the end.  A
run that was stopped goes on where it was; a step is done again when its kernel
or the guest's programs have changed.  Settings come from the environment:
SCALE divides all sizes and times, ONLY chooses steps and VARIANT kernels.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import accel, bench_churn, bench_kernel, bench_pieces, bench_plot
from lab import bench_return, vm
from lab.bench_guest import NONE, OURS, STOCK250, VARIANTS, Bench, Result
from lab.demo import REPORT, Variant, explain, first_line
from lab.kernels import KernelError
from lab.rules import RuleError

RETURN_MIB = (256, 1024, 3072)
SETTINGS = ("SCALE", "ONLY", "VARIANT")

Measure = Callable[[Bench, Variant], Result]


@dataclass(frozen=True)
class Step:
    """One measurement: what it is called, how long it takes, for which kernels."""

    name: str
    seconds: int
    measure: Measure
    variants: tuple[Variant, ...] = VARIANTS


def steps() -> list[Step]:
    """Return all steps."""
    reporting = tuple(variant for variant in VARIANTS if variant is not NONE)
    return [
        *(Step(f"return-{mib}", 70, returning(mib)) for mib in RETURN_MIB),
        *(Step(f"churn-{gap:g}", 120, churning(gap)) for gap in bench_churn.GAPS),
        Step("many", 260, bench_return.together),
        Step("mixed", 110, bench_return.beside_churn),
        Step("pieces", 170, bench_pieces.redundancy, reporting),
        *(
            Step(f"age-{pattern}", 170, aging(pattern), (OURS,))
            for pattern in bench_churn.PATTERNS
        ),
    ]


def returning(mib: int) -> Measure:
    """Return the benchmark of one amount."""
    return lambda bench, variant: bench_return.alone(bench, variant, mib)


def churning(gap: float) -> Measure:
    """Return the benchmark of one gap."""
    return lambda bench, variant: bench_churn.churn(bench, variant, gap)


def aging(pattern: str) -> Measure:
    """Return the benchmark of one pattern, which only our kernel can run."""
    return lambda bench, _: bench_churn.age(bench, pattern)


@dataclass(frozen=True)
class Task:
    """A step on a kernel."""

    step: Step
    variant: Variant

    @property
    def key(self) -> str:
        """The name of the result."""
        return f"{self.step.name}/{self.variant.name}"

    def stamp(self) -> str:
        """Identify what is measured: the kernel and the guest's programs."""
        digest = hashlib.sha256(vm.kernel_image(self.variant.kernel).read_bytes())
        digest.update(vm.INITRAMFS.read_bytes())
        return digest.hexdigest()[:16]


def scale() -> int:
    """Return by what to divide sizes and times."""
    text = os.environ.get("SCALE") or "1"
    if not text.isdigit() or not 1 <= int(text) <= 32:
        raise SystemExit(f"SCALE={text}: give a number from 1 to 32")
    return int(text)


def chosen(name: str, allowed: Iterable[str]) -> set[str]:
    """Return what a setting in the environment chooses, all if it is not set."""
    known = list(allowed)
    wanted = (os.environ.get(name) or " ".join(known)).split()
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        allowed_text = " ".join(known)
        raise SystemExit(f"{name}: {' '.join(unknown)} is not among {allowed_text}")
    return set(wanted)


def chosen_tasks() -> list[Task]:
    """Return what ONLY and VARIANT in the environment ask for."""
    everything = steps()
    names = chosen("ONLY", (step.name for step in everything))
    variants = chosen("VARIANT", (variant.name for variant in VARIANTS))
    return [
        Task(step, variant)
        for step in everything
        for variant in step.variants
        if step.name in names and variant.name in variants
    ]


class Report:
    """The results so far, in a file that is always complete."""

    def __init__(self, path: Path, head: Result) -> None:
        self.path = path
        self.data: dict[str, Any] = {**head, "results": {}}
        if path.exists():
            old = json.loads(path.read_text(encoding="utf-8"))
            if all(old[key] == head[key] for key in ("scale", "accelerator")):
                self.data["results"] = old["results"]

    def has(self, task: Task) -> bool:
        """Tell whether a task was done, on what would be measured now."""
        result = self.data["results"].get(task.key)
        return result is not None and bool(result["stamp"] == task.stamp())

    def add(self, task: Task, result: Result) -> None:
        """Keep a result."""
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        entry = {"stamp": task.stamp(), "date": when, **result}
        self.data["results"][task.key] = entry
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(self.data) + "\n", encoding="utf-8")
        scratch.replace(self.path)


def head(bench: Bench) -> Result:
    """Return what the report says about the run."""
    given = [f"{name}={os.environ[name]}" for name in SETTINGS if os.environ.get(name)]
    return {
        "command": shlex.join(["make", "bench-policy", *given]),
        "host": {"kernel": platform.release(), "cpus": os.cpu_count()},
        "qemu": first_line(vm.QEMU, "--version"),
        "accelerator": bench.accel,
        "scale": bench.scale,
    }


def short(result: Result) -> str:
    """Show a result on a line, without its series."""
    return ", ".join(f"{k}={v}" for k, v in result.items() if k not in LONG)


LONG = ("series", "columns", "pattern")


def left(tasks: list[Task], divisor: int) -> str:
    """Say how long the tasks will take, about."""
    # booting and coming to rest takes its time at any scale
    seconds = sum(max(task.step.seconds / divisor, 15) for task in tasks)
    return f"about {seconds / 60:.0f} min left"


def run(bench: Bench, report: Report, tasks: list[Task]) -> None:
    """Do what is not done yet."""
    todo = [task for task in tasks if not report.has(task)]
    print(f"{len(tasks) - len(todo)} of {len(tasks)} steps were done before.")
    for number, task in enumerate(todo):
        place = f"[{number + 1}/{len(todo)}] {task.step.name}, {task.variant.label}"
        print(f"{place}: {left(todo[number:], bench.scale)}", flush=True)
        result = task.step.measure(bench, task.variant)
        print(f"    {short(result)}", flush=True)
        report.add(task, result)


def main() -> None:
    """Entry point of `make bench-policy`."""
    tasks = chosen_tasks()
    if any(task.variant is STOCK250 for task in tasks):
        try:
            bench_kernel.build()
        except (KernelError, RuleError) as error:
            raise SystemExit(f"bench: {error}") from None
    bench = Bench(accel.choose(vm.kernel_image(OURS.kernel)), scale())
    REPORT.mkdir(parents=True, exist_ok=True)
    name = "policy" if bench.scale == 1 else f"policy-scale{bench.scale}"
    report = Report(REPORT / f"{name}.json", head(bench))
    run(bench, report, tasks)
    written = bench_plot.draw(report.data["results"], REPORT, name)
    names = ", ".join(f"build/report/{path.name}" for path in [report.path, *written])
    print(f"Wrote {names}.")


if __name__ == "__main__":
    explain(main)
