# SPDX-License-Identifier: GPL-2.0
"""Samples how much host memory a process has: its resident set, or a part."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

KIB_PER_PAGE = os.sysconf("SC_PAGE_SIZE") // 1024

Sample = tuple[float, int]  # time.monotonic(), KiB


def rss_kib(pid: int) -> int:
    """Return the resident set of a process in KiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * KIB_PER_PAGE


def mappings(pid: int) -> list[dict[str, int]]:
    """Return what smaps says of each mapping of a process, in KiB."""
    text = Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8")
    return [
        {name: int(kib) for name, kib in re.findall(r"(\w+): +(\d+) kB", mapping)}
        for mapping in re.split(r"^(?=Size:)", text, flags=re.MULTILINE)[1:]
    ]


def guest_memory(pid: int) -> dict[str, int]:
    """Return what smaps says of the largest mapping, the memory of a guest, in KiB.

    What an emulator needs for itself is not in it, such as translated code.
    """
    return max(mappings(pid), key=lambda mapping: mapping["Size"])


def guest_memory_kib(pid: int) -> int:
    """Return how much memory the host has given to a guest."""
    return guest_memory(pid)["Rss"]


def sum_of_rises(samples: list[Sample]) -> int:
    """Return the KiB that the host had to give, ignoring what came back."""
    return sum(max(b[1] - a[1], 0) for a, b in pairwise(samples))


class RssSampler(threading.Thread):
    """Collects (time, KiB) of one process until it is stopped.

    A function that is given sees every sample as it is taken.
    """

    def __init__(
        self,
        pid: int,
        observe: Callable[[float, int], None] | None = None,
        interval: float = 0.02,
        read: Callable[[int], int] = rss_kib,
    ) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._observe = observe
        self._interval = interval
        self._read = read
        self._stop_asked = threading.Event()
        self.samples: list[Sample] = []

    def run(self) -> None:
        while not self._stop_asked.wait(self._interval):
            try:
                sample = time.monotonic(), self._read(self._pid)
            except (FileNotFoundError, ProcessLookupError):
                return
            self.samples.append(sample)
            if self._observe is not None:
                self._observe(*sample)

    def stop(self) -> list[Sample]:
        """End the sampling and return everything collected."""
        self._stop_asked.set()
        self.join()
        return self.samples
