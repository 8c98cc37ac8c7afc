# SPDX-License-Identifier: GPL-2.0
"""Runs a benchmark step by step, and keeps what was measured.

Writes build/report/NAME.json after every step and pictures at the end.  A run
that was stopped goes on where it was; a step is done again when what it measures
(a kernel, the guest's programs) has changed.  Settings come from the
environment: SCALE divides all sizes and times, ONLY chooses steps and VARIANT
kernels.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base import version
from lab.base.follow import first_line
from lab.base.paths import REPORT, SOURCE, SOURCES, STOCK_TREE, shown
from lab.bench import own_kernels
from lab.bench.guest import Bench, Result
from lab.guest import accel, vm
from lab.guest.host_limit import HostError
from lab.guest.variants import Variant
from lab.kernel.kernels import KernelError
from lab.kernel.rules import RuleError
from lab.kernel.tree import PACKAGE, PACKAGE_STAMP
from lab.report.section import Section

SMOKE_SCALE = 16  # from here on a run only shows that it works
STOPPED = "bench: stopped"
LONG = ("series", "columns", "pattern")  # not shown on a line

Results = dict[str, Result]
Measure = Callable[[Bench, Variant], Result]


def guest_files(variant: Variant) -> list[Path]:
    """Return what a step in a guest measures: its kernel and its programs."""
    return [vm.kernel_image(variant.kernel), vm.INITRAMFS]


@dataclass(frozen=True)
class Step:
    """One measurement: what it is called, how long it takes, for which kernels."""

    name: str
    seconds: int
    measure: Measure
    variants: tuple[Variant, ...]
    files: Callable[[Variant], list[Path]] = guest_files


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its steps, how to show the results, what has to be made first.

    draw() writes pictures whose names begin with the given one to the folder,
    and returns them.  describe() says what came out.
    """

    name: str
    steps: Callable[[], list[Step]]
    draw: Callable[[Results, Path, str], list[Path]]
    describe: Callable[[Results], Section]
    prepare: Callable[[], None] = lambda: None

    def variants(self) -> list[str]:
        """Return the names of all kernels that are compared."""
        names = [variant.name for step in self.steps() for variant in step.variants]
        return list(dict.fromkeys(names))


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
        """Identify what is measured."""
        digest = hashlib.sha256()
        for path in self.step.files(self.variant):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]


def boots(results: Results, step: str, variant: str) -> dict[int, Result]:
    """Return the results of all boots of a step on a kernel, by their numbers."""
    found = {}
    for key, result in results.items():
        number = key.removeprefix(f"{step}-").removesuffix(f"/{variant}")
        if number.isdigit():
            found[int(number)] = result
    return dict(sorted(found.items()))


def in_turn(variants: tuple[Variant, ...], boot: int) -> tuple[Variant, ...]:
    """Return the kernels in the order of a boot: now forwards, now backwards.

    A host may be slower for a while, which must not always hit the last one.
    """
    return variants if boot % 2 else variants[::-1]


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


def all_tasks(benchmark: Benchmark) -> list[Task]:
    """Return every step on each of its kernels."""
    steps = benchmark.steps()
    return [Task(step, variant) for step in steps for variant in step.variants]


def chosen_tasks(benchmark: Benchmark) -> list[Task]:
    """Return what ONLY and VARIANT in the environment ask for."""
    names = chosen("ONLY", (step.name for step in benchmark.steps()))
    variants = chosen("VARIANT", benchmark.variants())
    return [
        task
        for task in all_tasks(benchmark)
        if task.step.name in names and task.variant.name in variants
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

    def add(self, task: Task, made: Result, result: Result) -> None:
        """Keep a result, and of what it is."""
        self.data["results"][task.key] = {**made, **result}
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(self.data) + "\n", encoding="utf-8")
        scratch.replace(self.path)


def origin(task: Task) -> Result:
    """Say what is about to be measured, and when."""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return {"stamp": task.stamp(), "date": when, "commit": version.described()}


def processor() -> str:
    """Return what the host's processors call themselves."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = [line for line in text.splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def head(name: str, bench: Bench) -> Result:
    """Return what the report says about the run."""
    given = [f"SCALE={bench.scale}"] if bench.scale != 1 else []
    if SOURCE != SOURCES[0]:
        given.append(f"KERNEL_SOURCE={SOURCE}")
    package = (STOCK_TREE / PACKAGE_STAMP).read_text(encoding="utf-8").strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "command": shlex.join(["make", f"bench-{name}", *given]),
        "host": {
            "kernel": platform.release(),
            "cpus": os.cpu_count(),
            "processor": processor(),
            "memory_gib": round(memory / (1 << 30)),
        },
        "source": f"{PACKAGE} {package}",
        "qemu": first_line(vm.QEMU, "--version"),
        "accelerator": bench.accel,
        "scale": bench.scale,
    }


def short(result: Result) -> str:
    """Show a result on a line, without its series."""
    return ", ".join(f"{k}={v}" for k, v in result.items() if k not in LONG)


def expected(tasks: list[Task], divisor: int) -> float:
    """Return how many seconds the tasks will take, about."""
    # booting and coming to rest takes its time at any scale
    return sum(max(task.step.seconds / divisor, 15) for task in tasks)


def run(bench: Bench, report: Report, tasks: list[Task]) -> None:
    """Do what is not done yet."""
    todo = [task for task in tasks if not report.has(task)]
    print(f"{len(tasks) - len(todo)} of {len(tasks)} steps were done before.")
    start, slowness = time.monotonic(), 1.0
    for number, task in enumerate(todo):
        place = f"[{number + 1}/{len(todo)}] {task.step.name}, {task.variant.label}"
        if number:
            took = time.monotonic() - start
            slowness = took / expected(todo[:number], bench.scale)
        minutes = slowness * expected(todo[number:], bench.scale) / 60
        print(f"{place}: about {minutes:.0f} min left", flush=True)
        made = origin(task)
        result = task.step.measure(bench, task.variant)
        print(f"    {short(result)}", flush=True)
        if task.stamp() != made["stamp"]:
            raise SystemExit(
                f"bench: the kernel or the programs of {task.key} were built anew while"
                " they were measured, that does not count"
            )
        report.add(task, made, result)


def perform(benchmark: Benchmark) -> None:
    """Run a benchmark as the environment asks for."""
    tasks = chosen_tasks(benchmark)
    bench = Bench(accel.choose(vm.kernel_image("ours")), scale())
    try:
        own_kernels.build(task.variant.kernel for task in tasks)
        benchmark.prepare()
        REPORT.mkdir(parents=True, exist_ok=True)
        suffix = "" if bench.scale == 1 else f"-scale{bench.scale}"
        name = f"{benchmark.name}{suffix}"
        report = Report(REPORT / f"{name}.json", head(benchmark.name, bench))
        run(bench, report, tasks)
    except (HostError, KernelError, RuleError) as error:
        raise SystemExit(f"bench: {error}") from None
    written = benchmark.draw(report.data["results"], REPORT, name)
    names = ", ".join(shown(path) for path in [report.path, *written])
    print(f"Wrote {names}.")


def stopped(_signal: int, _frame: object) -> None:
    """End like after ^C, so that what was set up is taken down."""
    raise SystemExit(STOPPED)


def main(benchmark: Benchmark) -> None:
    """Entry point of `make bench-NAME`."""
    for reason in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(reason, stopped)
    vm.explain(lambda: perform(benchmark))
