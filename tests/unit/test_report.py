# SPDX-License-Identifier: GPL-2.0
"""What is kept of measurements, and what is written of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab import (
    bench_build,
    bench_discard,
    bench_hold,
    bench_report,
    bench_scale,
    bench_summary,
)
from lab.bench_html import size_note
from lab.bench_report import KEPT, Chapter, load
from lab.bench_section import Section, Table


def chapter(name: str, title: str) -> Chapter:
    """Return what a run of a benchmark says."""
    data = {
        "scale": 1, "qemu": "QEMU", "accelerator": "tcg", "command": "make",
        "host": {"cpus": 2, "kernel": "6.0"},
        "results": {"step/ours": {"date": "2026-01-01", "commit": "abc"}},
    }  # fmt: skip
    section = Section(title, "?", "how", ("1", "one"), [], ["a reading"])
    return Chapter(name, Path(f"{name}.json"), data, section, [])


@pytest.mark.parametrize("path", bench_report.DOCUMENTS, ids=str)
def test_documents_are_those_of_the_kept_results(path: Path) -> None:
    """Nobody has changed them by hand, nor forgotten to write them anew."""
    written = bench_report.DOCUMENTS[path](bench_report.load_kept())
    assert written == path.read_text(encoding="utf-8"), "run make report KEEP=1"


def test_short_document_is_short() -> None:
    """It has every benchmark, and can be read at once."""
    kept = bench_report.load_kept()
    assert [chapter.name for chapter in kept] == list(bench_report.SECTIONS)
    path = next(iter(bench_report.DOCUMENTS))
    text = path.read_text(encoding="utf-8")
    assert all(f"\n{chapter.section.title}\n===" in text for chapter in kept)
    assert len(text.splitlines()) <= 150


def test_summary_takes_figures_from_tables() -> None:
    """Kernels are rows or columns; what is not there is named."""
    rows = Table("", ("kernel", "a"), [("ours", "1"), ("stock", "2")])
    by_row = bench_summary.Line("x", "?", ("ours", "stock", None), column="a")
    assert by_row.figures(rows) == ("1", "2", "–")
    columns = Table("", ("what", "ours", "stock"), [("b", "3", "never")])
    by_column = bench_summary.Line("x", "?", ("ours", "stock"), row=("b",), unit="s")
    assert by_column.figures(columns) == ("3 s", "never")
    with pytest.raises(bench_summary.SummaryError, match="no single 'a' of"):
        by_row.figures(Table("", ("kernel", "a"), [("ours", "1")]))


def test_kept_results_can_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was run, the report shows what is kept, with its pictures."""
    monkeypatch.setattr(bench_report, "REPORT", tmp_path)
    kept = list(KEPT.glob("*.json"))
    assert kept
    for path in kept:
        shown = load(path.stem)
        assert shown is not None and shown.kept
        assert shown.pictures and shown.section.reading


def test_incomplete_run_is_named_and_not_kept() -> None:
    """The steps that were not done are listed, on the page and when it is kept."""
    some = chapter("memhog", "New memhog")
    some.data["results"]["memhog/ours"] = some.data["results"].pop("step/ours")
    assert some.missing == ["memhog/none", "memhog/stock"]
    assert "Not measured: memhog/none, memhog/stock" in "".join(size_note(some))
    with pytest.raises(SystemExit, match="memhog/none memhog/stock"):
        bench_report.check_complete(some)


def test_builds_are_compared_boot_by_boot() -> None:
    """A slow boot of both kernels makes no difference between them."""
    run = dict.fromkeys(
        ("gib_minutes", "gib_minutes_build", "given_mib", "unpack_seconds",
         "compile_seconds", "system_seconds", *bench_build.LEFT),
        100.0,
    )  # fmt: skip
    results = {
        f"build-{boot}/{name}": {
            **{key: value * slow * more for key, value in run.items()},
            "guest_used_mib": [80], "objects": 48,
        }
        for boot, slow in ((1, 1.0), (2, 1.5))
        for name, more in (("ours", 1.1), ("stock", 1.0))
    }  # fmt: skip
    text = "\n".join(bench_build.describe(results).reading)
    assert "memory over time +10 % (+10 to +10)" in text


@pytest.mark.parametrize(
    "shown, choice", [(3600, "MADV_DONTNEED"), (400, "MADV_FREE")]
)
def test_host_that_sees_what_it_gets_may_be_lazy(shown: int, choice: str) -> None:
    """What shows at the host decides, whatever time is saved."""
    free = bench_discard.FREE.name
    results: dict[str, dict[str, Any]] = {}
    for variant in bench_discard.VARIANTS:
        lazy = variant.name == free
        reuse = {name: [1.0, 1.0] for name in bench_discard.SERIES}
        reuse["cpu_seconds"] = [8.0] * 2 if lazy else [10.0] * 2
        reuse["host_mib"] = [shown] * 2 if lazy else [360] * 2
        reuse["lazy_mib"] = [2400] * 2 if lazy else [0] * 2
        results[f"reuse-1/{variant.name}"] = reuse
        results[f"neighbour-1/{variant.name}"] = {"touch_seconds": 9.0, "swap_mib": 0}
    assert bench_discard.describe(results).headline[0] == choice


def test_scale_is_drawn_to_scale(tmp_path: Path) -> None:
    """The curves of times that differ by thousands are all in the picture."""
    rows = [
        [way, gib, 9, percent, 0, ns * gib, ns * gib, ns * gib, 32, 1, 9]
        for way, ns in (("walk", 10_000), ("tracker", 10))
        for gib in bench_scale.SIZES
        for percent in (1, 10, 50)
    ]
    seen: list[tuple[float, float]] = []
    results = {"scale/uml": {"columns": bench_scale.COLUMNS, "series": rows}}

    def look(figure: Any, path: Path) -> Path:
        seen.extend(axes.get_ylim() for axes in figure.axes)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_scale, "save", look)
        bench_scale.draw(results, tmp_path, "scale")
    assert len(seen) == 2
    for bottom, top in seen:
        assert 0 < bottom <= 0.01 and top >= 40_960


def test_discard_is_drawn(tmp_path: Path) -> None:
    """Every number that is compared has its bar."""
    reuse = {name: [1.0, 2.0] for name in bench_discard.SERIES}
    beside: dict[str, Any] = {"touch_seconds": 3.0}
    results: dict[str, dict[str, Any]] = {
        f"{step}-1/{variant.name}": result
        for step, result in (("reuse", reuse), ("neighbour", beside))
        for variant in bench_discard.VARIANTS
    }
    bars: list[int] = []

    def look(figure: Any, path: Path) -> Path:
        bars.extend(len(axes.patches) for axes in figure.axes)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench_discard, "save", look)
        bench_discard.draw(results, tmp_path, "discard")
    assert bars == [2, 2, 2]


SYSTEM_MAP = """\
ffffffff80000100 T _stext
ffffffff80000200 T _raw_spin_unlock_irqrestore
ffffffff80000300 t fpr_return_pages.isra.0
ffffffff80000400 T get_page_from_freelist
ffffffff80900000 D fpr_tunables
"""
# Where the spans ended: in a function, in one that a wrapper was called by.
HISTOGRAM = """\
# event histogram
{ caller:        266, parent:        532 } hitcount:          7
\tmax:      81000  ns:      81000
{ caller:        530, parent:          0 } hitcount:          9
\tmax:        700  ns:        700
{ caller:        260, parent:        784 } hitcount:          2
\tmax:      12000  ns:      12000
{ caller:        288, parent:        784 } hitcount:          2
\tmax:       9000  ns:       9000
"""


def test_spans_are_charged_to_functions(tmp_path: Path) -> None:
    """A lock function is not the one to blame, but who called it."""
    path = tmp_path / "System.map"
    path.write_text(SYSTEM_MAP, encoding="utf-8")
    spans = bench_hold.parse(HISTOGRAM, bench_hold.Symbols(path))
    assert spans == {"fpr_return_pages": 81_000, "get_page_from_freelist": 12_000}


@pytest.mark.parametrize(
    "times, at_most, constant",
    [
        ({32: 10, 256: 41, 1024: 42}, "reached", "reached"),
        ({32: 30, 256: 31, 1024: 99}, "reached", "missed"),
        ({32: 140, 256: 141, 1024: 142}, "missed", "reached"),
    ],
)
def test_verdict_on_the_longest_hold(
    times: dict[int, int], at_most: str, constant: str
) -> None:
    """Too long is one thing, to grow with the batch another."""
    series = [
        bench_hold.row(order, capacity, {"fpr_work": us * 1000, "vfree": 7000})
        for order in bench_hold.ORDERS
        for capacity, us in times.items()
    ]
    section = bench_hold.describe({"whole/ours": {"series": series}})
    assert f"At most 100 us: {at_most}." in section.reading[0]
    assert f"constant: {constant}." in section.reading[0]
    assert "vfree" in section.tables[0].rows[0][3]
