# SPDX-License-Identifier: GPL-2.0
"""Tunables and boot parameters: what is allowed works, the rest is refused."""

from __future__ import annotations

import pytest
from conftest import Boot
from lab.guest.vm import Vm
from reporting import (
    SYSFS,
    assert_reports,
    retain_nothing,
    stat,
    tunable,
    tune,
    wait_drained,
)

PARAMETERS = "/sys/module/page_reporting/parameters"
INVALID = "Invalid argument"
RANGE = "Numerical result out of range"

REFUSED = [
    ("order", "11", INVALID),
    ("order", "-1", INVALID),
    ("order", "4294967296", RANGE),
    ("order", "nine", INVALID),
    ("order", "", INVALID),
    ("age_ms", "600001", INVALID),
    ("age_ms", "-1", INVALID),
    ("age_ms", "99999999999999999999", RANGE),
    ("age_ms", "1s", INVALID),
    ("unbacked_max_kb", "4294967296", RANGE),
    ("unbacked_max_kb", "8M", INVALID),
    ("unbacked_reserve_percent", "101", INVALID),
    ("enabled", "2", INVALID),
    ("enabled", "yes", INVALID),
]

ACCEPTED = [
    ("age_ms", 0),
    ("age_ms", 600000),
    ("unbacked_reserve_percent", 100),
    ("enabled", 0),
    ("order", 10),
    ("order", 5),
]


@pytest.mark.parametrize(("name", "value", "error"), REFUSED)
def test_refused_value_changes_nothing(
    vm: Vm, name: str, value: str, error: str
) -> None:
    """A value out of range fails with its errno and leaves the old one."""
    before = vm.read(f"{SYSFS}/{name}")
    result = vm.try_run(f"echo '{value}' >{SYSFS}/{name}")
    assert result.status != 0
    assert error in result.output
    assert vm.read(f"{SYSFS}/{name}") == before


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_accepted_value_is_shown(vm: Vm, name: str, value: int) -> None:
    """Both ends of the range are accepted, and read back."""
    before = tunable(vm, name)
    tune(vm, **{name: value})
    assert tunable(vm, name) == value
    tune(vm, **{name: before})


def test_refusal_says_what_is_allowed(vm: Vm) -> None:
    """The kernel log names the file and its range."""
    vm.try_run(f"echo 600001 >{SYSFS}/age_ms")
    assert "age_ms takes a number from 0 to 600000" in vm.console_text()


DIRECTORY = "backends/virtio-balloon"


@pytest.mark.parametrize(
    "name",
    ["pending_kb", "stats/reported_kb", f"{DIRECTORY}/nodes", f"{DIRECTORY}/error"],
)
def test_state_cannot_be_written(vm: Vm, name: str) -> None:
    """State and counters are for reading."""
    before = vm.read(f"{SYSFS}/{DIRECTORY}/error")
    assert vm.try_run(f"echo 1 >{SYSFS}/{name}").status != 0
    assert vm.read(f"{SYSFS}/{DIRECTORY}/error") == before


def test_backend_has_a_directory(vm: Vm) -> None:
    """What one backend did is what all did, while there is no other."""
    files = vm.run(f"cd {SYSFS}/{DIRECTORY} && ls && ls stats").split()
    assert {"nodes", "error", "pending_kb", "isolated_kb", "reported_kb"} <= set(files)
    # The device takes back what it was given by itself.
    assert "unbacked_kb" not in files
    names = f"stats/reported_kb {DIRECTORY}/stats/reported_kb"
    both = vm.run(f"cd {SYSFS} && echo 0 >enabled && cat {names} && echo 1 >enabled")
    assert len(set(both.split())) == 1


@pytest.mark.parametrize("order", [10, 5, 0, 9])
def test_order_changes_while_running(vm: Vm, order: int) -> None:
    """Reporting goes on at each order."""
    tune(vm, order=order)
    wait_drained(vm)
    assert_reports(vm)


def test_order_changes_under_load(vm: Vm) -> None:
    """Switching the order while memory is freed all the time loses nothing."""
    vm.run("churn -s 15 -g 50 256 >/tmp/churn 2>&1 &")
    for order in (0, 9, 3, 10, 9):
        tune(vm, order=order)
        vm.run("sleep 1")
    vm.run("wait; while pidof churn >/dev/null; do sleep 1; done", timeout=120)
    assert "cycles=" in vm.read("/tmp/churn")
    wait_drained(vm)
    assert_reports(vm)


def test_failed_and_stopped_counters_stay_zero(vm: Vm) -> None:
    """QEMU takes every report."""
    assert stat(vm, "failed_kb") == 0


def test_boot_parameters(boot: Boot) -> None:
    """Order and delay can be set on the kernel command line."""
    parameters = (
        "page_reporting.page_reporting_order=5 page_reporting.page_reporting_delay_ms=1"
    )
    with boot("boot-parameters", append=parameters) as vm:
        retain_nothing(vm)
        assert tunable(vm, "order") == 5
        assert tunable(vm, "age_ms") == 1
        assert vm.read(f"{PARAMETERS}/page_reporting_order") == "5"
        wait_drained(vm)
        assert_reports(vm)


def test_bad_boot_parameters_are_ignored(boot: Boot) -> None:
    """Out of range values are refused with a message; the defaults stay."""
    with boot("defaults") as vm:
        defaults = tunable(vm, "order"), tunable(vm, "age_ms")
    parameters = (
        "page_reporting.page_reporting_order=11 "
        "page_reporting.page_reporting_delay_ms=-1"
    )
    with boot("bad-boot-parameters", append=parameters) as vm:
        assert (tunable(vm, "order"), tunable(vm, "age_ms")) == defaults
        retain_nothing(vm)
        assert "order 11 is out of range, allowed are 0 to 10" in vm.console_text()
        assert_reports(vm)
