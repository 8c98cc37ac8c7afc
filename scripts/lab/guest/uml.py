# SPDX-License-Identifier: GPL-2.0
"""One guest on User Mode Linux, which is a program of this machine.

Its memory is a file that has no name any more, on tmpfs as a rule: the blocks of the
file are what the host has given to the guest.
"""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.base import paths
from lab.guest import image
from lab.guest.channel import Channel
from lab.guest.vm import ENDS_WITH_US, Machine, VmError

BYTES_PER_BLOCK = 512  # as stat(2) counts, whatever the file system

# A kernel for one processor leaves up to an eighth of the memory in the lists of that
# processor for ever, where nobody sees that it is free.
FEW_IN_LISTS = "sysctl.vm.percpu_pagelist_high_fraction=1024"

# What is loaded before the C library, to make up for what Linux 6.12 cannot do.
REGISTERS = Path(__file__).with_name("uml_registers.c")
LIBRARIES = paths.BUILD / "uml-libraries"


class Uml(Machine):
    """A guest whose kernel is a process.

    The environment is what the process has beside the one of this process; sources
    to preload are compiled, and take the place of functions of the C library.
    """

    def __init__(
        self,
        kernel: Path,
        *,
        name: str,
        memory: str = "512M",
        append: str = "",
        environment: Mapping[str, str] | None = None,
        preload: Sequence[Path] = (),
    ) -> None:
        super().__init__(name)
        first = [REGISTERS] if paths.SOURCE == "6.12" else []
        libraries = [str(library(source)) for source in (*first, *preload)]
        self._environment = os.environ | dict(environment or {})
        self._environment["LD_PRELOAD"] = ":".join(libraries)
        self._command = [
            *ENDS_WITH_US, str(kernel), f"mem={memory}", f"initrd={image.UML_IMAGE}",
            "con=null", "con0=fd:0,fd:1", "ssl=null", "panic=-1", FEW_IN_LISTS,
            *append.split(),
        ]  # fmt: skip
        self._memory_file: Path | None = None

    def start(self) -> None:
        """Start the kernel, without waiting for the guest."""
        self._open_console()
        self._memory_file = None
        # where it says that it runs, for tools that are not used here
        folder = self._held.enter_context(tempfile.TemporaryDirectory())
        commands, theirs = socket.socketpair()
        self._sockets = [commands]
        serial = f"ssl1=fd:{theirs.fileno()}"
        with self.console.open("wb") as console, theirs:
            self._process = subprocess.Popen(
                [*self._command, f"uml_dir={folder}", serial],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=[theirs.fileno()],
            )
        self.channel = Channel(commands)

    def memory_file(self) -> Path:
        """Return the file that is the guest's memory, as /proc shows it."""
        if self._memory_file is None:
            self._memory_file = largest_unnamed(self.pid)
        return self._memory_file

    def host_kib(self) -> int:
        """Return the host memory that is behind the guest's now."""
        return self.memory_file().stat().st_blocks * BYTES_PER_BLOCK // 1024


def library(source: Path) -> Path:
    """Compile a library, if it is not there; return it."""
    binary = LIBRARIES / f"{source.stem}.so"
    binary.parent.mkdir(parents=True, exist_ok=True)
    if not binary.exists() or binary.stat().st_mtime <= source.stat().st_mtime:
        flags = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror")
        image.run(["gcc", *flags, "-o", binary, source], source.name)
    return binary


def largest_unnamed(pid: int) -> Path:
    """Return the largest file without a name that a process has open."""
    sizes = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        state = path.stat()
        if stat.S_ISREG(state.st_mode) and not state.st_nlink:
            sizes[path] = state.st_size
    if not sizes:
        raise VmError(f"process {pid} has no file that could be a guest's memory")
    return max(sizes, key=lambda path: sizes[path])
