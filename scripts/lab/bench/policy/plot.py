# SPDX-License-Identifier: GPL-2.0
"""Draws the pictures of the policy benchmark from its results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.bench.runner import Results
from lab.guest.variants import measured
from lab.report.plot import SHADES, legend, save, style
from matplotlib import pyplot  # type: ignore[import]

COLUMNS = 3
PANELS = (
    ("return-", "seconds_95", "{} MiB", "seconds until 95 % is back"),
    ("churn-", "learned_percent", "{} s", "churned memory given again (%)"),
    ("churn-", "mean_ms", "{} s", "an allocation of the churn (ms)"),
    ("many", "seconds", "six guests", "seconds until near idle"),
    ("mixed", "seconds_95", "beside churn", "seconds until 95 % is back"),
    ("pieces", "redundancy", "small pieces", "reported / freed"),
    ("flush-", "seconds_95", "{} MiB", "asked for: seconds until 95 % is back"),
)


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Draw every picture for which there are results."""
    pictures = {"": draw_bars, "-age": draw_ages}
    written = []
    for suffix, picture in pictures.items():
        figure = picture(results)
        if figure is None:
            continue
        written.append(save(figure, folder / f"{name}{suffix}.png"))
    return written


def draw_bars(results: Results) -> Any:
    """Compare the kernels: time until memory is back, cost of churn, the rest."""
    chosen = [
        panel for panel in PANELS if any(key.startswith(panel[0]) for key in results)
    ]
    if not chosen:
        return None
    rows = -(-len(chosen) // COLUMNS)
    figure, grid = pyplot.subplots(
        rows, COLUMNS, figsize=(13, 3.5 * rows), dpi=130, squeeze=False
    )
    for axes, (prefix, value, label, title) in zip(grid.flat, chosen):
        bars(axes, results, prefix, value, label)
        style(axes, title)
    for axes in grid.flat[len(chosen):]:
        axes.remove()
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0),
                  ncol=len(labels), frameon=False)
    return figure


def bars(axes: Any, results: Results, prefix: str, value: str, label: str) -> None:
    """Draw a group of bars for each step of a benchmark."""
    names = [key.split("/")[0] for key in results if key.startswith(prefix)]
    groups = list(dict.fromkeys(names))
    variants = measured(results)
    width = 0.8 / len(variants)
    for place, each in enumerate(variants):
        variant = each.name
        heights = [results.get(f"{name}/{variant}", {}).get(value) for name in groups]
        shift = (place - (len(variants) - 1) / 2) * width
        spots = [group + shift for group in range(len(groups))]
        axes.bar(spots, [height or 0 for height in heights], width,
                 color=SHADES[variant], label=each.label)
        for spot, height, name in zip(spots, heights, groups):
            # a result without a number is that of memory which never came back
            missing = f"{name}/{variant}" in results and height is None
            text = "never" if missing else f"{height:g}" if height is not None else ""
            axes.text(spot, height or 0, text, ha="center", va="bottom", fontsize=7,
                      rotation=90 if missing else 0, color=SHADES[variant])
    texts = [label.format(name.removeprefix(prefix)) for name in groups]
    axes.set_xticks(range(len(groups)), texts)


def draw_ages(results: Results) -> Any:
    """Show what is retained and what waits, over time."""
    runs = {key: run for key, run in results.items() if key.startswith("age-")}
    if not runs:
        return None
    figure, grid = pyplot.subplots(
        2, len(runs), figsize=(4.4 * len(runs), 6), dpi=130, sharex="col",
        squeeze=False,
    )  # fmt: skip
    for (key, run), (top, bottom) in zip(runs.items(), grid.T):
        times, ages, pending, host = zip(*run["series"])
        top.plot(times, [age / 1000 for age in ages], color=SHADES["ours"])
        style(top, f"{key.removeprefix('age-').split('/')[0]} churn: age (s)")
        bottom.plot(times, host, color=SHADES["none"], label="host memory")
        bottom.plot(times, pending, color=SHADES["stock"], label="pending")
        style(bottom, "MiB")
        bottom.set_xlabel("seconds")
        legend(bottom, 2)
    return figure
