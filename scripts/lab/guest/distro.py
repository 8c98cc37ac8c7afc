# SPDX-License-Identifier: GPL-2.0
"""A guest that is a Debian with systemd and its own kernel, on a disk of its own.

debootstrap installs it; the first boot is with the kernel that it has in /boot, and
puts the boot loader on the disk.  Then it is as if it had been installed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.base import debian, paths
from lab.guest.vm import ACCELERATORS, NO_HURRY, QEMU, Vm

RELEASE = "bookworm"
INCLUDED = (
    "dbus", "grub-pc", "kdump-tools", "kexec-tools", "linux-image-cloud-amd64",
    "procps", "systemd-sysv", "udev", "zstd",
)  # fmt: skip
FOLDER = paths.TOP / "distro"
DISK = FOLDER / "debian.img"
STAMP = FOLDER / "stamp"
SERVE = paths.ROOT / "tests" / "guest" / "serve"

DISK_MIB, FIRST_MIB = 4096, 1
PARTITIONS = f"label: dos\nstart={FIRST_MIB}MiB, type=83, bootable\n"

COMMAND_LINE = f"console=ttyS0 {NO_HURRY}"
GRUB = f"""\
GRUB_TIMEOUT=0
GRUB_TERMINAL=serial
GRUB_CMDLINE_LINUX="{COMMAND_LINE}"
GRUB_CMDLINE_LINUX_DEFAULT=""
"""
UNIT = """\
[Unit]
Description=Commands from the host
After=multi-user.target

[Service]
ExecStart=/usr/local/sbin/serve ttyS1

[Install]
WantedBy=multi-user.target
"""
FILES = {
    "etc/fstab": "/dev/vda1 / ext4 errors=remount-ro 0 1\n",
    "etc/hostname": "debian\n",
    # before that of kdump-tools, which adds to it
    "etc/default/grub.d/00-test.cfg": GRUB,
    "etc/systemd/system/serve.service": UNIT,
}
ENABLED = "etc/systemd/system/multi-user.target.wants/serve.service"


class Distro(Vm):
    """A Debian, with the kernel that its boot loader chooses, or the given one."""

    # All that systemd starts is emulated.
    boot_seconds = 1800

    def __init__(
        self, disk: Path, *, name: str, accel: str, kernel: Path | None = None,
        drives: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        self._kernel = kernel
        arguments = []
        for file in (disk, *drives):
            arguments += ["-drive", f"file={file},format=raw,if=virtio"]
        super().__init__(
            kernel or disk, name=name, accel=accel, memory="2G", arguments=arguments
        )

    def machine(
        self, kernel: Path, accel: str, memory: str, cpus: int, append: str
    ) -> list[str]:
        """Return the QEMU command without devices."""
        command = [
            QEMU, "-nodefaults", "-no-user-config", "-no-reboot",
            "-machine", "pc", "-cpu", "max", *ACCELERATORS[accel],
            "-m", memory, "-smp", str(cpus),
        ]  # fmt: skip
        if self._kernel:
            initrd = kernel.with_name(kernel.name.replace("vmlinuz", "initrd.img"))
            line = f"root=/dev/vda1 {COMMAND_LINE} {append}"
            command += ["-kernel", str(kernel), "-initrd", str(initrd)]
            command += ["-append", line.strip()]
        return command

    def reboot(self) -> None:
        """Have it end all that it runs, and start again from its disk."""
        self.channel.send("systemctl reboot")
        self.wait_end(self.boot_seconds)
        self.stop()
        self._kernel = None
        self.__enter__()


def install(root: Path) -> None:
    """Install Debian in a folder."""
    log = FOLDER / "debootstrap.log"
    print(f"distro: installing {RELEASE}, log in {paths.shown(log)}", flush=True)
    with log.open("w", encoding="utf-8") as said:
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(INCLUDED)}",
             RELEASE, root, debian.machine_mirror()],
            stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=True,
        )  # fmt: skip
    for package in (root / "var/cache/apt/archives").glob("*.deb"):
        package.unlink()
    for name, text in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    shutil.copy(SERVE, root / "usr/local/sbin")
    (root / ENABLED).symlink_to("/etc/systemd/system/serve.service")


def make_disk(root: Path, disk: Path) -> None:
    """Make a disk of it, with one partition."""
    disk.unlink(missing_ok=True)
    with disk.open("wb") as file:
        file.truncate(DISK_MIB << 20)
    subprocess.run(
        ["sfdisk", "--quiet", disk], input=PARTITIONS, text=True, check=True
    )
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", root, "-E", f"offset={FIRST_MIB << 20}",
         disk, f"{DISK_MIB - FIRST_MIB}M"],
        check=True,
    )  # fmt: skip


def disk_of(files: Sequence[Path], disk: Path) -> Path:
    """Make a disk of some files, which has a file system and no partition."""
    folder = disk.with_suffix(".files")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in files:
        shutil.copy(file, folder)
    kib = sum(file.stat().st_size for file in files) // 1024
    disk.unlink(missing_ok=True)
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", folder, disk, f"{kib * 5 // 4 + 8192}k"],
        check=True,
    )
    shutil.rmtree(folder)
    return disk


def stamp() -> str:
    """Identify what is installed."""
    known = repr((RELEASE, INCLUDED, FILES, PARTITIONS, SERVE.read_text("utf-8")))
    return hashlib.sha256(known.encode()).hexdigest()


def build(accel: str) -> Path:
    """Return the disk of a Debian that boots from it."""
    with paths.locked("distro"):
        if STAMP.exists() and STAMP.read_text("utf-8") == stamp():
            return DISK
        FOLDER.mkdir(parents=True, exist_ok=True)
        STAMP.unlink(missing_ok=True)
        root = FOLDER / "root"
        shutil.rmtree(root, ignore_errors=True)
        install(root)
        make_disk(root, DISK)
        (kernel,) = (root / "boot").glob("vmlinuz-*")
        with Distro(DISK, name="distro-first", accel=accel, kernel=kernel) as guest:
            guest.run("grub-install /dev/vda && update-grub", 1800)
            guest.channel.send("systemctl poweroff")
            guest.wait_end(guest.boot_seconds)
        shutil.rmtree(root)
        STAMP.write_text(stamp(), encoding="utf-8")
    return DISK
