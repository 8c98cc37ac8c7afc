# SPDX-License-Identifier: GPL-2.0
"""What the VM tests share: looking at and steering page reporting in a guest."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from lab.base import waiting
from lab.base.paths import TREE
from lab.guest.saving import migrate_to
from lab.guest.vm import Guest, Vm

KUNIT = TREE / "tools" / "testing" / "kunit" / "kunit.py"
SYSFS = "/sys/kernel/mm/page_reporting"
TRACING = "/sys/kernel/tracing"
VIRTIO = "/sys/bus/virtio"
BALLOON_DRIVER = f"{VIRTIO}/drivers/virtio_balloon"

# A guard against hanging for ever, not a statement about speed.
PATIENCE_SECONDS = 180

# What the guest's own programs may keep pending, looking at it included.
SMALL_FREES_KIB = 4096

# Guests of 4 GiB and more run one after the other: a machine of 8 GiB has room for
# one, and for a smaller one beside it.
LARGE = pytest.mark.xdist_group("large")

# What is logged, and what a program is told, when the host is silent.
NOT_ANSWERED = "backend virtio-balloon has not answered"
BUSY = "Device or resource busy"
# Bits of a PCI command register: it has memory, it may read that of the guest.
PCI_MEMORY, PCI_MASTER = 2, 4

Event = dict[str, str]


def rarely(*values: object) -> list[object]:
    """Leave cases to make test-all; they are much like others."""
    return [pytest.param(value, marks=pytest.mark.long) for value in values]


def tunable(vm: Guest, name: str) -> int:
    """Return the value of a tunable or of a state file."""
    return int(vm.read(f"{SYSFS}/{name}"))


def tune(vm: Guest, **values: int | str) -> None:
    """Set tunables."""
    for name, value in values.items():
        vm.write(f"{SYSFS}/{name}", value)


def retain_nothing(vm: Guest) -> None:
    """Switch the expectation off that memory used again will be used once more.

    Tests use the same memory again and again, and would wait for it.
    """
    tune(vm, max_age_ms=0)


def be_aggressive(vm: Guest) -> None:
    """Make the guest report everything at once."""
    retain_nothing(vm)
    tune(vm, age_ms=0)


def stat(vm: Guest, name: str) -> int:
    """Return a counter."""
    return int(vm.read(f"{SYSFS}/stats/{name}"))


def backend(vm: Guest) -> str:
    """Return the names of the registered backends, with errors, or "none"."""
    names = vm.run(f"ls {SYSFS}/backends").split()
    errors = {name: vm.read(f"{SYSFS}/backends/{name}/error") for name in names}
    shown = (f"{name}:{err}" if err != "0" else name for name, err in errors.items())
    return " ".join(shown) or "none"


def meminfo_kib(vm: Guest, name: str = "MemFree") -> int:
    """Return a line of /proc/meminfo."""
    return int(vm.run(f"grep -w '{name}:' /proc/meminfo").split()[1])


def managed_pages(vm: Vm) -> int:
    """Return the pages that the guest's allocator manages, over all zones."""
    return sum(map(int, vm.run("awk '/managed/{print $2}' /proc/zoneinfo").split()))


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait for a condition; fail with what was waited for."""
    waiting.wait_until(condition, what, seconds)


def unreported_kib(vm: Guest) -> int:
    """Return what is to be reported, or is on its way."""
    files = f"{SYSFS}/pending_kb {SYSFS}/isolated_kb"
    return sum(map(int, vm.run(f"cat {files}").split()))


def wait_drained(vm: Guest) -> None:
    """Wait until the guest has no more to report than its own small frees."""
    # What is at the host right now is not pending any more.
    wait_until(lambda: unreported_kib(vm) <= SMALL_FREES_KIB, "nothing pending")


def start_scatter(vm: Guest, mib: int, kib: int = 4) -> None:
    """Have a program hold every other piece of so much memory."""
    vm.run(f"scatter -k {kib} {mib} >/tmp/scatter.out 2>&1 &")
    wait_until(
        lambda: "scattered" in vm.read("/tmp/scatter.out"), "memory scattered", 300
    )


def free_kib(vm: Guest) -> int:
    """Return the guest's free memory, that in the per-CPU lists included.

    A flush drains them; without a backend, when it fails, they drain in time.
    """
    vm.try_run(f"echo 1 >{SYSFS}/flush")
    return meminfo_kib(vm)


def wait_free(vm: Guest, kib: int, tolerance_kib: int) -> None:
    """Wait until the guest has this much free memory again."""
    wait_until(
        lambda: free_kib(vm) >= kib - tolerance_kib,
        f"MemFree at least {kib - tolerance_kib} KiB",
    )


def assert_reports(vm: Vm) -> None:
    """Check that memory freed from now on is reported.

    The allocator's per-CPU lists may keep an eighth of the guest's memory for
    many seconds, so far more is freed than is waited for.
    """
    before = stat(vm, "reported_kb")
    vm.run("touch-free 512", timeout=120)
    enough = before + (192 << 10)
    wait_until(lambda: stat(vm, "reported_kb") >= enough, "192 MiB reported")


def assert_suites_pass(vm: Vm) -> None:
    """Check that every KUnit suite passed while the guest booted."""
    done = subprocess.run(
        ["/usr/bin/python3", "-B", str(KUNIT), "parse", str(vm.console)],
        capture_output=True,
        text=True,
        check=False,
    )
    trouble = [line for line in done.stdout.splitlines() if "PASSED" not in line]
    assert done.returncode == 0, "\n".join(trouble)
    passed = re.search(r"passed: (\d+)", done.stdout)
    assert passed and int(passed[1]) > 0, done.stdout
    assert "page_reporting" in done.stdout


def migrate_to_nowhere(vm: Vm) -> None:
    """Save the guest as for a migration to a file, and let it go on."""
    migrate_to(vm, "exec:cat >/dev/null")
    vm.qmp.execute("cont")


def balloon_device(vm: Vm) -> str:
    """Return the name of the balloon's virtio device: 5 is its device id."""
    found = vm.run(f"grep -l 0x0005 {VIRTIO}/devices/*/device")
    return found.split("/")[-2]


def unbind(vm: Vm) -> str:
    """Take the balloon device from its driver; return the device's name."""
    device = balloon_device(vm)
    vm.write(f"{VIRTIO}/devices/{device}/driver/unbind", device)
    return device


def bind(vm: Vm, device: str) -> None:
    """Give the balloon device back to virtio_balloon."""
    vm.write(f"{BALLOON_DRIVER}/bind", device)


def balloon_slot(vm: Vm) -> str:
    """Return the address of the balloon on the PCI bus."""
    return vm.run("grep -l 0x1002 /sys/bus/pci/devices/*/device").split("/")[-2]


def set_command(vm: Vm, bits: int) -> None:
    """Write the command register of the balloon, at offset 4 of its configuration."""
    config = f"/sys/bus/pci/devices/{balloon_slot(vm)}/config"
    vm.run(f"printf '\\{bits:03o}\\000' | dd of={config} bs=1 seek=4 conv=notrunc 2>&1")


def silence(vm: Vm) -> None:
    """Take the balloon's right to read guest memory: it will not answer."""
    set_command(vm, PCI_MEMORY)


def rebind_after_silence(vm: Vm) -> None:
    """Take the device from its driver, which returns all, and give it back."""
    device = unbind(vm)
    assert tunable(vm, "isolated_kb") == 0
    # Not every version of QEMU ends the silence when the device is reset.
    set_command(vm, PCI_MEMORY | PCI_MASTER)
    bind(vm, device)


def leave_batch_at_host(vm: Vm) -> None:
    """Silence the host, and wait until it has memory of which it says nothing."""
    silence(vm)
    vm.run("touch-free 512", timeout=120)
    wait_until(lambda: tunable(vm, "isolated_kb") > 0, "a batch at the host")


def empty_cpu_lists(vm: Vm) -> None:
    """Bring what the per-CPU lists retain to the free lists."""
    vm.write("/proc/sys/vm/compact_memory", 1)


def is_under_way(vm: Vm, before: int) -> bool:
    """Is a batch at the host, or was there one already?"""
    return tunable(vm, "isolated_kb") > 0 or stat(vm, "reported_kb") > before


@contextmanager
def in_use(vm: Guest, mib: int, options: str = "") -> Iterator[None]:
    """Have a program use memory for as long as the context lasts."""
    log, pid = "/tmp/in-use", "$(cat /tmp/in-use.pid)"
    # Another program may have been here before.
    vm.run(f"rm -f {log}")
    vm.run(
        f"touch-free -s 1000000 {options} {mib} >{log} 2>&1 & echo $! >/tmp/in-use.pid"
    )
    touched = f"grep -q touched {log} 2>/dev/null"
    wait_until(lambda: not vm.try_run(touched).status, f"{mib} MiB in use", 300)
    try:
        yield
    finally:
        vm.run(f"kill {pid}")
        wait_until(lambda: vm.try_run(f"kill -0 {pid}").status != 0, "its end")


def trace_of(vm: Vm, event: str) -> list[Event]:
    """Return what the trace has of one kind of event."""
    # Only the fields: the channel to the guest is a serial line.
    text = vm.run(f"sed -n 's/.*{event}: //p' {TRACING}/trace", timeout=300)
    return [dict(re.findall(r"(\w+)=(\S+)", line)) for line in text.splitlines()]


@contextmanager
def traced(vm: Vm, event: str) -> Iterator[list[Event]]:
    """Collect one kind of event; the list is filled when the context ends."""
    events: list[Event] = []
    enable = f"{TRACING}/events/page_reporting/{event}/enable"
    vm.write(f"{TRACING}/trace", "")
    vm.write(enable, 1)
    yield events
    vm.write(enable, 0)
    events += trace_of(vm, event)
