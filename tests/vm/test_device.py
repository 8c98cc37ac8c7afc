# SPDX-License-Identifier: GPL-2.0
"""The balloon device comes and goes, and does its other work as before."""

from __future__ import annotations

import time

from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    VIRTIO,
    assert_reports,
    backend,
    balloon_device,
    be_aggressive,
    bind,
    free_kib,
    retain_nothing,
    in_use,
    managed_pages,
    meminfo_kib,
    migrate_to_nowhere,
    tunable,
    unbind,
    wait_drained,
    wait_free,
    wait_until,
)

KIB_PER_MIB = 1024
GIB = 1 << 30
FREE_PAGE_HINT, REPORTING = 3, 5


def features(vm: Vm) -> str:
    """Return the negotiated features of the balloon, a digit for each."""
    return vm.read(f"{VIRTIO}/devices/{balloon_device(vm)}/features")


def balloon_bytes(vm: Vm) -> int:
    """Return what the balloon leaves to the guest, as QEMU sees it."""
    return int(vm.qmp.execute("query-balloon")["actual"])


def start_load(vm: Vm, seconds: int) -> None:
    """Free memory all the time, in the background."""
    vm.run(f"churn -s {seconds} 256 >/tmp/churn 2>&1 &")


def wait_load(vm: Vm) -> None:
    """Wait for the end of the load."""
    wait_until(lambda: "cycles=" in vm.read("/tmp/churn"), "the load's end")


def test_unbind_and_bind_under_load(vm: Vm) -> None:
    """The driver leaves and returns while memory is freed; nothing is lost."""
    be_aggressive(vm)
    vm.run("touch-free 256")
    wait_drained(vm)
    free, managed = free_kib(vm), managed_pages(vm)
    start_load(vm, 15)
    for _ in range(8):
        device = unbind(vm)
        assert backend(vm) == "none"
        assert tunable(vm, "pending_kb") == 0
        bind(vm, device)
        assert backend(vm) == "virtio-balloon"
        time.sleep(0.3)
    wait_load(vm)
    wait_drained(vm)
    assert managed_pages(vm) == managed
    wait_free(vm, free, tolerance_kib=8 * KIB_PER_MIB)
    assert_reports(vm)


def test_device_unplugged_and_plugged(vm: Vm) -> None:
    """The device leaves and returns while memory is freed; nothing is lost."""
    wait_drained(vm)
    free, managed = free_kib(vm), managed_pages(vm)
    for _ in range(3):
        start_load(vm, 4)
        vm.remove_device("balloon")
        assert backend(vm) == "none"
        vm.add_balloon()
        wait_until(lambda: backend(vm) == "virtio-balloon", "the backend is back")
        wait_load(vm)
    wait_drained(vm)
    assert managed_pages(vm) == managed
    wait_free(vm, free, tolerance_kib=6 * KIB_PER_MIB)
    assert_reports(vm)


def test_inflate_and_deflate(vm: Vm) -> None:
    """The balloon takes 1 GiB and returns it, with reporting on all the time."""
    wait_drained(vm)
    total = meminfo_kib(vm, "MemTotal")
    start_load(vm, 5)
    vm.qmp.execute("balloon", {"value": GIB})
    wait_until(lambda: balloon_bytes(vm) == GIB, "inflated")
    assert meminfo_kib(vm, "MemTotal") <= total - KIB_PER_MIB * KIB_PER_MIB + 1
    assert_reports(vm)
    vm.qmp.execute("balloon", {"value": 2 * GIB})
    wait_until(lambda: balloon_bytes(vm) == 2 * GIB, "deflated")
    assert meminfo_kib(vm, "MemTotal") == total
    wait_load(vm)
    wait_drained(vm)
    assert_reports(vm)


def test_statistics(vm: Vm) -> None:
    """The guest's statistics arrive at QEMU, and free memory stays the truth."""
    balloon = {"path": "/machine/peripheral/balloon"}

    def stats() -> dict[str, int]:
        request = {**balloon, "property": "guest-stats"}
        found: dict[str, int] = vm.qmp.execute("qom-get", request)["stats"]
        return found

    polling = {**balloon, "property": "guest-stats-polling-interval", "value": 1}
    vm.qmp.execute("qom-set", polling)
    wait_until(lambda: stats()["stat-total-memory"] > 0, "statistics")
    assert stats()["stat-total-memory"] == meminfo_kib(vm, "MemTotal") * 1024

    def agree() -> bool:
        difference = stats()["stat-free-memory"] - meminfo_kib(vm) * 1024
        return abs(difference) < 32 << 20

    # What the device has is up to a second old.
    wait_until(agree, "the statistics of now")


def test_free_page_hinting(boot: Boot) -> None:
    """Hinting is negotiated beside reporting, and serves a migration."""
    balloon = "free-page-reporting=on,free-page-hint=on,iothread=io"
    arguments = ["-object", "iothread,id=io"]
    with boot("hinting", balloon=balloon, arguments=arguments) as vm:
        negotiated = features(vm)
        assert negotiated[FREE_PAGE_HINT] == negotiated[REPORTING] == "1"
        retain_nothing(vm)
        migrate_to_nowhere(vm)
        wait_drained(vm)
        assert_reports(vm)


def test_device_without_reporting(boot: Boot) -> None:
    """A balloon without the feature works, and no backend is registered."""
    with boot("no-reporting", balloon="free-page-reporting=off") as vm:
        assert features(vm)[REPORTING] == "0"
        assert backend(vm) == "none"
        vm.run("touch-free 512")
        time.sleep(3)
        assert tunable(vm, "pending_kb") == 0
        assert vm.rss_kib() > 512 * KIB_PER_MIB
        vm.qmp.execute("balloon", {"value": GIB})
        wait_until(lambda: balloon_bytes(vm) == GIB, "inflated")


def test_stock_driver_reports(vm: Vm) -> None:
    """The unmodified driver of the stock kernel reports through our core."""
    device = unbind(vm)
    vm.run("insmod /modules/virtio_balloon_stock.ko")
    assert backend(vm) == "unnamed"
    wait_drained(vm)
    level = vm.rss_kib()
    with in_use(vm, 512):
        assert vm.rss_kib() >= level + 400 * KIB_PER_MIB
    wait_until(lambda: vm.rss_kib() <= level * 1.1, f"RSS near {level} KiB")
    assert_reports(vm)
    vm.run("rmmod virtio_balloon_stock")
    assert backend(vm) == "none"
    bind(vm, device)
    assert_reports(vm)
