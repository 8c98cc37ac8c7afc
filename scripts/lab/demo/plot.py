# SPDX-License-Identifier: GPL-2.0
"""Draws the demo's picture from its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.report.plot import COLOURS, INK
from matplotlib import pyplot  # type: ignore[import]
from matplotlib.ticker import MultipleLocator  # type: ignore[import]

MIB_PER_GIB = 1024
SECONDS_BEFORE = 1.5
QUICK_SECONDS = 5
# The height of a line of text, as a share of the picture.
LINE = 0.07


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw host memory over time, one curve a guest."""
    figure, axes = pyplot.subplots(figsize=(9, 4.4), dpi=150)
    runs, end = report["runs"], report["watched"]
    top = max(run["peak_mib"] for run in runs) / MIB_PER_GIB
    quick = [run for run in runs if is_quick(run)]
    for run in reversed(runs):  # the first run matters most: it goes on top
        draw_run(axes, run, top, end, quick.index(run) if run in quick else 0)
    style(axes, top, end)
    freed = runs[0]["freed_mib"] / MIB_PER_GIB
    axes.set_title(
        f"A guest frees {freed:.3g} GiB: how soon does its host have them back?",
        loc="left", fontsize=12.5, fontweight="bold", color=INK, pad=14,
    )  # fmt: skip
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def is_quick(run: dict[str, Any]) -> bool:
    """Tell whether a curve ends early, so that its label is at its end."""
    return run["almost_back"] is not None and run["almost_back"] < QUICK_SECONDS


def draw_run(
    axes: Any, run: dict[str, Any], top: float, end: float, line: int
) -> None:
    """Draw one curve with its label next to it, some lines above the bottom."""
    colour = COLOURS[run["name"]]
    times = [at for at, _ in run["samples"]]
    levels = [mib / MIB_PER_GIB for _, mib in run["samples"]]
    axes.plot(times, levels, color=colour, linewidth=2.2, solid_capstyle="round")
    at, level, text = label(run, top, end)
    level += line * LINE * top
    axes.text(at, level, text, color=colour, fontsize=10.5, fontweight="bold")
    if run["almost_back"] is not None:
        index = times.index(run["almost_back"])
        axes.plot([times[index]], [levels[index]], "o", color=colour, markersize=6)


def label(run: dict[str, Any], top: float, end: float) -> tuple[float, float, str]:
    """Return where the label of a curve goes, and its text."""
    if run["almost_back"] is None:
        return 0.6 * end, run["samples"][-1][1] / MIB_PER_GIB + 0.03 * top, run["label"]
    text = f"{run['label']}: 95 % back after {run['almost_back']:.1f} s"
    level = run["peak_mib"] - 0.95 * run["freed_mib"]
    half = run["half_back"]
    if is_quick(run):
        return run["almost_back"] + 0.3, level / MIB_PER_GIB + 0.03 * top, text
    middle = (run["peak_mib"] - 0.5 * run["freed_mib"]) / MIB_PER_GIB
    return half + 0.4, middle, text


def style(axes: Any, top: float, end: float) -> None:
    """Set the axes: a light grid, no frame."""
    axes.set_xlim(-SECONDS_BEFORE, end)
    axes.set_ylim(0, top * 1.12)
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.text(0.15, top * 1.06, "freed", fontsize=9, color=INK)
    axes.set_xlabel("seconds since the program began to free", color=INK)
    axes.set_ylabel("host memory of the guest (GiB)", color=INK)
    axes.xaxis.set_major_locator(MultipleLocator(5))
    axes.grid(color="#e3e6ea", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
