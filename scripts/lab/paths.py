# SPDX-License-Identifier: GPL-2.0
"""Where things are in the project and in its build directory."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "logs"

STOCK_TREE = BUILD / "stock-src"
TREE = BUILD / "linux"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep two runs of the same build step from mixing their output."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f".{name}.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another run to end: {name}", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
