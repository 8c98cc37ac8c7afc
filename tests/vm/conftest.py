# SPDX-License-Identifier: GPL-2.0
"""Guests for the VM tests.

Whatever a test looks at, its guest's kernel must not have complained: that is
checked at the end of every guest.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from lab.guest import accel, arm64
from lab.guest.vm import Vm, kernel_image
from lab.kernel import kernels
from lab.testing.side_by_side import begin_with, keep_together, own_name
from reporting import retain_nothing, wait_drained

Boot = Callable[..., AbstractContextManager[Vm]]
Kernel = Callable[[str], Path]

# What tests of a module share.  The first one needs a kernel that is still to be
# built, in which the suites run for minutes.
SHARED = ("debug_vm", "hostile", "busy", "vm", "pool", "kinds")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say who may not run side by side."""
    keep_together(item, SHARED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    begin_with(items, SHARED)


def build(kernel: kernels.Kernel) -> None:
    """Build a kernel, and what another machine needs beside it."""
    if kernel.arch == arm64.ARCH:
        arm64.prepare(kernel)
    else:
        kernels.build(kernel)


@pytest.fixture(scope="session")
def kernel_named(request: pytest.FixtureRequest) -> Kernel:
    """Return a function that finds a kernel, and builds it when first asked for.

    A run of a few tests builds only what they boot.  The programs and modules of
    every guest need build/ours, which is there before.
    """
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    ready = {"ours"}

    def find(name: str) -> Path:
        if name not in ready:
            # a build takes minutes, and shows how far it is; of what a process of
            # several says, only this arrives
            with capture.global_and_fixture_disabled(), redirect_stdout(sys.stderr):
                print()
                build(kernels.KERNELS[name])
            ready.add(name)
        return kernels.KERNELS[name].image

    return find


@pytest.fixture(scope="session")
def accelerator() -> str:
    """Return what runs the guests: kvm or tcg."""
    return accel.choose(kernel_image("ours"))


@pytest.fixture(scope="session")
def boot(accelerator: str, kernel_named: Kernel) -> Boot:
    """Return a function that boots a guest: boot(NAME, kernel=..., ...)."""

    @contextmanager
    def booted(name: str, kernel: str = "ours", **options: Any) -> Iterator[Vm]:
        options = {"accel": accelerator, **options}
        own = own_name(f"test-{name}")
        another = kernels.KERNELS[kernel].arch == arm64.ARCH
        machine = arm64.Arm64Vm if another else Vm
        with machine(kernel_named(kernel), name=own, **options) as vm:
            yield vm
            trouble = "\n".join(vm.trouble())
        assert not trouble, f"the kernel of guest {name} complained:\n{trouble}"

    return booted


@pytest.fixture(scope="module")
def vm(boot: Boot, request: pytest.FixtureRequest) -> Iterator[Vm]:
    """Return a guest that a module's tests share; it retains nothing."""
    name = request.module.__name__.removeprefix("test_")
    with boot(name) as guest:
        retain_nothing(guest)
        wait_drained(guest)
        yield guest
