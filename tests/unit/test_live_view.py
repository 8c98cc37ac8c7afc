# SPDX-License-Identifier: GPL-2.0
"""The live view of the demo serves what happens, and nothing else."""

from __future__ import annotations

import ipaddress
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from lab.demo import live


@pytest.fixture(name="view")
def fixture_view() -> Iterator[live.Live]:
    """Return a view on a port of its own."""
    view = live.Live(0)
    yield view
    view.close()


def fetch(view: live.Live, name: str) -> str:
    """Return what the server sends."""
    with urllib.request.urlopen(view.url + name, timeout=60) as answer:
        text: str = answer.read().decode()
    return text


def state(view: live.Live) -> list[dict[str, Any]]:
    """Return what the page would show."""
    guests: list[dict[str, Any]] = json.loads(fetch(view, "state.json"))["guests"]
    return guests


def test_state_follows_the_run(view: live.Live) -> None:
    """One guest after the other, in MiB, and not more samples than can be seen."""
    assert not state(view)
    view.begin("ours", "this library", 512)
    for tick in range(20):
        view.sample(7 + tick / 50, 2048)
    (guest,) = state(view)
    assert guest["samples"] == [[7, 2], [7.1, 2], [7.2, 2], [7.3, 2]]
    assert guest["freed"] is None and not guest["says"]
    view.freed(7.25)
    view.says({"waiting": 4096})
    view.begin("none", "no reporting", 512)
    first, second = state(view)
    assert first["freed"] == 7.25 and first["says"] == {"waiting": 4}
    assert second["label"] == "no reporting" and not second["samples"]


def test_only_this_machine_and_only_the_demo(view: live.Live) -> None:
    """It listens on the loopback address, and has two things to send."""
    assert ipaddress.ip_address(live.ADDRESS).is_loopback
    assert view.url.startswith(f"http://{live.ADDRESS}:")
    assert "<script>" in fetch(view, "")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(view, "../etc/passwd")


@pytest.mark.parametrize("text", ["nonsense", "0", "80", "65536", "-1"])
def test_bad_port_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """With what is allowed."""
    monkeypatch.setenv("LIVE", text)
    with pytest.raises(SystemExit, match=f"LIVE={text}: give 1 for any port, or one"):
        live.wanted()


def test_port_in_use_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason."""
    with socket.create_server((live.ADDRESS, 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setenv("LIVE", str(port))
        with pytest.raises(SystemExit, match=f"LIVE={port}: Address already in use"):
            live.wanted()


def test_nobody_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without LIVE there is no server."""
    monkeypatch.delenv("LIVE", raising=False)
    assert live.wanted() is None
