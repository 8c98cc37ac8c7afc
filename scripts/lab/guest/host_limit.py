# SPDX-License-Identifier: GPL-2.0
"""A small host inside this one: a memory cgroup, and a swap file of its own.

Works with version 1 and version 2 of the memory controller.  Whatever was set
up is taken down when the context is left; what a run that was killed left
behind is taken down by the next one.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lab.base.paths import BUILD, locked

MIB = 1 << 20
SPARE_MIB = 1024  # left to the host beside what the group may use
SWAP_FILE = BUILD.resolve() / "bench.swap"  # as /proc/swaps shows it
MOUNTS = Path("/proc/mounts")
LEAVE_SECONDS = 30


class HostError(Exception):
    """The host cannot be limited; the message says what is missing."""


@dataclass(frozen=True)
class Controller:
    """Where the memory controller is, and how it names things."""

    version: int
    root: Path

    def limit(self, group: Path, memory: int, swap: int) -> None:
        """Limit a group to so many bytes of memory and of swap."""
        if self.version == 1:
            (group / "memory.limit_in_bytes").write_text(str(memory))
            (group / "memory.memsw.limit_in_bytes").write_text(str(memory + swap))
        else:
            (group / "memory.max").write_text(str(memory))
            (group / "memory.swap.max").write_text(str(swap))

    def memory(self, group: Path) -> int:
        """Return the bytes of memory that a group uses."""
        name = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        return int((group / name).read_text())

    def swap(self, group: Path) -> int:
        """Return the bytes of swap that a group uses."""
        if self.version == 2:
            return int((group / "memory.swap.current").read_text())
        fields = (group / "memory.stat").read_text().split()
        return int(dict(zip(fields[::2], fields[1::2]))["swap"])


def find_controller(mounts: str) -> Controller:
    """Find the memory controller in the text of /proc/mounts."""
    for line in mounts.splitlines():
        _, where, kind, options, *_ = line.split()
        root = Path(where)
        if kind == "cgroup" and "memory" in options.split(","):
            return Controller(1, root)
        controllers = root / "cgroup.controllers"
        if kind == "cgroup2" and "memory" in controllers.read_text().split():
            return Controller(2, root)
    raise HostError(
        "no memory cgroup: neither a cgroup v1 mount with the memory controller nor"
        f" a cgroup v2 mount that has it is in {MOUNTS}"
    )


def meminfo_mib(field: str) -> int:
    """Return a field of /proc/meminfo in MiB."""
    text = Path("/proc/meminfo").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in text.splitlines())
    return int(fields[field].split()[0]) // 1024


def perform(command: list[str], failure: str) -> None:
    """Run a command; say what it says if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostError(f"{failure}, {command[0]} says: {done.stderr.strip()}")


class HostLimit:
    """A limited host; what runs with wrapper() in front of it is inside."""

    def __init__(self, memory_mib: int, swap_mib: int) -> None:
        self.memory_mib = memory_mib
        self.swap_mib = swap_mib
        self._controller = find_controller(MOUNTS.read_text(encoding="utf-8"))
        # unique for this checkout
        name = f"page-reporting-bench-{BUILD.stat().st_ino}"
        self._group = self._controller.root / name
        self._held = ExitStack()

    def __enter__(self) -> HostLimit:
        self._check()
        with ExitStack() as stack:
            stack.enter_context(locked("host-limit"))
            self._take_down()
            stack.callback(self._take_down)
            self._add_swap()
            self._add_group()
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

    def wrapper(self) -> list[str]:
        """Return the beginning of a command that is to run inside."""
        script = 'echo $$ >"$0" && exec "$@"'
        return ["sh", "-c", script, str(self._group / "cgroup.procs")]

    def memory_used_mib(self) -> int:
        """Return how much memory is used inside."""
        return self._controller.memory(self._group) // MIB

    def swap_used_mib(self) -> float:
        """Return how much swap is used inside."""
        return round(self._controller.swap(self._group) / MIB, 2)

    def _check(self) -> None:
        if os.geteuid():
            raise HostError("limiting the host needs root")
        wanted = self.memory_mib + SPARE_MIB
        available = meminfo_mib("MemAvailable")
        if available < wanted:
            raise HostError(
                f"the limited host needs {wanted} MiB of free memory, {available} MiB"
                " are available: stop what uses it, or give a larger SCALE"
            )
        disk = shutil.disk_usage(BUILD).free // MIB
        if disk < self.swap_mib + SPARE_MIB:
            raise HostError(
                f"a swap file of {self.swap_mib} MiB does not fit: {disk} MiB of disk"
                f" are free at {BUILD}"
            )

    def _add_swap(self) -> None:
        size = f"{self.swap_mib}M"
        steps: tuple[list[str], ...] = (
            ["fallocate", "-l", size, str(SWAP_FILE)],
            ["chmod", "600", str(SWAP_FILE)],
            ["mkswap", str(SWAP_FILE)],
            ["swapon", str(SWAP_FILE)],
        )
        for step in steps:
            perform(step, "cannot make a swap file")

    def _add_group(self) -> None:
        if self._controller.version == 2:
            control = self._controller.root / "cgroup.subtree_control"
            control.write_text("+memory")
        self._group.mkdir()
        try:
            self._controller.limit(
                self._group, self.memory_mib * MIB, self.swap_mib * MIB
            )
        except FileNotFoundError as error:
            raise HostError(
                f"{error.filename} does not exist: the host's kernel does not account"
                " swap (boot it with swapaccount=1)"
            ) from None

    def _take_down(self) -> None:
        try:
            if self._group.exists():
                self._empty_group()
                self._group.rmdir()
        finally:
            self._remove_swap()

    def _remove_swap(self) -> None:
        swaps = Path("/proc/swaps").read_text(encoding="utf-8")
        if f"{SWAP_FILE} " in swaps:
            perform(["swapoff", str(SWAP_FILE)], f"{SWAP_FILE} stays in use")
        SWAP_FILE.unlink(missing_ok=True)

    def _empty_group(self) -> None:
        """End what a killed run left in the group."""
        deadline = time.monotonic() + LEAVE_SECONDS
        while pids := (self._group / "cgroup.procs").read_text().split():
            if time.monotonic() > deadline:
                raise HostError(f"processes {' '.join(pids)} do not leave the cgroup")
            for pid in pids:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.1)
