# SPDX-License-Identifier: GPL-2.0
"""Pages in a real browser: how they are laid out, and what their scripts make."""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

# A desktop and a telephone.
WIDTHS = (1280, 360)
SCRIPT = Path(__file__).with_name("layout.js")
# In no sandbox, since the browser refuses to make one as root; it sees one file.
BROWSER = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--window-size=1400,1000", "--dump-dom",
)  # fmt: skip
# What the user prefers, by the numbers that the browser has for it.
SCHEMES = {"dark": 0, "light": 1}
# Against hanging for ever.
PATIENCE_SECONDS = 300

Layout = dict[str, Any]


def browse(
    address: str, folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Have the browser load a page, and print it as it is then."""
    return subprocess.run(
        [*BROWSER, f"--user-data-dir={folder / 'profile'}", *options, address],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def lay_out(html: str, folder: Path, scheme: str = "light") -> list[Layout]:
    """Return what is wrong with a page, at each width."""
    frames = "".join(
        f'<iframe width="{width}" height="900" srcdoc="{escape(html)}"></iframe>'
        for width in WIDTHS
    )
    folder.mkdir(exist_ok=True)
    outer = folder / "outer.html"
    script = SCRIPT.read_text(encoding="utf-8")
    outer.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><script>{script}</script>{frames}',
        encoding="utf-8",
    )
    scheme_option = f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}"
    done = browse(outer.as_uri(), folder, scheme_option)
    found = re.search(r'<pre id="result">(.*)</pre>', done.stdout)
    assert found, done.stderr
    layouts: list[Layout] = json.loads(unescape(found[1]))
    assert [layout["width"] for layout in layouts] == list(WIDTHS)
    assert all(layout["dark"] is (scheme == "dark") for layout in layouts)
    return layouts
