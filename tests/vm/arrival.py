# SPDX-License-Identifier: GPL-2.0
"""Ways of a running guest from one QEMU into another one on the same machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.guest.vm import Vm
from reporting import migrate_to, run_state, wait_until

# Bytes a second, and milliseconds in which the guest may stand still: both are more
# than it takes, so that a guest arrives that changes memory all the time.
FAST = {"max-bandwidth": 4 << 30, "downtime-limit": 600_000}


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


def wait_running(vm: Vm) -> None:
    """Wait until the guest runs here."""
    wait_until(lambda: run_state(vm) == "running", "the guest's arrival", 600)


def send(vm: Vm, uri: str) -> None:
    """Send the guest away."""
    vm.qmp.execute("migrate-set-parameters", FAST)
    migrate_to(vm, uri)


def receive(vm: Vm, uri: str) -> None:
    """Begin to wait for a guest at an address, or take it from there."""
    vm.qmp.execute("migrate-incoming", {"uri": uri})


def migrate(old: Vm, new: Vm, folder: Path) -> None:
    """Migrate while the guest runs."""
    address = f"unix:{folder / 'migration'}"
    receive(new, address)
    send(old, address)
    wait_running(new)


def through_file(old: Vm, new: Vm, folder: Path) -> None:
    """Save the guest to a file and load it from there."""
    file = folder / "saved"
    send(old, f"exec:cat >{file}.part && mv {file}.part {file}")
    # QEMU waits for neither of the two
    wait_until(file.exists, "the whole of the file")
    receive(new, f"exec:cat {file}")
    wait_running(new)


def wait_job(vm: Vm, job: str) -> None:
    """Wait until a job of QEMU has ended well."""

    def find() -> dict[str, Any]:
        jobs = vm.qmp.execute("query-jobs")
        return next(found for found in jobs if found["id"] == job)

    wait_until(lambda: str(find()["status"]) == "concluded", job, 600)
    assert "error" not in find(), find()
    vm.qmp.execute("job-dismiss", {"id": job})


def image(folder: Path) -> dict[str, str]:
    """Return the node of the file that a disk for snapshots is in."""
    name = str(folder / "disk.qcow2")
    return {"driver": "file", "node-name": "file", "filename": name}


def add_disk(vm: Vm, folder: Path) -> None:
    """Add a disk that there is, for snapshots; the guest does not see it."""
    vm.qmp.execute("blockdev-add", image(folder))
    disk = {"driver": "qcow2", "node-name": "disk", "file": "file"}
    vm.qmp.execute("blockdev-add", disk)


def remove_disk(vm: Vm) -> None:
    """Write everything to the disk, and let go of it."""
    for node in ("disk", "file"):
        vm.qmp.execute("blockdev-del", {"node-name": node})


def create_disk(vm: Vm, folder: Path) -> None:
    """Create the disk for snapshots, and add it."""
    Path(image(folder)["filename"]).touch()
    vm.qmp.execute("blockdev-add", image(folder))
    options = {"driver": "qcow2", "file": "file", "size": 1 << 20}
    vm.qmp.execute("blockdev-create", {"job-id": "create", "options": options})
    wait_job(vm, "create")
    vm.qmp.execute("blockdev-del", {"node-name": "file"})
    add_disk(vm, folder)


def snapshot(vm: Vm, what: str) -> None:
    """Save or load the snapshot, as savevm and loadvm do."""
    where = {"tag": "one", "vmstate": "disk", "devices": ["disk"]}
    vm.qmp.execute(f"snapshot-{what}", {"job-id": what, **where})
    wait_job(vm, what)


def through_snapshot(old: Vm, new: Vm, folder: Path) -> None:
    """Keep the guest in a snapshot, and have another QEMU go on from there."""
    create_disk(old, folder)
    snapshot(old, "save")
    remove_disk(old)
    add_disk(new, folder)
    snapshot(new, "load")
    new.qmp.execute("cont")


INCOMING = ("-incoming", "defer")
LIVE = Way("live", INCOMING, migrate)
FILE = Way("file", INCOMING, through_file)
SNAPSHOT = Way("snapshot", ("-S",), through_snapshot)
