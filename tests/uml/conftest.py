# SPDX-License-Identifier: GPL-2.0
"""Guests on User Mode Linux, with the kernel in which `make kunit` runs the suites.

It has lock and memory checks.  Whatever a test looks at, its guest's kernel must not
have complained: that is checked at the end of every guest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from lab.base import paths
from lab.guest import image
from lab.guest.uml import Uml
from lab.kernel import kunit

Boot = Callable[..., AbstractContextManager[Uml]]

# The suites are for `make kunit`.
NO_SUITES = "kunit.enable=0"


@pytest.fixture(scope="session", name="kernel")
def fixture_kernel(request: pytest.FixtureRequest) -> Path:
    """Return the kernel, which is built if it is not there."""
    capture: Any = request.config.pluginmanager.getplugin("capturemanager")
    # a build takes minutes, and shows how far it is
    with capture.global_and_fixture_disabled(), paths.locked("kunit"):
        paths.LOGS.mkdir(parents=True, exist_ok=True)
        assert kunit.build_suites() == 0
    image.build_uml_image()
    return kunit.UML.image


@pytest.fixture(scope="session", name="boot")
def fixture_boot(kernel: Path) -> Boot:
    """Return a function that boots a guest: boot(NAME, "on", ...)."""

    @contextmanager
    def booted(
        name: str, reporting: str, append: str = "", **options: Any
    ) -> Iterator[Uml]:
        switch = f"uml_page_reporting={reporting}"
        line = f"{NO_SUITES} {switch} {append}"
        with Uml(kernel, name=f"test-uml-{name}", append=line, **options) as guest:
            yield guest
            trouble = "\n".join(guest.trouble())
        assert not trouble, f"the kernel of guest {name} complained:\n{trouble}"

    return booted
