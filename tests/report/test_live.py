# SPDX-License-Identifier: GPL-2.0
"""The live view of the demo, in a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser import SCHEMES, browse, lay_out
from lab.demo.live import Live, page
from lab.guest.variants import DEMO

FULL_MIB = 4096
# What the page has asked for and drawn by then, in its own time.
SOME_POLLS = "--virtual-time-budget=2000"


def run_of(view: Live, name: str, label: str, left_mib: int) -> None:
    """Have a guest take memory and free it: after 10 s the host has so much of it."""
    view.begin(name, label, FULL_MIB)
    for tick in range(60):
        mib = min(100 * tick, 3300) if tick < 50 else left_mib
        view.sample(100 + tick / 5, mib << 10)
    view.freed(110)


def shown(view: Live, folder: Path) -> str:
    """Return the page as a browser shows it, without its script."""
    done = browse(view.url, folder, SOME_POLLS)
    assert "</html>" in done.stdout, done.stderr
    return re.sub(r"<script>.*?</script>", "", done.stdout, flags=re.DOTALL)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_guests_are_drawn(tmp_path: Path, scheme: str) -> None:
    """A curve and a card each, which can be read on a desktop and a telephone."""
    view = Live(0)
    for variant in DEMO:
        run_of(view, variant.name, variant.label, len(variant.name))
    view.says({"waiting": 12 << 10, "reported so far": 3000 << 10})
    html = shown(view, tmp_path)
    view.close()
    assert html.count("<polyline") == len(DEMO)
    for variant in DEMO:
        assert f"</i> {variant.label} <b>{len(variant.name)} MiB</b>" in html
    assert "waiting 12 MiB, reported so far 3000 MiB" in html
    assert "1.8 s after it began to free" in html
    for layout in lay_out(html, tmp_path, scheme):
        assert layout["seen"] > 10
        assert not layout["found"], f"at a width of {layout['width']}"


def test_before_and_after(tmp_path: Path) -> None:
    """It says so while there is nothing to see, and while memory is taken."""
    view = Live(0)
    assert "Waiting for the first guest." in shown(view, tmp_path)
    view.begin("ours", "this library", FULL_MIB)
    view.sample(100, 7 << 10)
    html = shown(view, tmp_path)
    view.close()
    assert "Running." in html and "takes memory" in html and "7 MiB" in html


def test_when_the_demo_has_ended(tmp_path: Path) -> None:
    """What cannot be asked any more does not look as if it went on."""
    alone = tmp_path / "page.html"
    alone.write_text(page(), encoding="utf-8")
    done = browse(alone.as_uri(), tmp_path, SOME_POLLS)
    assert "The demo has ended." in done.stdout
