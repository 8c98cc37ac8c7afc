# SPDX-License-Identifier: GPL-2.0
"""Guests that libvirt runs, in a libvirt of their own."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.guest import image, qemu
from lab.guest.channel import Channel, ChannelError, Result
from lab.guest.vm import (
    BOOT_SECONDS,
    COMMAND_LINE,
    ENDS_WITH_US,
    Guest,
    VmError,
    complaints,
)
from lab.kernel import kernels
from reporting import wait_until

START = Path(__file__).with_name("private-libvirt")
NAME = "guest"
# Its guests are processes of their own, and end when the daemon does.
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

DOMAIN = """\
<domain type='{type}'>
  <name>{name}</name>
  <memory unit='MiB'>1024</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{command_line}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <devices>
    <emulator>{emulator}</emulator>
    {balloon}
    <serial type='file'><source path='{folder}/console'/></serial>
    <serial type='unix'><source mode='bind' path='{folder}/commands'/></serial>
  </devices>
</domain>
"""


class Libvirt:
    """The client of a daemon of libvirt."""

    def __init__(self, state: Path) -> None:
        self._uri = f"qemu+unix:///system?socket={state}/run/libvirt/libvirt-sock"

    def try_virsh(self, *words: str) -> Result:
        """Run a command of virsh, whatever its exit status."""
        done = subprocess.run(
            ["virsh", "--connect", self._uri, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Result(done.returncode, done.stdout)

    def virsh(self, *words: str) -> str:
        """Run a command of virsh that must succeed."""
        result = self.try_virsh(*words)
        if result.status:
            raise VmError(f"virsh {' '.join(words)}: {result.output}")
        return result.output

    def memory_kib(self, name: str) -> int:
        """Return a line of dommemstat."""
        shown = re.search(rf"^{name} (\d+)$", self.virsh("dommemstat", NAME), re.M)
        assert shown
        return int(shown[1])


class LibvirtGuest(Guest):
    """A guest that libvirt runs, from where it is connected to."""

    def __init__(self, folder: Path) -> None:
        self.name = NAME
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(folder / "commands"))
        self.channel = Channel(self._socket)

    def close(self) -> None:
        """Let go of it; it runs on."""
        self._socket.close()

    def try_run(self, command: str, timeout: float = 180) -> Result:
        """Run a shell command in the guest, whatever its exit status."""
        try:
            return self.channel.run(command, timeout)
        except ChannelError as error:
            console = (self._folder / "console").read_text(errors="replace")
            raise VmError(f"{command!r}: {error}\n{console[-2000:]}") from None


@contextmanager
def libvirt(folder: Path) -> Iterator[Libvirt]:
    """Start a daemon, for as long as the context lasts."""
    with open(folder / "libvirtd.log", "w", encoding="utf-8") as log:
        daemon = subprocess.Popen(
            [*ENDS_WITH_US, *UNSHARE, START, folder / "state"],
            stdout=log,
            stderr=log,
        )
    known = Libvirt(folder / "state")
    try:
        wait_until(lambda: known.try_virsh("version").status == 0, "libvirt")
        yield known
    finally:
        daemon.kill()
        daemon.wait()


def domain(folder: Path, accel: str, balloon: str) -> Path:
    """Write the description of a guest with this balloon."""
    text = DOMAIN.format(
        type="kvm" if accel == "kvm" else "qemu",
        name=NAME,
        kernel=kernels.KERNELS["ours"].image,
        initrd=image.IMAGE,
        command_line=COMMAND_LINE,
        emulator=shutil.which(qemu.PROGRAM),
        balloon=balloon,
        folder=folder,
    )
    path = folder / "domain.xml"
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def connected(folder: Path, fresh: bool) -> Iterator[LibvirtGuest]:
    """Talk to the guest; a fresh one has to boot."""
    guest = LibvirtGuest(folder)
    try:
        if fresh:
            guest.channel.wait_ready(BOOT_SECONDS)
        yield guest
    finally:
        guest.close()
    assert not complaints((folder / "console").read_text(errors="replace"))
