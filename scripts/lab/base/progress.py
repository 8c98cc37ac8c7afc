# SPDX-License-Identifier: GPL-2.0
"""A progress line: in place on a terminal, now and then in a log.

Written by hand: it is short, and what packages for this are good at, to say how much
is left, nobody knows of a build.
"""

import shutil
import sys
import time

TERMINAL_INTERVAL = 0.2
LOG_INTERVAL = 10.0


class Progress:
    """Counts steps and shows how far a long job has come."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.steps = 0
        self.start = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self.interval = TERMINAL_INTERVAL if self.terminal else LOG_INTERVAL
        self.shown = self.start

    def step(self, what: str) -> None:
        """Count one step and show it if the last line is old enough."""
        self.steps += 1
        now = time.monotonic()
        if now - self.shown >= self.interval:
            self.shown = now
            self._show(what, "" if self.terminal else "\n")

    def done(self) -> None:
        """Show the final count on a line of its own."""
        self._show("done", "\n")

    def _show(self, what: str, end: str) -> None:
        elapsed = int(time.monotonic() - self.start)
        clock = f"{elapsed // 60}:{elapsed % 60:02}"
        text = f"{self.title}: {clock}, {self.steps} steps, {what}"
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            text = f"\r\033[K{text[:width]}"
        print(text, end=end, flush=True)
