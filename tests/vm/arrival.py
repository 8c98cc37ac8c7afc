# SPDX-License-Identifier: GPL-2.0
"""Ways of a running guest from one QEMU into another one on the same machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.guest import saving
from lab.guest.vm import Vm


@dataclass(frozen=True)
class Way:
    """How a guest goes over: what the new QEMU is started with, and the way itself."""

    name: str
    arguments: tuple[str, ...]
    go: Callable[[Vm, Vm, Path], None]


@contextmanager
def without_guest(vm: Vm) -> Iterator[Vm]:
    """Start a QEMU that waits for a guest, whose kernel may not complain there."""
    vm.start()
    try:
        yield vm
        trouble = "\n".join(vm.trouble())
    finally:
        vm.stop()
    assert not trouble, f"the kernel of guest {vm.name} complained:\n{trouble}"


def migrate(old: Vm, new: Vm, folder: Path) -> None:
    """Migrate while the guest runs."""
    address = f"unix:{folder / 'migration'}"
    saving.receive(new, address)
    saving.send(old, address)
    saving.wait_running(new)


def through_file(old: Vm, new: Vm, folder: Path) -> None:
    """Save the guest to a file and load it from there."""
    saving.save_to_file(old, folder / "saved")
    saving.load_file(new, folder / "saved")


def through_snapshot(old: Vm, new: Vm, folder: Path) -> None:
    """Keep the guest in a snapshot, and have another QEMU go on from there."""
    saving.create_disk(old, folder)
    saving.snapshot(old, "save")
    saving.remove_disk(old)
    saving.load_snapshot(new, folder)


LIVE = Way("live", saving.INCOMING, migrate)
FILE = Way("file", saving.INCOMING, through_file)
SNAPSHOT = Way("snapshot", saving.STOPPED, through_snapshot)
