# SPDX-License-Identifier: GPL-2.0
"""Guests for the VM tests.

Whatever a test looks at, its guest's kernel must not have complained: that is
checked at the end of every guest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from lab import accel
from lab.vm import Vm, kernel_image
from reporting import hold_nothing_back, wait_drained

Boot = Callable[..., AbstractContextManager[Vm]]


@pytest.fixture(scope="session")
def accelerator() -> str:
    """Return what runs the guests: kvm or tcg."""
    return accel.choose(kernel_image("ours"))


@pytest.fixture(scope="session")
def boot(accelerator: str) -> Boot:
    """Return a function that boots a guest: boot(NAME, kernel=..., ...)."""

    @contextmanager
    def booted(name: str, kernel: str = "ours", **options: Any) -> Iterator[Vm]:
        options = {"accel": accelerator, **options}
        with Vm(kernel_image(kernel), name=f"test-{name}", **options) as vm:
            yield vm
            trouble = "\n".join(vm.trouble())
        assert not trouble, f"the kernel of guest {name} complained:\n{trouble}"

    return booted


@pytest.fixture(scope="module")
def vm(boot: Boot, request: pytest.FixtureRequest) -> Iterator[Vm]:
    """Return a guest that a module's tests share; it holds nothing back."""
    name = request.module.__name__.removeprefix("test_")
    with boot(name) as guest:
        hold_nothing_back(guest)
        wait_drained(guest)
        yield guest
