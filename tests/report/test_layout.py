# SPDX-License-Identifier: GPL-2.0
"""The page of `make report`, laid out by a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import SCHEMES, lay_out
from lab.report.html import page
from lab.report.model import Chapter
from lab.results import collect
from lab.results.kept import SHELVES


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
