# SPDX-License-Identifier: GPL-2.0
"""Has events happen in a guest, several at a time, and looks what becomes of them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lab.guest.channel import Result
from lab.guest.vm import Vm
from lab.stress.hardware import Hardware, Refused, StressError
from lab.stress.plan import Event, KINDS

JOBS = "/tmp/stress"
# Two processors for the memory that is checked, and more events than processors.
AT_A_TIME = 5
# An event that takes longer hangs: the longest wait for memory or for a device.
PATIENCE_SECONDS = 600
# The console is long, and is not read after each event.
LOOK_SECONDS = 10
WATCHED = "0"
# Everything that waits, and who holds which lock, for the log.
SHOW_TASKS = "for key in w d t; do echo $key >/proc/sysrq-trigger; done"


@dataclass
class Log:
    """What happened: a line for each event, and their sums."""

    say: Callable[[str], None]
    lines: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def note(self, event: Event, seconds: float, refusal: str) -> None:
        """Take down how an event ended."""
        if refusal:
            self.refused[f"{event.kind}: {refusal}"] += 1
        else:
            self.done[event.kind] += 1
        outcome = f"refused: {refusal}" if refusal else "done"
        self.lines.append(f"{event}: {outcome} after {seconds:.1f} s")
        self.say(self.lines[-1])


class Load:
    """Events under way in one guest."""

    def __init__(self, vm: Vm, log: Log) -> None:
        self.vm = vm
        self.hardware = Hardware(vm)
        self.log = log
        self._under_way: dict[str, tuple[Event, float]] = {}
        self._looked = time.monotonic()

    def watch(self, threads: int, mib: int, seconds: int) -> None:
        """Begin to check the contents of memory all the time."""
        self.vm.run(f"mkdir -p {JOBS}; touch {JOBS}/watching")
        self.vm.run("mount -t cgroup2 none /sys/fs/cgroup")
        self.vm.run("echo +memory >/sys/fs/cgroup/cgroup.subtree_control")
        if self.vm.try_run("[ -e /proc/self/fail-nth ]").status == 0:
            self.vm.run("stress injection")
        self._start(WATCHED, f"watch {threads} {mib} {seconds}")

    def _start(self, number: str, command: str) -> None:
        self.vm.run(f"stress job {number} {command} >/dev/null 2>&1 &", timeout=600)

    def run(self, events: Iterable[Event]) -> None:
        """Have one event after the other begin, and wait for the last to end."""
        for event in events:
            while not self._may_begin(event):
                self._wait_a_little()
            self._begin(event)
        while self._under_way:
            self._wait_a_little()

    def _may_begin(self, event: Event) -> bool:
        needs = KINDS[event.kind].needs
        taken = {KINDS[other.kind].needs for other, _ in self._under_way.values()}
        return len(self._under_way) < AT_A_TIME and (not needs or needs not in taken)

    def _begin(self, event: Event) -> None:
        self.log.say(f"{event}: begins")
        start = time.monotonic()
        if not self.hardware.does(event.kind):
            self._start(str(event.number), event.command)
            self._under_way[str(event.number)] = event, start
            return
        refusal = ""
        try:
            self.hardware.do(event)
        except Refused as error:
            refusal = str(error)
        self.log.note(event, time.monotonic() - start, refusal)

    def _wait_a_little(self) -> None:
        self.look()
        time.sleep(0.1)

    def look(self) -> None:
        """See which events have ended, and whether all is well."""
        for number, result in self._ended():
            if number == WATCHED:
                raise StressError(f"memory is not watched any more: {result.output}")
            event, start = self._under_way.pop(number)
            self._judge(event, time.monotonic() - start, result)
        now = time.monotonic()
        for event, start in self._under_way.values():
            if now - start > PATIENCE_SECONDS:
                self.vm.try_run(SHOW_TASKS)
                raise StressError(f"{event}: not over after {now - start:.0f} s")
        if now - self._looked > LOOK_SECONDS:
            self._looked = now
            self.look_at_log()

    def _ended(self) -> Iterator[tuple[str, Result]]:
        names = self.vm.run(f"ls {JOBS} | grep status; true", timeout=600).split()
        for number in (name.removesuffix(".status") for name in names):
            files = f"{JOBS}/{number}.status {JOBS}/{number}.out"
            status, _, output = self.vm.run(f"cat {files}").partition("\n")
            self.vm.run(f"rm {files}")
            yield number, Result(int(status), output)

    def _judge(self, event: Event, seconds: float, result: Result) -> None:
        refusal = ""
        if result.status:
            refusal = (result.output.splitlines() or ["killed"])[-1]
            refusal = re.sub(r"^.*: ", "", refusal)
            allowed = KINDS[event.kind].refusals
            if not re.search(allowed, result.output or refusal):
                raise StressError(
                    f"{event}: status {result.status}, {result.output or 'no word'}"
                )
        self.log.note(event, seconds, refusal)

    def look_at_log(self) -> None:
        """Has the kernel complained?"""
        trouble = self.vm.trouble()
        if trouble:
            raise StressError("the kernel complained: " + "\n".join(trouble[:10]))

    def end_watch(self) -> str:
        """Let memory be checked a last time; return what was found."""
        self.vm.run(f"rm {JOBS}/watching")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            for _, result in self._ended():
                if result.status or "no wrong word" not in result.output:
                    raise StressError(f"memory was damaged: {result.output}")
                return result.output.splitlines()[-1]
            time.sleep(0.5)
        self.vm.run(SHOW_TASKS)
        raise StressError(f"the check of memory goes on after {PATIENCE_SECONDS} s")
