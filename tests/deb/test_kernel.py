# SPDX-License-Identifier: GPL-2.0
"""The packages of a kernel have one that boots and reports, and what modules need."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.base.paths import ROOT
from lab.guest import accel
from lab.guest.vm import Vm
from lab.kernel import deb, kernels
from reporting import backend, stat, wait_drained, wait_until

pytestmark = pytest.mark.long
EXAMPLE = ROOT / "Documentation/mm/page_reporting_example.c"
FREED_MIB = 512


@pytest.fixture(scope="module", name="root")
def fixture_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the packages of the small flavour install."""
    target = tmp_path_factory.mktemp("deb")
    root = tmp_path_factory.mktemp("root")
    deb.build_kernel(deb.flavour("small"), target)
    names = {package.name.partition("_")[0] for package in target.glob("*.deb")}
    assert {name.partition("-6")[0].partition("-7")[0] for name in names} == {
        "linux-image",
        "linux-headers",
    }
    for package in target.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    return root


@pytest.fixture(name="vm")
def fixture_vm(root: Path) -> Iterator[Vm]:
    """Return a guest that runs the kernel of the package."""
    (image,) = (root / "boot").glob("vmlinuz-*")
    with Vm(image, name="test-deb", accel=accel.choose(image)) as guest:
        yield guest


def test_memory_returns(vm: Vm) -> None:
    """The host gets what the guest frees; the kernel says whose it is."""
    assert vm.run("uname -r").endswith("-page-reporting-small")
    assert backend(vm) == "virtio-balloon"
    wait_drained(vm)
    before, reported = vm.rss_kib(), stat(vm, "reported_kb")
    peak = 0
    for mark in vm.stream(f"touch-free -p any {FREED_MIB}"):
        if mark == "touched":
            peak = vm.rss_kib()
    assert peak - before > FREED_MIB << 9
    wait_until(lambda: peak - vm.rss_kib() > FREED_MIB << 9, "memory at the host")
    assert stat(vm, "reported_kb") - reported > FREED_MIB << 9


def test_configuration_has_every_part(root: Path) -> None:
    """Whoever installs it has all of the library."""
    (config,) = (root / "boot").glob("config-*")
    have = kernels.symbols(config.read_text(encoding="utf-8"))
    for part in ("", "_RETAIN", "_PIECES", "_CONSOLIDATE", "_RESTORE"):
        assert have[f"CONFIG_PAGE_REPORTING{part}"] == "y"


def test_module_of_another_can_be_built(root: Path, tmp_path: Path) -> None:
    """A backend that is no part of the kernel is built against the headers."""
    shutil.copy(EXAMPLE, tmp_path / "example.c")
    (tmp_path / "Kbuild").write_text("obj-m := example.o\n", encoding="utf-8")
    (headers,) = (root / "usr/src").glob("linux-headers-*")
    command = ["make", "-C", str(headers), f"M={tmp_path}", "KCFLAGS=-Werror"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "example.ko").exists()


def test_cloud_flavour_can_be_configured() -> None:
    """Debian's configuration of now takes what is added to it."""
    kernel = deb.flavour("cloud")
    assert kernel.seed
    deb.fetch_cloud_config(kernel.seed)
    kernel.link()
    kernels.configure(kernel)
