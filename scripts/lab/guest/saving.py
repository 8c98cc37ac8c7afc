# SPDX-License-Identifier: GPL-2.0
"""Save a running guest, and have another QEMU go on with it: migration, snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.base.waiting import wait_until
from lab.guest.vm import Vm, VmError

# Bytes a second, and milliseconds in which the guest may stand still: both are more
# than it takes, so that a guest arrives that changes memory all the time.
FAST = {"max-bandwidth": 4 << 30, "downtime-limit": 600_000}
PATIENCE_SECONDS = 600
# What is left to be written when QEMU is done is what a pipe holds.
FILE_SECONDS = 180

# What a QEMU is started with that waits for a guest, or loads it from a snapshot.
INCOMING = ("-incoming", "defer")
STOPPED = ("-S",)


def run_state(vm: Vm) -> str:
    """Return what QEMU says that the guest does."""
    return str(vm.qmp.execute("query-status")["status"])


def wait_running(vm: Vm) -> None:
    """Wait until the guest runs here."""
    arrived = "the guest's arrival"
    wait_until(lambda: run_state(vm) == "running", arrived, PATIENCE_SECONDS)


# === Migration ===


def migrate_to(vm: Vm, uri: str) -> None:
    """Send the guest away; it stays here as well, and is stopped."""
    vm.qmp.execute("migrate", {"uri": uri})

    def found() -> dict[str, Any]:
        state: dict[str, Any] = vm.qmp.execute("query-migrate")
        return state

    ended = ("completed", "failed", "cancelled")
    end = "the end of the migration"
    wait_until(lambda: found().get("status") in ended, end, PATIENCE_SECONDS)
    if found()["status"] != "completed":
        raise VmError(f"{vm.name}: the migration has failed: {found()}")
    # QEMU says that it is complete a little before the guest may go on.
    wait_until(lambda: run_state(vm) == "postmigrate", end, PATIENCE_SECONDS)


def send(vm: Vm, uri: str) -> None:
    """Send the guest away, as fast as it can be."""
    vm.qmp.execute("migrate-set-parameters", FAST)
    migrate_to(vm, uri)


def receive(vm: Vm, uri: str) -> None:
    """Begin to wait for a guest at an address, or take it from there."""
    vm.qmp.execute("migrate-incoming", {"uri": uri})


def save_to_file(vm: Vm, file: Path) -> None:
    """Save the guest to a file, and wait until that is whole."""
    send(vm, f"exec:cat >{file}.part && mv {file}.part {file}")
    # QEMU does not wait for it.
    wait_until(file.exists, "the whole of the file", FILE_SECONDS)


def load_file(vm: Vm, file: Path) -> None:
    """Have a QEMU that waits for a guest go on with the one in a file."""
    receive(vm, f"exec:cat {file}")
    wait_running(vm)


# === Snapshots ===


def wait_job(vm: Vm, job: str) -> None:
    """Wait until a job of QEMU has ended well."""

    def find() -> dict[str, Any]:
        jobs: list[dict[str, Any]] = vm.qmp.execute("query-jobs")
        return next(found for found in jobs if found["id"] == job)

    wait_until(lambda: bool(find()["status"] == "concluded"), job, PATIENCE_SECONDS)
    if "error" in find():
        raise VmError(f"{vm.name}: {job}: {find()['error']}")
    vm.qmp.execute("job-dismiss", {"id": job})


def disk_file(folder: Path) -> Path:
    """Return the file of the disk for snapshots."""
    return folder / "disk.qcow2"


def node(folder: Path) -> dict[str, str]:
    """Return the node of the file that a disk for snapshots is in."""
    name = str(disk_file(folder))
    return {"driver": "file", "node-name": "file", "filename": name}


def add_disk(vm: Vm, folder: Path) -> None:
    """Add a disk that there is, for snapshots; the guest does not see it."""
    vm.qmp.execute("blockdev-add", node(folder))
    disk = {"driver": "qcow2", "node-name": "disk", "file": "file"}
    vm.qmp.execute("blockdev-add", disk)


def remove_disk(vm: Vm) -> None:
    """Write everything to the disk, and let go of it."""
    for name in ("disk", "file"):
        vm.qmp.execute("blockdev-del", {"node-name": name})


def create_disk(vm: Vm, folder: Path) -> None:
    """Create the disk for snapshots, and add it."""
    disk_file(folder).touch()
    vm.qmp.execute("blockdev-add", node(folder))
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


def load_snapshot(vm: Vm, folder: Path) -> None:
    """Have a QEMU that is stopped go on from the snapshot."""
    add_disk(vm, folder)
    snapshot(vm, "load")
    vm.qmp.execute("cont")
