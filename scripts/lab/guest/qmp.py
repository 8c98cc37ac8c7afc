# SPDX-License-Identifier: GPL-2.0
"""A client of QEMU's control protocol (QMP) over a connected socket.

Written by hand: Debian 12 has no package of QEMU's own client, which is asynchronous
besides, and all that is asked for here is one command after the other.
"""

from __future__ import annotations

import json
import socket
import time
from typing import Any

Message = dict[str, Any]


class QmpError(Exception):
    """QEMU refused a command, or did not answer in time."""


class Qmp:
    """Sends commands and keeps the events that arrive in between."""

    def __init__(self, sock: socket.socket, timeout: float = 120) -> None:
        self._sock = sock
        self._timeout = timeout
        self._pending = b""
        self._events: list[Message] = []
        self._receive(time.monotonic() + timeout)  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, arguments: Message | None = None) -> Any:
        """Run one command and return what QEMU answered."""
        request: Message = {"execute": command}
        if arguments is not None:
            request["arguments"] = arguments
        self._sock.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + self._timeout
        while True:
            message = self._receive(deadline)
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            else:
                return message["return"]

    def wait_event(self, name: str, timeout: float = 180, **data: Any) -> Message:
        """Wait for an event of this name whose data contains the given pairs."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._events:
                if _matches(event, name, data):
                    self._events.remove(event)
                    return event
            try:
                message = self._receive(deadline)
            except TimeoutError:
                raise QmpError(
                    f"no event {name} {data or ''} within {timeout:.0f} s"
                ) from None
            self._events.append(message)

    def _receive(self, deadline: float) -> Message:
        while b"\n" not in self._pending:
            self._sock.settimeout(max(deadline - time.monotonic(), 0.001))
            chunk = self._sock.recv(65536)
            if not chunk:
                raise QmpError("QEMU closed its control socket")
            self._pending += chunk
        line, self._pending = self._pending.split(b"\n", 1)
        message: Message = json.loads(line)
        return message


def _matches(event: Message, name: str, data: Message) -> bool:
    have = event.get("data", {})
    return event.get("event") == name and all(
        have.get(key) == value for key, value in data.items()
    )
