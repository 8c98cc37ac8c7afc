# SPDX-License-Identifier: GPL-2.0
"""A page that follows the demo in a browser of this machine, while it runs.

It is served on the loopback address only, and everything in it is about the demo.
The page is loaded once and asks for the state again and again; live.js draws it.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lab.base import version
from lab.report.html import STYLE
from lab.report.plot import COLOURS

SCRIPT = Path(__file__).with_name("live.js")
ADDRESS = "127.0.0.1"
ANY_PORT, LEAST_PORT, LAST_PORT = 1, 1024, 65535
# More points than the picture has pixels are of no use.
STEP_SECONDS = 0.1
KIB_PER_MIB = 1024

# The picture, and what is said of each guest, on cards of the report's page.
LIVE_STYLE = """
svg { width: 100%; height: auto; display: block; margin: .7rem 0; }
svg line { stroke: var(--line); } svg polyline { fill: none; stroke-width: 2.5; }
svg text { fill: var(--soft); font: 13px system-ui, sans-serif; }
#guests { display: grid; gap: 0 1.1rem;
  grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
@media (prefers-color-scheme: dark) {
  svg polyline, .guest i { filter: brightness(1.6); } }
.guest b { font-size: 1.45rem; font-variant-numeric: tabular-nums; }
.guest i { display: inline-block; width: .9rem; height: .9rem; border-radius: .2rem; }
.guest p { margin: .2rem 0; color: var(--soft); }
"""


@dataclass
class Guest:
    """What the page knows of a guest; times are those of time.monotonic()."""

    label: str
    colour: str
    full_mib: int
    samples: list[tuple[float, int]] = field(default_factory=list)  # time, MiB
    freed: float | None = None
    # what the guest itself says, in MiB by name
    says: dict[str, int] = field(default_factory=dict)


class Live:
    """The state of a run, and the server that shows it."""

    def __init__(self, port: int) -> None:
        self._lock = threading.Lock()
        self._guests: list[Guest] = []
        self._server = ThreadingHTTPServer((ADDRESS, port), partial(Handler, self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{ADDRESS}:{self._server.server_address[1]}/"

    def close(self) -> None:
        """Serve nothing any more: the page shows what it has, and says so."""
        self._server.shutdown()
        self._server.server_close()

    def begin(self, name: str, label: str, full_mib: int) -> None:
        """Go on to another guest."""
        with self._lock:
            self._guests.append(Guest(label, COLOURS[name], full_mib))

    def sample(self, at: float, kib: int) -> None:
        """Note what the host has given to the guest."""
        with self._lock:
            samples = self._guests[-1].samples
            if not samples or at >= samples[-1][0] + STEP_SECONDS:
                samples.append((round(at, 2), kib // KIB_PER_MIB))

    def freed(self, at: float) -> None:
        """Note when the guest began to free its memory."""
        with self._lock:
            self._guests[-1].freed = at

    def says(self, values: dict[str, int]) -> None:
        """Note what the guest says of its memory, in KiB by name."""
        with self._lock:
            self._guests[-1].says = {
                name: kib // KIB_PER_MIB for name, kib in values.items()
            }

    def state(self) -> str:
        """Return all of it, as JSON."""
        with self._lock:
            return json.dumps({"guests": [asdict(guest) for guest in self._guests]})


class Handler(BaseHTTPRequestHandler):
    """Answers the browser."""

    def __init__(self, live: Live, *arguments: Any) -> None:
        self._state = live.state
        super().__init__(*arguments)

    def do_GET(self) -> None:  # pylint: disable=invalid-name
        """Send the page or the state."""
        if self.path == "/":
            self._send("text/html", page())
        elif self.path == "/state.json":
            self._send("application/json", self._state())
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # pylint: disable=arguments-differ
        """Say nothing: the terminal shows the demo."""


def page() -> str:
    """Return the page, which is empty until it has asked for the state."""
    script = SCRIPT.read_text(encoding="utf-8")
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>Free page reporting, live</title><style>{STYLE}{LIVE_STYLE}",
            "</style></head><body><header><h1>A guest frees its memory</h1>",
            '<p class="lead">How soon does its host have it back? MiB that the host'
            " has given to each guest, and seconds since it began to free.</p>",
            '</header><main><section><p id="status">Waiting for the first guest.</p>'
            '<svg id="chart" viewBox="0 0 900 330" role="img"></svg>'
            '</section><div id="guests"></div></main>',
            f"<footer>Version {version.described()}</footer>",
            f"<script>{script}</script></body></html>",
        ]
    )


def wanted() -> Live | None:
    """Return the view that LIVE in the environment asks for, and say where it is."""
    text = os.environ.get("LIVE")
    if not text:
        return None
    port = int(text) if text.isdigit() else 0
    if port != ANY_PORT and not LEAST_PORT <= port <= LAST_PORT:
        raise SystemExit(
            f"LIVE={text}: give {ANY_PORT} for any port,"
            f" or one from {LEAST_PORT} to {LAST_PORT}"
        )
    try:
        view = Live(0 if port == ANY_PORT else port)
    except OSError as error:
        raise SystemExit(f"LIVE={text}: {error.strerror}") from None
    print(f"Live view: {view.url}", flush=True)
    return view
