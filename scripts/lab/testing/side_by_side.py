# SPDX-License-Identifier: GPL-2.0
"""Tests that boot guests run side by side, in processes of pytest-xdist.

A process that has nothing to do gets the next test; what shares a guest, or must
not meet, has one process.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest


def own_name(name: str) -> str:
    """Return a name for a guest that no other process of this run has."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    return f"{name}-{worker}" if worker else name


def rank(item: pytest.Item, shared: Sequence[str]) -> int:
    """Return the place among @shared of the first fixture that a test uses."""
    used = getattr(item, "fixturenames", ())
    return next((i for i, name in enumerate(shared) if name in used), len(shared))


def keep_together(item: pytest.Item, shared: Sequence[str]) -> None:
    """Have one process run all tests of a module that share something."""
    if rank(item, shared) < len(shared):
        module = item.nodeid.split("::", maxsplit=1)[0]
        item.add_marker(pytest.mark.xdist_group(module))


def begin_with(items: list[pytest.Item], shared: Sequence[str]) -> None:
    """Put what shares something first, in the order of @shared."""
    items.sort(key=lambda item: rank(item, shared))
