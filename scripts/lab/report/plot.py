# SPDX-License-Identifier: GPL-2.0
"""What the pictures of the report and of the demo have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib  # type: ignore[import]
from matplotlib import pyplot

matplotlib.use("Agg")

COLOURS = {
    "ours": "#0b6e4f",
    "stock": "#c8553d",
    "stock100": "#e0a458",
    "none": "#7a7f87",
}
INK = "#2b2f36"
SHADES = {
    **COLOURS,
    "stock250": COLOURS["stock100"],
    "off": "#5b8db8",
    "nopr": COLOURS["none"],
    "fine": COLOURS["ours"],
    "eager": "#7fb77e",
}


def style(axes: Any, title: str) -> None:
    """Set the axes: a light grid, no frame."""
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK, labelsize=8)
    for spine in axes.spines.values():
        spine.set_visible(False)


def legend(axes: Any, columns: int) -> None:
    """Explain the colours below the axes, where no data can be."""
    depth = 0.2 if axes.get_xlabel() else 0.1
    axes.legend(
        frameon=False, fontsize=8, ncol=columns, loc="upper left",
        bbox_to_anchor=(0, -depth), borderaxespad=0,
    )  # fmt: skip


def panels(number: int) -> tuple[Any, Any]:
    """Return a figure with so many pictures side by side."""
    figure, grid = pyplot.subplots(
        1, number, figsize=(max(4.6 * number, 7.5), 3.9), dpi=130, squeeze=False
    )
    return figure, grid[0]


def save(figure: Any, path: Path) -> Path:
    """Write a figure and let go of it."""
    figure.tight_layout()
    figure.savefig(path, bbox_inches="tight")
    pyplot.close(figure)
    return path
