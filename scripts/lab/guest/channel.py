# SPDX-License-Identifier: GPL-2.0
"""Runs commands in a guest over its second serial port.

The guest's end is tests/guest/serve: a command is one line, the answer is
"|text" for each line of output and then "=status".
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass


class ChannelError(Exception):
    """The guest did not answer in time, or its end of the channel is gone."""


@dataclass(frozen=True)
class Result:
    """What a command printed (both streams) and its exit status."""

    status: int
    output: str


class Channel:
    """The host's end of the command channel."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pending = b""

    def wait_ready(self, timeout: float) -> None:
        """Wait for the guest's announcement that it takes commands."""
        line = self._line(time.monotonic() + timeout)
        if line != "=ready":
            raise ChannelError(f"the guest announced itself with {line!r}")

    def send(self, command: str) -> None:
        """Run a command of which no answer is expected."""
        if "\n" in command:
            raise ValueError(f"a command is one line, not {command!r}")
        self._sock.sendall(command.encode() + b"\n")

    def stream(self, command: str, timeout: float) -> Iterator[str]:
        """Run a command, yield its lines as they come, return its status last.

        The last item is "=STATUS"; every other one is a line of output with a
        "|" in front.
        """
        self.send(command)
        deadline = time.monotonic() + timeout
        while True:
            line = self._line(deadline)
            yield line
            if line.startswith("="):
                return

    def run(self, command: str, timeout: float) -> Result:
        """Run a command to its end."""
        *output, status = self.stream(command, timeout)
        return Result(int(status[1:]), "\n".join(line[1:] for line in output))

    def _line(self, deadline: float) -> str:
        while b"\n" not in self._pending:
            self._sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                chunk = self._sock.recv(65536)
            except TimeoutError:
                raise ChannelError("the guest did not answer in time") from None
            if not chunk:
                raise ChannelError("the guest has ended")
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode(errors="replace")
