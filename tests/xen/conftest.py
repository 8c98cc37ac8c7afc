# SPDX-License-Identifier: GPL-2.0
"""Xen for the tests: a machine for each process, and domains that come and go.

Whatever a test looks at, neither the kernel of its domain nor that of dom0 nor
Xen itself must have complained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from lab.testing.side_by_side import begin_with, keep_together, own_name
from lab.xen.host import KINDS, Domain, XenHost

Start = Callable[..., AbstractContextManager[Domain]]

# Small, so that a domain soon has all that another one gave away.
MEMORY = "1G"
DOM0_MIB = 448

EMULATOR = "emulation of a processor failed"

# The domain that tests of a module share.
SHARED = ("pvh",)


def pytest_configure(config: pytest.Config) -> None:
    """Have a test run again when the emulator failed."""
    config.option.reruns = 1
    config.option.only_rerun = [EMULATOR]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say who may not run side by side."""
    keep_together(item, SHARED)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long."""
    begin_with(items, SHARED)


@pytest.hookimpl(hookwrapper=True)  # type: ignore[misc]
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Mark a failure that is the emulator's."""
    outcome: Any = yield
    report = outcome.get_result()
    host = getattr(item, "funcargs", {}).get("xen")
    if report.failed and host and host.emulation_failed():
        report.longrepr.reprcrash.message += f"\n{EMULATOR}"


@pytest.fixture(scope="session")
def xen() -> Iterator[XenHost]:
    """Return the machine that all tests of a process share."""
    name = own_name("test-xen")
    with XenHost(name=name, memory=MEMORY, dom0_mib=DOM0_MIB) as host:
        yield host
        trouble = "\n".join(host.trouble())
    assert not trouble, f"dom0 or Xen complained:\n{trouble}"


@pytest.fixture(scope="session")
def start(xen: XenHost) -> Start:
    """Return a function that starts a domain: start(NAME, KIND, ...)."""

    @contextmanager
    def started(name: str, kind: str, **options: Any) -> Iterator[Domain]:
        domain = xen.domain(name, kind, **options)
        try:
            yield domain
            trouble = "\n".join(domain.trouble())
        finally:
            domain.destroy()
        assert not trouble, f"the kernel of domain {name} complained:\n{trouble}"

    return started


@pytest.fixture(params=KINDS)
def domain(start: Start, request: pytest.FixtureRequest) -> Iterator[Domain]:
    """Return a domain of each kind, with reporting switched off."""
    with start("one", request.param) as found:
        yield found
