# SPDX-License-Identifier: GPL-2.0
"""Wait for a state, which may be long in coming on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable


class WaitError(Exception):
    """Something did not come in time; the message says what."""


def wait_for(
    condition: Callable[[], bool], seconds: float, interval: float = 0.05
) -> bool:
    """Wait until something is so; tell whether it came to that in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def wait_until(
    condition: Callable[[], bool], what: str, seconds: float, interval: float = 0.1
) -> None:
    """Wait until something is so; fail with what was waited for."""
    if not wait_for(condition, seconds, interval):
        raise WaitError(f"after {seconds:.0f} s still not: {what}")
