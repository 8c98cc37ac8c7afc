# SPDX-License-Identifier: GPL-2.0
"""Where things are in the project and in its build directory.

Each kernel that the project supports has a build directory of its own; the one that
is built by default has build/, another one build/VERSION.
"""

import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

# The kernels, by the versions that Debian's packages of their source have in their
# names; the first is the default.
SOURCES = ("6.12", "7.3")


def chosen(name: str, value: str, versions: Sequence[str]) -> str:
    """Return the version that the user chose, or end with a message."""
    if value and value not in versions:
        sys.exit(f"{name}={value}: allowed are {' and '.join(versions)}")
    return value or versions[0]


ROOT = Path(__file__).resolve().parents[3]
SOURCE = chosen("KERNEL_SOURCE", os.environ.get("KERNEL_SOURCE", ""), SOURCES)
TOP = ROOT / "build"
BUILD = TOP if SOURCE == SOURCES[0] else TOP / SOURCE
LOGS = BUILD / "logs"
REPORT = BUILD / "report"
# All kernels share it.
CCACHE = TOP / "ccache"

STOCK_TREE = BUILD / "stock-src"
TREE = BUILD / "linux"


def shown(path: Path) -> str:
    """Name a file of the project for the user."""
    return str(path.relative_to(ROOT))


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Keep two runs of the same build step from mixing their output."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / f".{name}.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another run to end: {name}", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
