# SPDX-License-Identifier: GPL-2.0
"""Guests of another machine: arm64, on QEMU's "virt", always emulated.

What they run is compiled here, with Debian's cross compiler; busybox is Debian's for
that machine.
"""

from __future__ import annotations

from pathlib import Path

from lab.base import debian, paths
from lab.guest import image
from lab.guest.vm import ACCELERATORS, Vm
from lab.kernel import kernels
from lab.kernel.tree import put

ARCH = "arm64"
QEMU = "qemu-system-aarch64"
# Without the newest extensions, whose emulation takes longer than all the rest.
CPU = "cortex-a72"
SUITE = "bookworm"
# What the tests load; and programs that are in the machine language of another one.
MODULES = ("keeping_backend",)
LEFT_OUT = ("kexec-try", "page-fault")


def busybox() -> Path:
    """Return Debian's static busybox for this machine; fetch it once."""
    folder = paths.BUILD / f"busybox-{ARCH}"
    if not folder.exists():
        scratch = folder.with_suffix(".new")
        names = ("Architecture", "Architectures")
        options = [word for name in names for word in ("-o", f"APT::{name}={ARCH}")]
        debian.fetch(["busybox-static"], SUITE, scratch, options)
        scratch.rename(folder)
    return folder / "bin/busybox"


def prepare(kernel: kernels.Kernel) -> None:
    """Build a kernel and its image."""
    kernels.build(kernel)
    compiler = f"{kernels.MACHINES[ARCH].prefix}gcc"
    with paths.locked("image"):
        binaries = image.STAGE / f"bin-{ARCH}"
        programs = image.compile_programs(binaries, compiler, LEFT_OUT)
        root = image.STAGE / kernel.name
        modules = image.compile_chosen(kernel, *MODULES)
        image.stage(root, programs, modules, busybox(), ())
        put(image.kernel_image(kernel), image.pack(root))


class Arm64Vm(Vm):
    """A guest under QEMU; the machine has one serial port, the other one is on PCI."""

    commands = ("-device", "pci-serial,chardev=commands")
    # The suites move memory by the block, and some of these are of 512 MiB.
    boot_seconds = 1800

    def machine(
        self, kernel: Path, accel: str, memory: str, cpus: int, append: str
    ) -> list[str]:
        """Return the QEMU command without devices."""
        [own] = [known for known in kernels.KERNELS.values() if known.image == kernel]
        return [
            QEMU, "-nodefaults", "-no-user-config", "-no-reboot",
            "-machine", "virt,memory-backend=ram", "-cpu", CPU, *ACCELERATORS["tcg"],
            # It may have more than the host, which has only what is written of it.
            "-object", f"memory-backend-ram,id=ram,size={memory},reserve=off",
            "-m", memory, "-smp", str(cpus),
            "-kernel", str(kernel), "-initrd", str(image.kernel_image(own)),
            "-append", f"console=ttyAMA0 lab.channel=ttyS0 panic=-1 {append}".strip(),
        ]  # fmt: skip
