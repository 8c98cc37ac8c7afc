# SPDX-License-Identifier: GPL-2.0
"""Stress a guest for hours: everything that concerns free memory, at random.

Settings come from the environment: HOURS, and SEED, which decides what happens.  KERNEL
is one that can do all of it, or another for a part.
Writes build/report/stress-SEED.json, and a line for each event to
build/logs/stress-SEED.events.log; the guest's own log is stress-SEED.log beside it.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import takewhile

from lab.base import paths
from lab.base.progress import Progress
from lab.guest import accel, image, vm
from lab.guest.channel import ChannelError
from lab.guest.qmp import QmpError
from lab.kernel import kernels
from lab.stress import hardware, plan
from lab.stress.hardware import StressError
from lab.stress.level import Before
from lab.stress.load import Load, Log

KERNELS = tuple(plan.LACKS)
MOST_HOURS = 1000.0
SEEDS = 1 << 32
SHOWN = 10
# Threads, their memory, and for how long before they begin anew.
WATCH = (3, 48, 30)
# Everything is checked in this kernel, on processors that others use as well: that it
# is late says nothing.  That something hangs is seen from outside.
APPEND = (
    f"{hardware.APPEND} log_buf_len=4M nowatchdog "
    "rcupdate.rcu_cpu_stall_suppress=1 sysctl.kernel.hung_task_timeout_secs=900"
    # in the kernel that has them, the suites would run for minutes
    " kunit.enable=0"
)
# What a seed decides besides the plan: free pages that nobody may even look at.
UNMAPPED = "debug_pagealloc=on"


FAILURES = (StressError, vm.VmError, ChannelError, QmpError, image.ImageError)


class SettingError(Exception):
    """HOURS, SEED or KERNEL is not what it may be."""


@dataclass(frozen=True)
class Settings:
    """What the user asks for."""

    hours: float
    seed: int
    kernel: str = KERNELS[0]


def settings(environment: Mapping[str, str]) -> Settings:
    """Read HOURS and SEED."""
    return Settings(
        _hours(environment.get("HOURS") or "1"),
        _seed(environment.get("SEED") or str(secrets.randbelow(SEEDS))),
        _kernel(environment.get("KERNEL") or KERNELS[0]),
    )


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0
    # what is no number compares with none
    if not 0 < hours <= MOST_HOURS:
        raise SettingError(
            f"HOURS={text}: a number above 0, at most {MOST_HOURS:.0f}, such as 0.5"
        )
    return hours


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < SEEDS):
        raise SettingError(f"SEED={text}: a whole number from 0 to {SEEDS - 1}")
    return int(text)


def _kernel(name: str) -> str:
    if name not in KERNELS:
        raise SettingError(f"KERNEL={name}: one of {', '.join(KERNELS)}")
    return name


def unmaps(seed: int) -> bool:
    """Is every free page unmapped?  Every other seed has that."""
    return bool(seed % 2)


def events(seed: int, kernel: str) -> Iterator[plan.Event]:
    """Yield the events of a seed."""
    # it waits for ever when its device was suspended; it writes to memory that is free
    left_out = {"broken_backend", *(["keeping_backend"] if unmaps(seed) else [])}
    for event in plan.plan(seed, plan.kinds(kernel)):
        if left_out.isdisjoint(event.arguments):
            yield event


@contextmanager
def guest(chosen: Settings) -> Iterator[vm.Vm]:
    """Boot the guest that a seed is for."""
    arguments = hardware.arguments(plan.kinds(chosen.kernel))
    if chosen.kernel == KERNELS[0]:
        kernel = kernels.KERNELS[chosen.kernel]
        arguments += ["-initrd", str(image.build_kernel_image(kernel, *plan.MODULES))]
    with vm.Vm(
        vm.kernel_image(chosen.kernel),
        name=f"stress-{chosen.seed}",
        accel=accel.choose(vm.kernel_image("ours")),
        memory=hardware.MEMORY,
        cpus=plan.PROCESSORS,
        append=f"{APPEND} {UNMAPPED if unmaps(chosen.seed) else ''}".strip(),
        arguments=arguments,
    ) as machine:
        yield machine


class Run:
    """One run of `make stress`."""

    def __init__(self, chosen: Settings) -> None:
        self.chosen = chosen
        self.progress = Progress(f"stress {chosen.seed}")
        self.log = Log(self._say)
        self.start = time.monotonic()
        self.report: dict[str, object] = {}
        self._events = paths.LOGS / f"stress-{chosen.seed}.events.log"
        paths.LOGS.mkdir(parents=True, exist_ok=True)
        self._events.write_text("", encoding="utf-8")

    def _say(self, line: str) -> None:
        seconds = time.monotonic() - self.start
        with self._events.open("a", encoding="utf-8") as kept:
            kept.write(f"{seconds:9.1f} {line}\n")
        if not line.endswith("begins"):
            self.progress.step(line)

    def stress(self) -> None:
        """Boot the guest, stress it, and see that it is as before."""
        with guest(self.chosen) as machine:
            before = Before(machine)
            load = Load(machine, self.log)
            load.watch(*WATCH)
            end = time.monotonic() + self.chosen.hours * 3600
            planned = events(self.chosen.seed, self.chosen.kernel)
            load.run(takewhile(lambda _: time.monotonic() < end, planned))
            self._say("all events are over: put back")
            before.put_back(load.hardware)
            self._say(load.end_watch())
            after = before.wait_back()
            load.look_at_log()
            self.report |= {"before": asdict(before.level), "after": asdict(after)}

    def run(self) -> bool:
        """Run it and keep what happened; tell whether all was well."""
        outcome = "passed"
        try:
            self.stress()
        except FAILURES as error:
            outcome = f"failed: {error}"
        except KeyboardInterrupt:
            outcome = "failed: interrupted"
        self.progress.done()
        self._keep(outcome)
        if outcome == "passed":
            return True
        self._explain(outcome)
        return False

    def _keep(self, outcome: str) -> None:
        self.report |= {
            "seed": self.chosen.seed,
            "hours": self.chosen.hours,
            "kernel": self.chosen.kernel,
            "seconds": round(time.monotonic() - self.start),
            "outcome": outcome,
            "events": len(self.log.lines),
            "done": _sorted(self.log.done),
            "refused": _sorted(self.log.refused),
            "lines": self.log.lines,
        }
        file = paths.BUILD / "report" / f"stress-{self.chosen.seed}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(self.report, indent=1) + "\n", encoding="utf-8")
        done, refused = self.log.done.total(), self.log.refused.total()
        print(f"stress: {done} events done, {refused} refused: {paths.shown(file)}")

    def _explain(self, outcome: str) -> None:
        console = paths.LOGS / f"stress-{self.chosen.seed}.log"
        last = self._events.read_text(encoding="utf-8").splitlines()[-SHOWN:]
        print(
            f"stress: {outcome}\n"
            f"stress: the last events, all of them in {paths.shown(self._events)}:\n"
            + "\n".join(last)
            + f"\nstress: the guest's log is {paths.shown(console)}, again with"
            f" `make stress SEED={self.chosen.seed} KERNEL={self.chosen.kernel}"
            f" HOURS={self.chosen.hours:g}`",
            file=sys.stderr,
        )


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items()))


def main(arguments: list[str]) -> int:
    """Entry point of `make stress`; --check does no more than look at the settings."""
    try:
        chosen = settings(os.environ)
    except SettingError as error:
        print(f"stress: {error}", file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        return 0
    print(
        f"stress: SEED={chosen.seed} HOURS={chosen.hours:g} KERNEL={chosen.kernel}",
        flush=True,
    )
    return 0 if Run(chosen).run() else 1
