# SPDX-License-Identifier: GPL-2.0
"""The KUnit suites, and a stress run, on x86-64 with lock and memory checks."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from conftest import Boot
from lab.base.paths import BUILD
from lab.guest.vm import Vm
from reporting import (
    assert_reports,
    backend,
    be_aggressive,
    bind,
    tune,
    unbind,
    wait_until,
)

KUNIT = BUILD / "linux" / "tools" / "testing" / "kunit" / "kunit.py"


@pytest.fixture(scope="module", name="debug_vm")
def fixture_debug_vm(boot: Boot) -> Iterator[Vm]:
    """Return a guest with the debug kernel, which runs KUnit while it boots."""
    # Room for all results, should the console be slower than the tests.  And of
    # what is plugged in later, only the old controller knows the interrupt.
    append = "log_buf_len=4M noapic"
    with boot("debug", kernel="debug", cpus=4, balloon=None, append=append) as vm:
        yield vm


def test_kunit_suites_pass(debug_vm: Vm) -> None:
    """Every suite passes on four processors."""
    done = subprocess.run(
        ["/usr/bin/python3", "-B", str(KUNIT), "parse", str(debug_vm.console)],
        capture_output=True,
        text=True,
        check=False,
    )
    trouble = [line for line in done.stdout.splitlines() if "PASSED" not in line]
    assert done.returncode == 0, "\n".join(trouble)
    passed = re.search(r"passed: (\d+)", done.stdout)
    assert passed and int(passed[1]) > 0, done.stdout
    assert "page_reporting" in done.stdout


def test_stress_with_lock_checks(debug_vm: Vm) -> None:
    """Freeing, reporting, unbinding and changing the order: no complaint."""
    debug_vm.add_balloon()
    # Without ACPI nobody tells the kernel.
    debug_vm.write("/sys/bus/pci/rescan", 1)
    wait_until(lambda: backend(debug_vm) == "virtio-balloon", "the backend")
    be_aggressive(debug_vm)
    debug_vm.run("integrity -t 4 -m 128 -s 20 >/tmp/integrity 2>&1 &")
    for order in (9, 0, 5, 10, 9):
        tune(debug_vm, order=order)
        bind(debug_vm, unbind(debug_vm))
    wait_until(lambda: "word" in debug_vm.read("/tmp/integrity"), "the verdict", 300)
    assert "no wrong word" in debug_vm.read("/tmp/integrity")
    assert_reports(debug_vm)
