# SPDX-License-Identifier: GPL-2.0
"""The page of `make report`, laid out by a browser."""

from __future__ import annotations

import json
import re
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest
from lab.report.html import page
from lab.report.model import Chapter
from lab.results import collect
from lab.results.kept import SHELVES

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
    done = subprocess.run(
        [
            *BROWSER,
            f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
            f"--user-data-dir={folder / 'profile'}",
            outer.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    found = re.search(r'<pre id="result">(.*)</pre>', done.stdout)
    assert found, done.stderr
    layouts: list[Layout] = json.loads(unescape(found[1]))
    assert [layout["width"] for layout in layouts] == list(WIDTHS)
    assert all(layout["dark"] is (scheme == "dark") for layout in layouts)
    return layouts


@pytest.mark.parametrize("scheme", SCHEMES)
def test_everything_can_be_read(tmp_path: Path, scheme: str) -> None:
    """The page with all kept results, its folded parts open, by day and by night."""
    chapters: list[Chapter] = []
    for shelf in SHELVES.values():
        kept, demo = collect.load_kept(shelf), shelf.folder / collect.DEMO
        chapters += collect.with_upstream(shelf, kept, demo)
    assert len(chapters) >= len(collect.load_kept()) > 0
    for layout in lay_out(page(chapters), tmp_path, scheme):
        assert layout["seen"] > 100
        assert not layout["found"], f"at a width of {layout['width']}"


def test_what_sticks_out_is_found(tmp_path: Path) -> None:
    """A word that is too long for its box, and a box for its parent."""
    long = f'<b style="display:block;width:2em">{"m" * 20}</b>'
    wide = '<div style="width:2000px">wide</div>'
    for layout in lay_out(f"<body><p>fine</p>{long}{wide}</body>", tmp_path):
        first, second = layout["found"]
        assert first.startswith("B ") and first.endswith("too narrow for its content")
        assert second.startswith("DIV ") and second.endswith("out of its parent")


def test_what_is_covered_is_found(tmp_path: Path) -> None:
    """A paragraph that was moved over another one."""
    moved = '<p style="position:relative;top:-2.5em">over it</p>'
    for layout in lay_out(f"<body><p>under it</p>{moved}</body>", tmp_path):
        (fault,) = layout["found"]
        assert fault == 'P "under it" and P "over it" cover each other'


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_cannot_be_read_is_found(tmp_path: Path, scheme: str) -> None:
    """Grey on grey, where the user prefers that page to be dark or light."""
    style = (
        "body { background: #fff; color: #000; }"
        f"@media (prefers-color-scheme: {scheme}) {{ p {{ color: #777; }}"
        " body { background: #666; } }"
    )
    html = f"<style>{style}</style><body><p>faint</p></body>"
    for layout in lay_out(html, tmp_path, scheme):
        (fault,) = layout["found"]
        assert fault.startswith('P "faint" has a contrast of 1.')
    other = "light" if scheme == "dark" else "dark"
    for layout in lay_out(html, tmp_path / "other", other):
        assert not layout["found"]
