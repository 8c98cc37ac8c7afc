# SPDX-License-Identifier: GPL-2.0
"""What is kept of measurements, and what is written of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab.bench import build, discard, hold, scale
from lab.bench.catalogue import BENCHMARKS
from lab.report.html import size_note
from lab.report.model import FOLDER, Chapter, Shelf
from lab.report.section import ComparisonError, Line, Section, Table, show
from lab.results import collect
from lab.results.collect import compared, load
from lab.results.kept import SHELVES

DEFAULT, NEWEST = SHELVES["6.12"], SHELVES["7.3"]
all_shelves = pytest.mark.parametrize("shelf", SHELVES.values(), ids=SHELVES)


def chapter(name: str, title: str, shelf: Shelf = DEFAULT) -> Chapter:
    """Return what a run of a benchmark says."""
    data = {
        "scale": 1, "qemu": "QEMU", "accelerator": "tcg", "command": "make",
        "host": {"cpus": 2, "kernel": "6.0"},
        "results": {"step/ours": {"date": "2026-01-01", "commit": "abc"}},
    }  # fmt: skip
    section = Section(title, "?", "how", ("1", "one"), [], ["a reading"])
    return Chapter(name, Path(f"{name}.json"), data, section, [], shelf)


def test_documents_are_those_of_the_kept_results() -> None:
    """Nobody has changed them by hand, nor forgotten to write them anew."""
    documents = collect.documents()
    for path, text in documents.items():
        assert text == path.read_text(encoding="utf-8"), "run make report KEEP=1"
    assert {*FOLDER.rglob("*.rst")} == {*documents} - {collect.SUMMARY}


def test_short_document_is_short() -> None:
    """It has every benchmark, and can be read at once."""
    kept = collect.load_kept()
    names = [chapter.name for chapter in kept]
    # One that is new may not have been run at full size yet.
    assert names and names == [name for name in BENCHMARKS if name in names]
    text = collect.SUMMARY.read_text(encoding="utf-8")
    assert all(f"\n{chapter.section.title}\n===" in text for chapter in kept)
    assert len(text.splitlines()) <= 170


def test_summary_takes_figures_from_tables() -> None:
    """Kernels are rows or columns; what is not there is named."""
    rows = Table("", ("kernel", "a"), [("ours", "1"), ("stock", "2")])
    by_row = Line("?", ("ours", "stock", None), column="a")
    assert by_row.figures(rows) == ("1", "2", "–")
    columns = Table("", ("what", "ours", "stock"), [("b", "3", "never")])
    by_column = Line("?", ("ours", "stock"), row=("b",), unit="s")
    assert by_column.figures(columns) == ("3 s", "never")
    with pytest.raises(ComparisonError, match="no single 'a' of"):
        by_row.figures(Table("", ("kernel", "a"), [("ours", "1")]))


def test_kept_results_can_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing was run, the report shows what is kept, with its pictures."""
    monkeypatch.setattr(collect, "REPORT", tmp_path)
    kept = [path.stem for path in DEFAULT.folder.glob("*.json")]
    assert kept
    for name in kept:
        shown = load(name)
        assert shown is not None and shown.kept
        assert shown.pictures and shown.section.reading


@all_shelves
def test_nothing_is_kept_that_is_not_wanted(shelf: Shelf) -> None:
    """All that is kept is in the documents, with its pictures."""
    kept = collect.load_kept(shelf)
    assert kept or shelf.part
    for shown in kept:
        assert shelf.wants(shown.name) and shelf.takes(shown.data["scale"])
        assert shown.pictures and shown.section.reading
        assert all(shown.image(path) == path for path in shown.pictures)
    names = {path.stem for path in shelf.folder.glob("*.json")}
    assert names - {"demo"} == {shown.name for shown in kept}


FLUSH = "flush-3072"
ASKED = {
    kind: {"seconds_done": 0.1, "percent_done": 50.0, "seconds_95": seconds,
           "date": "2026-01-01", "commit": "abc"}
    for kind, seconds in (("ours", 0.1), ("stock", 9.0), ("stock100", 4.0))
}  # fmt: skip


@pytest.fixture(name="newest")
def fixture_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Chapter]:
    """Return chapters as of another kernel: what is kept, with some numbers changed.

    The stock kernel with the shorter delay is that of the default kernel.
    """
    monkeypatch.setattr(Shelf, "folder", property(lambda self: tmp_path / self.source))
    source, target = (SHELVES[name].folder for name in ("6.12", "7.3"))
    shutil.copytree(FOLDER, source, ignore=shutil.ignore_patterns("7.*"))
    target.mkdir()
    for name in NEWEST.steps:
        text = (source / f"{name}.json").read_text(encoding="utf-8")
        data = json.loads(text.replace("/stock250", "/stock100"))
        results = data["results"]
        for key in [key for key in results if key.startswith("count-")]:
            results.setdefault(key.replace("/stock", "/stock100"), results[key])
        if name == "policy":
            results |= {f"{FLUSH}/{kind}": asked for kind, asked in ASKED.items()}
        (target / f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
    seconds_of = {"ours": 0.5, "stock": 12.5, "stock100": None, "none": None}
    runs = [{"name": name, "almost_back": back} for name, back in seconds_of.items()]
    (target / "demo.json").write_text(json.dumps({"runs": runs}), encoding="utf-8")
    return collect.load_kept(NEWEST)


def test_kernels_are_compared(newest: list[Chapter]) -> None:
    """Each figure is in the column of the kernel that it was measured on."""
    found = compared(NEWEST, newest, NEWEST.folder / "demo.json")
    assert found is not None and found.pictures == [NEWEST.picture("demo.png")]
    (table,) = found.section.tables
    rows = {row[0]: row[1:] for row in table.rows}
    old = newest[0].data["results"]["return-3072/stock"]["seconds_95"]
    back = rows["s until 95 % of 3 GiB are back"]
    assert back == (f"{old:.2f}", "12.50", "–", "0.50")
    asked = rows["s until 95 % are back that were asked for"]
    assert asked == ("–", "9.00", "4.00", "0.10")
    entries = rows["entries looked at under zone->lock, at most"]
    assert entries[0] == entries[1] == entries[2] != entries[3]
    text = "\n".join(found.section.reading)
    assert "after 12.50 s" in text and "not while it was watched with 100 ms" in text


def test_what_was_not_run_is_not_compared(newest: list[Chapter]) -> None:
    """Nothing is said of it, nor of the default kernel."""
    demo = NEWEST.folder / "demo.json"
    whole, part = (compared(NEWEST, each, demo) for each in (newest, newest[:1]))
    assert whole and part
    assert len(part.section.reading) == len(whole.section.reading) - 2
    assert len(part.section.tables[0].rows) == len(whole.section.tables[0].rows) - 3
    assert compared(DEFAULT, collect.load_kept(), demo) is None
    demo.unlink()
    assert compared(NEWEST, newest, demo) is None


def test_another_kernel_has_documents_of_its_own(newest: list[Chapter]) -> None:
    """Beside its results; the short document has the comparison only."""
    documents = collect.documents()
    own, default = (documents[shelf.folder / "details.rst"]
                    for shelf in (NEWEST, DEFAULT))  # fmt: skip
    title = "\nHow far has upstream come? Linux 7.3\n===="
    assert title in own and title not in default
    assert all(f"\n{each.section.title}\n==" in own for each in newest)
    assert "unmodified Linux 7.3" in own and "unmodified Linux 6.12" in default
    short = documents[collect.SUMMARY]
    assert short.count(title) == 1 and short.count("\nBitmap or list walk?\n==") == 1
    assert "images/bench-7.3-demo.png" in short


def test_results_of_another_kernel_are_of_one_version() -> None:
    """So what is compared is one and the same library, which can be had again."""
    kept = collect.load_kept(NEWEST)
    commits = {commit for each in kept for commit in each.commits}
    assert len(commits) <= 1
    assert not any("-dirty" in commit for commit in commits)


def test_pictures_have_the_kernel_in_their_names_and_not_the_size() -> None:
    """So those of the default kernel stay."""
    other = chapter("scale", "Scale", NEWEST)
    picture = Path("scale-scale4.png")
    small = Chapter("scale", Path("scale-scale4.json"), other.data, other.section,
                    [picture], NEWEST)  # fmt: skip
    assert small.image(picture).name == "bench-7.3-scale.png"
    default = chapter("scale", "Scale")
    assert default.image(Path("scale.png")).name == "bench-scale.png"
    assert default.shelf.folder == FOLDER != small.shelf.folder


def test_results_of_changed_files_are_not_kept() -> None:
    """Nobody could measure them again."""
    some = chapter("memhog", "New memhog")
    collect.check_origin(some)
    some.data["results"]["step/ours"]["commit"] = "0.1 (abc-dirty)"
    with pytest.raises(SystemExit, match="abc-dirty"):
        collect.check_origin(some)


@pytest.mark.parametrize(
    ("scale", "source", "taken"), [(1, "6.12", True), (4, "6.12", False),
                                   (1, "7.3", True), (4, "7.3", True)]
)  # fmt: skip
def test_size_that_is_kept(scale: int, source: str, taken: bool) -> None:
    """With the default kernel only the full one is."""
    assert SHELVES[source].takes(scale) == taken


def test_incomplete_run_is_named_and_not_kept() -> None:
    """The steps that were not done are listed, on the page and when it is kept."""
    some = chapter("memhog", "New memhog")
    some.data["results"]["memhog/ours"] = some.data["results"].pop("step/ours")
    some = replace(some, wanted=collect.wanted(some.name, DEFAULT))
    assert some.missing == ["memhog/none", "memhog/stock"]
    assert "Not measured: memhog/none, memhog/stock" in "".join(size_note(some))
    with pytest.raises(SystemExit, match="memhog/none memhog/stock"):
        collect.check_complete(some)


def test_builds_are_compared_boot_by_boot() -> None:
    """A slow boot of both kernels makes no difference between them."""
    run = dict.fromkeys(
        ("gib_minutes", "gib_minutes_build", "given_mib", "unpack_seconds",
         "compile_seconds", "system_seconds", *build.LEFT),
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
    text = "\n".join(build.describe(results).reading)
    assert "memory over time +10 % (+10 to +10)" in text


@pytest.mark.parametrize(
    "shown, choice", [(3600, "MADV_DONTNEED"), (400, "MADV_FREE")]
)
def test_host_that_sees_what_it_gets_may_be_lazy(shown: int, choice: str) -> None:
    """What shows at the host decides, whatever time is saved."""
    free = discard.FREE.name
    results: dict[str, dict[str, Any]] = {}
    for variant in discard.VARIANTS:
        lazy = variant.name == free
        reuse = {name: [1.0, 1.0] for name in discard.SERIES}
        reuse["cpu_seconds"] = [8.0] * 2 if lazy else [10.0] * 2
        reuse["host_mib"] = [shown] * 2 if lazy else [360] * 2
        reuse["lazy_mib"] = [2400] * 2 if lazy else [0] * 2
        results[f"reuse-1/{variant.name}"] = reuse
        results[f"neighbour-1/{variant.name}"] = {"touch_seconds": 9.0, "swap_mib": 0}
    assert discard.describe(results).headline[0] == choice


def test_scale_is_drawn_to_scale(tmp_path: Path) -> None:
    """The curves of times that differ by thousands are all in the picture."""
    rows = [
        [way, gib, 9, percent, 0, ns * gib, ns * gib, ns * gib, 32, 1, 9]
        for way, ns in (("walk", 10_000), ("tracker", 10))
        for gib in scale.SIZES
        for percent in (1, 10, 50)
    ]
    seen: list[tuple[float, float]] = []
    results = {"scale/uml": {"columns": scale.COLUMNS, "series": rows}}

    def look(figure: Any, path: Path) -> Path:
        seen.extend(axes.get_ylim() for axes in figure.axes)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scale, "save", look)
        scale.draw(results, tmp_path, "scale")
    assert len(seen) == 2
    for bottom, top in seen:
        assert 0 < bottom <= 0.01 and top >= 40_960


def test_discard_is_drawn(tmp_path: Path) -> None:
    """Every number that is compared has its bar."""
    reuse = {name: [1.0, 2.0] for name in discard.SERIES}
    beside: dict[str, Any] = {"touch_seconds": 3.0}
    results: dict[str, dict[str, Any]] = {
        f"{step}-1/{variant.name}": result
        for step, result in (("reuse", reuse), ("neighbour", beside))
        for variant in discard.VARIANTS
    }
    bars: list[int] = []

    def look(figure: Any, path: Path) -> Path:
        bars.extend(len(axes.patches) for axes in figure.axes)
        return path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discard, "save", look)
        discard.draw(results, tmp_path, "discard")
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
    spans = hold.parse(HISTOGRAM, hold.Symbols(path))
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
        hold.row(order, capacity, {"fpr_work": us * 1000, "vfree": 7000})
        for order in hold.ORDERS
        for capacity, us in times.items()
    ]
    section = hold.describe({"whole/ours": {"series": series}})
    assert f"At most 100 us: {at_most}." in section.reading[0]
    assert f"constant: {constant}." in section.reading[0]
    assert "vfree" in section.tables[0].rows[0][3]


def test_nothing_has_no_sign() -> None:
    """What is nothing when it is rounded is shown without a sign."""
    assert show(-0.04) == "0.0"
    assert show(-0.06) == "-0.1"
    assert show(-10.0, ".0f") == "-10"
    assert show(None) == "–"
