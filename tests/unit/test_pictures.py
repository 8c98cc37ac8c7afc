# SPDX-License-Identifier: GPL-2.0
"""The pictures of the benchmarks, drawn from the results that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab.bench.catalogue import BENCHMARKS
from lab.results.kept import SHELVES
from matplotlib.figure import Figure  # type: ignore[import]


KEPT = [
    path
    for shelf in SHELVES.values()
    for path in sorted(shelf.folder.glob("*.json"))
    if path.stem in BENCHMARKS
]


def figures(path: Path, folder: Path) -> list[Figure]:
    """Draw the pictures of a benchmark."""
    drawn: list[Figure] = []

    def look(figure: Figure, *_arguments: Any, **_options: Any) -> None:
        figure.canvas.draw()
        drawn.append(figure)

    kept = json.loads(path.read_text(encoding="utf-8"))
    benchmark = BENCHMARKS[path.stem]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", look)
        benchmark.draw(kept["results"], folder, path.stem)
    return drawn


def covers(box: Any, axes: Any) -> bool:
    """Tell whether a box lies on the bars, the curves or the numbers of axes."""
    if any(box.overlaps(thing.get_window_extent()) for thing in axes.patches):
        return True
    if any(box.overlaps(text.get_window_extent()) for text in axes.texts):
        return True
    curves = (line.get_transform().transform_path(line.get_path())
              for line in axes.lines)
    return any(curve.intersects_bbox(box, filled=False) for curve in curves)


def name_of(path: Path) -> str:
    """Return the name of a benchmark, and of the kernel if it is not the default."""
    return path.stem if path.parent.name == "results" else "-".join(path.parts[-2:])


@pytest.mark.parametrize("kept", KEPT, ids=name_of)
def test_legend_covers_no_data(kept: Path, tmp_path: Path) -> None:
    """Whoever reads what a colour means sees all that has it."""
    pictures = figures(kept, tmp_path)
    assert pictures
    for figure in pictures:
        legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
        boxes = [legend.get_window_extent() for legend in legends if legend]
        for box in boxes:
            assert not any(covers(box, axes) for axes in figure.axes)
