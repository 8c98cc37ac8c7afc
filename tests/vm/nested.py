# SPDX-License-Identifier: GPL-2.0
"""A guest within a guest, which has a device of the outer one: QEMU in QEMU.

The outer one has an emulated IOMMU and gives a disk to the inner one with VFIO.
Nothing is accelerated, least of all the inner guest, which takes minutes to boot.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from lab.base import paths
from lab.guest import image, qemu
from lab.guest.channel import Result
from lab.guest.vm import BALLOON, COMMAND_LINE, Guest, Vm, VmError, complaints
from lab.kernel import kernels
from lab.kernel.tree import put

FOLDER = "/inner"
IN_INNER = image.GUEST / "in-inner"
# The emulator itself, which QEMU loads, and what the inner guest begins with.
FILES = (
    Path("/usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so"),
    Path("/usr/share/seabios/bios-256k.bin"),
    Path("/usr/share/qemu/kvmvapic.bin"),
    Path("/usr/share/qemu/linuxboot_dma.bin"),
)
# The disk's place on the bus of the outer guest.
SLOT = 8
ADDRESS = f"0000:00:{SLOT:02x}.0"
PATIENCE_SECONDS = 1800
INNER_MIB = 192
# What timeout says with its status.
TIMED_OUT = 143


def outer_image() -> Path:
    """Build the image of the outer guest: with QEMU, and what the inner one boots."""
    whole = paths.BUILD / "initramfs-outer.gz"
    with paths.locked("image"):
        root = image.STAGE / "outer"
        shutil.rmtree(root, ignore_errors=True)
        image.install(root, Path(shutil.which(qemu.NAME) or qemu.NAME))
        inner = root / FOLDER.strip("/")
        inner.mkdir()
        kernel = kernels.KERNELS["ours"].image
        for path in (*FILES, image.IMAGE, kernel):
            shutil.copy(path, inner)
        shutil.copy(IN_INNER, root / "bin")
        put(whole, image.IMAGE.read_bytes() + image.pack(root))
    return whole


def outer_arguments(disk: Path) -> list[str]:
    """Return the arguments for the outer guest: an IOMMU, and a disk behind it."""
    device = f"virtio-blk-pci,addr={SLOT},drive=disk"
    behind = "disable-legacy=on,iommu_platform=on"
    return [
        "-machine", "q35", "-device", "intel-iommu,intremap=on",
        "-drive", f"file={disk},format=raw,if=none,id=disk",
        "-device", f"{device},{behind}",
        "-initrd", str(outer_image()),
    ]  # fmt: skip


def assign_disk(outer: Vm) -> None:
    """Take the disk from its driver, and offer it to guests within."""
    device = f"/sys/bus/pci/devices/{ADDRESS}"
    outer.write(f"{device}/driver/unbind", ADDRESS)
    outer.write(f"{device}/driver_override", "vfio-pci")
    outer.write("/sys/bus/pci/drivers_probe", ADDRESS)
    assert outer.read("/sys/bus/pci/drivers/vfio-pci/" + ADDRESS + "/vendor")


class Inner(Guest):
    """A guest within another one."""

    def __init__(self, outer: Vm, arguments: str) -> None:
        self.name = "inner"
        self.outer = outer
        self.arguments = arguments

    def start(self) -> None:
        """Boot it, and wait until it takes commands."""
        self.outer.run("mkfifo /tmp/inner.in /tmp/inner.out")
        self.outer.run(
            f"QEMU_MODULE_DIR={FOLDER} {qemu.NAME} -L {FOLDER}"
            " -nodefaults -display none -no-reboot -cpu max"
            f" -m {INNER_MIB} -kernel {FOLDER}/bzImage -initrd {FOLDER}/initramfs.gz"
            f" -append {shlex.quote(COMMAND_LINE)} -serial file:/tmp/inner.log"
            f" -serial pipe:/tmp/inner -device virtio-balloon-pci,{BALLOON}"
            f" {self.arguments} >/tmp/inner.err 2>&1 & echo $! >/tmp/inner.pid"
        )
        # If it does not begin, nobody opens the pipes.
        if self.outer.try_run("sleep 2; kill -0 $(cat /tmp/inner.pid)").status:
            self._fail("does not begin")
        if self._ask("", PATIENCE_SECONDS).status:
            self._fail("does not boot")

    def stop(self) -> None:
        """End it."""
        self.outer.run("kill $(cat /tmp/inner.pid); rm /tmp/inner.in /tmp/inner.out")

    def host_kib(self) -> int:
        """Return what the outer guest has given to it."""
        status = "/proc/$(cat /tmp/inner.pid)/status"
        return int(self.outer.run(f"awk '/^VmRSS/{{print $2}}' {status}"))

    def try_run(self, command: str, timeout: float = 0) -> Result:
        """Run a shell command in it, whatever its exit status."""
        return self._ask(shlex.quote(command), max(timeout, PATIENCE_SECONDS))

    def trouble(self) -> list[str]:
        """Return the console lines in which its kernel complains."""
        return complaints(self.outer.read("/tmp/inner.log"))

    def _ask(self, command: str, timeout: float) -> Result:
        seconds = int(timeout)
        result = self.outer.try_run(
            f"timeout {seconds} in-inner {command}", seconds + 60
        )
        if result.status == TIMED_OUT:
            self._fail(f"does not answer {command!r}")
        return result

    def _fail(self, what: str) -> NoReturn:
        said = self.outer.run("tail -n 15 /tmp/inner.err /tmp/inner.log")
        raise VmError(f"the inner guest {what}:\n{said}")


@contextmanager
def inner(outer: Vm, arguments: str = "") -> Iterator[Inner]:
    """Boot a guest within, for as long as the context lasts."""
    guest = Inner(outer, arguments)
    guest.start()
    try:
        yield guest
        assert not guest.trouble()
    finally:
        guest.stop()
