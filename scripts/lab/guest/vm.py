# SPDX-License-Identifier: GPL-2.0
"""A guest: start it, run commands in it, watch its host memory.

Written by hand: libraries that run guests do so to test what is in them, over a network
and with an image of a distribution.  Here QEMU itself is looked at and steered, with a
kernel that has nothing but what a test needs.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from lab.base.paths import BUILD, LOGS, locked
from lab.guest import qemu
from lab.guest.channel import Channel, ChannelError, Result
from lab.guest.memory import rss_kib
from lab.guest.qmp import Qmp, QmpError

INITRAMFS = BUILD / "initramfs.gz"

QEMU = qemu.PROGRAM
ACCELERATORS = {
    "kvm": ["-accel", "kvm"],
    "tcg": ["-accel", "tcg,thread=multi"],
    # One instruction is one nanosecond: the guest's clock counts its work.
    "icount": ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"],
}
BALLOON = "free-page-reporting=on"
KERNEL_TROUBLE = re.compile(
    r"WARNING:|BUG:|INFO: task|possible (recursive|circular)|Oops|"
    r"general protection|Kernel panic|rcu: INFO|suspicious RCU|"
    r"inconsistent lock state|Bad page state|UBSAN|KASAN"
)
# Races in the rest of the kernel are not ours to mend.
KERNEL_RACE = "BUG: KCSAN"
OUR_NAMES = re.compile(r"fpr_|page_reporting|virtballoon_reporting")
BOOT_SECONDS = 900
# A process of tests that run side by side may be killed: its guests go with it.
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")
# A kernel that sees no timer interrupt in time does not boot; on a busy host it
# may have to wait.
NO_HURRY = "no_timer_check"
COMMAND_LINE = f"console=ttyS0 panic=-1 {NO_HURRY}"


class VmError(Exception):
    """A guest did not do what was asked; the message ends with its console."""


def explain(run: Callable[[], None]) -> None:
    """Run, and turn an expected failure into a message without a traceback."""
    try:
        run()
    except VmError as error:
        raise SystemExit(str(error)) from None


def complaints(console: str) -> list[str]:
    """Return the lines of a console in which a kernel complains."""
    lines = filter(KERNEL_TROUBLE.search, console.splitlines())
    return [line for line in lines if KERNEL_RACE not in line or OUR_NAMES.search(line)]


def kernel_image(name: str) -> Path:
    """Return the kernel built under this name: ours, stock or debug."""
    image = BUILD / name / "arch" / "x86" / "boot" / "bzImage"
    if not image.exists():
        raise VmError(f"{image} does not exist: run 'make kernels' first")
    return image


class Guest:
    """A kernel in which commands can be run."""

    name: str

    def try_run(self, command: str, timeout: float = 180) -> Result:
        """Run a shell command, whatever its exit status."""
        raise NotImplementedError

    def run(self, command: str, timeout: float = 180) -> str:
        """Run a shell command that must succeed."""
        result = self.try_run(command, timeout)
        if result.status:
            raise VmError(
                f"{self.name}: {command!r} ended with status {result.status}: "
                f"{result.output}"
            )
        return result.output

    def read(self, path: str) -> str:
        """Return the contents of a file."""
        return self.run(f"cat {path}")

    def write(self, path: str, value: object) -> None:
        """Write a value to a file; it must be accepted."""
        self.run(f"echo {value} >{path}")


class Machine(Guest):
    """A guest that is a process, running from entering the context until leaving it.

    The console goes to build/logs/NAME.log.  Commands have a channel of their
    own, so kernel messages never mix with their output.
    """

    boot_seconds = BOOT_SECONDS

    def __init__(self, name: str) -> None:
        self.name = name
        self.console = LOGS / f"{name}.log"
        self.channel: Channel
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: list[socket.socket] = []
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self.start()
        try:
            self.channel.wait_ready(self.boot_seconds)
        except ChannelError as error:
            self.stop()
            self._give_up(f"did not boot: {error}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and connect to it, without waiting for the guest."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the process; the guest gets no chance to object."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        self._held.close()

    def wait_end(self, timeout: float) -> None:
        """Wait until the guest has powered off by itself."""
        assert self._process is not None
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._give_up(f"still runs after {timeout:.0f} s")

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    def rss_kib(self) -> int:
        """Return the host memory that the process has now."""
        return rss_kib(self.pid)

    def host_kib(self) -> int:
        """Return the host memory that is behind the guest's now."""
        return self.rss_kib()

    def try_run(self, command: str, timeout: float = 180) -> Result:
        """Run a shell command in the guest, whatever its exit status."""
        try:
            return self.channel.run(command, timeout)
        except ChannelError as error:
            self._give_up(f"{command!r}: {error}")

    def stream(self, command: str, timeout: float = 180) -> Iterator[str]:
        """Run a command that must succeed; yield its lines as they come."""
        last = ""
        try:
            for last in self.channel.stream(command, timeout):
                if last.startswith("|"):
                    yield last[1:]
        except ChannelError as error:
            self._give_up(f"{command!r}: {error}")
        if last != "=0":
            raise VmError(f"{self.name}: {command!r} ended with status {last[1:]}")

    def console_text(self) -> str:
        """Return everything the guest printed on its console."""
        return self.console.read_text(errors="replace")

    def trouble(self) -> list[str]:
        """Return the console lines in which the kernel complains."""
        return complaints(self.console_text())

    def _open_console(self) -> None:
        """Begin a new log; another run may have a guest of this name."""
        LOGS.mkdir(parents=True, exist_ok=True)
        self._held.enter_context(locked(f"vm-{self.name}"))
        self.console.write_text("")

    def _give_up(self, what: str) -> NoReturn:
        lines = self.console_text().splitlines()[-15:]
        tail = "\n".join(f"    {line}" for line in lines)
        raise VmError(f"{self.name}: {what}\nlast lines of {self.console}:\n{tail}")


class Vm(Machine):
    """A guest under QEMU.

    A wrapper is the beginning of a command that sets something up and becomes QEMU.
    """

    # What the guest takes commands from.
    commands = ("-serial", "chardev:commands")

    def __init__(
        self,
        kernel: Path,
        *,
        name: str,
        accel: str,
        memory: str = "2G",
        cpus: int = 2,
        balloon: str | None = BALLOON,
        append: str = "",
        arguments: Sequence[str] = (),
        wrapper: Sequence[str] = (),
    ) -> None:
        super().__init__(name)
        self._wrapper = list(wrapper)
        self._command = [
            *self.machine(kernel, accel, memory, cpus, append),
            "-display", "none",
            "-chardev", f"file,id=console,path={self.console}",
            "-serial", "chardev:console", *self.commands,
            "-mon", "chardev=qmp,mode=control",
            *(balloon_arguments(balloon) if balloon is not None else []),
            *arguments,
        ]  # fmt: skip

    def machine(
        self, kernel: Path, accel: str, memory: str, cpus: int, append: str
    ) -> list[str]:
        """Return the QEMU command without devices."""
        return machine_arguments(kernel, accel, memory, cpus, append)

    def start(self) -> None:
        """Start QEMU and connect to it, without waiting for the guest."""
        self._open_console()
        commands, their_commands = socket.socketpair()
        control, their_control = socket.socketpair()
        self._sockets = [commands, control]
        theirs = {"commands": their_commands, "qmp": their_control}
        program, *devices = self._command
        chardevs = [
            word
            for chardev, sock in theirs.items()
            for word in ("-chardev", f"socket,id={chardev},fd={sock.fileno()}")
        ]
        errors = self.console.with_suffix(".qemu.log")
        with errors.open("wb") as stderr:
            self._process = subprocess.Popen(
                [*ENDS_WITH_US, *self._wrapper, program, *chardevs, *devices],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=[sock.fileno() for sock in theirs.values()],
            )
        for sock in theirs.values():
            sock.close()
        self.channel = Channel(commands)
        try:
            self.qmp = Qmp(control)
        except (QmpError, OSError):
            self.stop()
            reason = errors.read_text(errors="replace").strip()
            raise VmError(f"{self.name}: QEMU did not start: {reason}") from None

    def add_balloon(self, options: str = BALLOON) -> None:
        """Plug the balloon device in."""
        device: dict[str, object] = {"driver": "virtio-balloon-pci", "id": "balloon"}
        for option in filter(None, options.split(",")):
            key, _, value = option.partition("=")
            device[key] = {"on": True, "off": False}.get(value, value)
        self.qmp.execute("device_add", device)

    def remove_device(self, device: str, timeout: float = 180) -> None:
        """Unplug a device and wait until the guest has let go of it."""
        self.qmp.execute("device_del", {"id": device})
        self.qmp.wait_event("DEVICE_DELETED", timeout, device=device)

    def add_dimm(self, dimm: str, mib: int, node: int | None = None) -> None:
        """Plug a memory module in."""
        backend = {"qom-type": "memory-backend-ram", "id": f"ram-{dimm}"}
        self.qmp.execute("object-add", {**backend, "size": mib << 20})
        device: dict[str, object] = {"driver": "pc-dimm", "id": dimm}
        if node is not None:
            device["node"] = node
        self.qmp.execute("device_add", {**device, "memdev": f"ram-{dimm}"})

    def remove_dimm(self, dimm: str, timeout: float = 180) -> None:
        """Unplug a memory module; the guest must have taken it offline."""
        self.remove_device(dimm, timeout)
        self.qmp.execute("object-del", {"id": f"ram-{dimm}"})


def machine_arguments(
    kernel: Path, accel: str, memory: str, cpus: int, append: str
) -> list[str]:
    """Return the QEMU command for a guest without its devices."""
    if accel not in ACCELERATORS:
        allowed = ", ".join(ACCELERATORS)
        raise VmError(f"accelerator {accel!r} is not one of {allowed}")
    return [
        QEMU, "-nodefaults", "-no-user-config", "-no-reboot",
        "-machine", "pc", "-cpu", "max", *ACCELERATORS[accel],
        "-m", memory, "-smp", f"{cpus},sockets={cpus}",
        "-kernel", str(kernel), "-initrd", str(INITRAMFS),
        "-append", f"{COMMAND_LINE} {append}".strip(),
    ]  # fmt: skip


def balloon_arguments(options: str) -> list[str]:
    """Return the arguments that give a guest a balloon from the start."""
    device = "virtio-balloon-pci,id=balloon"
    return ["-device", f"{device},{options}" if options else device]


def numa_arguments(*mib: int) -> list[str]:
    """Return the arguments for one NUMA node per given size."""
    arguments = []
    for node, size in enumerate(mib):
        backend = f"memory-backend-ram,id=node{node},size={size}M"
        numa = f"node,nodeid={node},cpus={node},memdev=node{node}"
        arguments += ["-object", backend, "-numa", numa]
    return arguments
