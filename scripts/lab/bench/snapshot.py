# SPDX-License-Identifier: GPL-2.0
"""Benchmark: what it takes to save a guest that has freed memory, and to load it.

A program uses memory and ends.  The guest is saved at once, where there is a flush
after that, or when it has rested; to a file, as a migration, or in a snapshot.
Another QEMU goes on with it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.base.paths import BUILD
from lab.bench.guest import KIB_PER_MIB, SYSFS, Bench, Result, rest
from lab.bench.runner import Benchmark, Results, Step
from lab.guest import saving
from lab.guest.uml import BYTES_PER_BLOCK
from lab.guest.variants import DEMO, NONE, OURS, Variant, measured
from lab.guest.vm import Vm
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Section, Table, show

USED_MIB = 3072
# The stock kernel waits for 2 s, reports a part of its memory, and so on.
REST_SECONDS = 40
NOW, RESTED = "now", "rested"
AGAIN_MIB = 2048
WIDTH = 0.8


@dataclass(frozen=True)
class Way:
    """How a guest is saved and loaded, and with what the loading QEMU is started."""

    label: str
    save: Callable[[Vm, Path], Path]
    load: Callable[[Vm, Path], None]
    arguments: tuple[str, ...]


def saved_file(folder: Path) -> Path:
    """Return the file that a migration goes to."""
    return folder / "saved"


def to_file(guest: Vm, folder: Path) -> Path:
    """Save the guest to a file."""
    saving.save_to_file(guest, saved_file(folder))
    return saved_file(folder)


def to_snapshot(guest: Vm, folder: Path) -> Path:
    """Save the guest in a snapshot."""
    saving.create_disk(guest, folder)
    saving.snapshot(guest, "save")
    saving.remove_disk(guest)
    return saving.disk_file(folder)


WAYS = {
    "file": Way(
        "migration to a file",
        to_file,
        lambda guest, folder: saving.load_file(guest, saved_file(folder)),
        saving.INCOMING,
    ),
    "snapshot": Way("snapshot", to_snapshot, saving.load_snapshot, saving.STOPPED),
}


def use_and_free(guest: Vm, mib: int) -> None:
    """Have a program use memory, and end."""
    for _ in guest.stream(f"touch-free {mib}", 600):
        pass


def flush(guest: Vm) -> None:
    """Report all that is free, where that can be asked for."""
    guest.run(f"[ ! -e {SYSFS}/flush ] || echo 1 >{SYSFS}/flush", 600)


def saved(bench: Bench, variant: Variant, way: Way, moment: str) -> Result:
    """Have a guest free memory, save and load it; look at what that takes."""
    mib = bench.mib(USED_MIB)
    name = f"snapshot-{moment}"
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        folder = Path(scratch)
        with bench.guest(variant, name, mib) as guest:
            use_and_free(guest, mib)
            start = time.monotonic()
            if moment == RESTED:
                rest(guest, bench.seconds(REST_SECONDS))
            else:
                flush(guest)
            ready = time.monotonic()
            resident = guest.rss_kib() // KIB_PER_MIB
            file = way.save(guest, folder)
            done = time.monotonic()
        result: Result = {
            "freed_mib": mib,
            "wait_s": round(ready - start, 2),
            "save_s": round(done - ready, 2),
            "resident_mib": resident,
            "file_mib": size_mib(file),
        }
        return result | loaded(bench, variant, way, folder)


def size_mib(file: Path) -> int:
    """Return the disk space that a file takes, without its holes."""
    return file.stat().st_blocks * BYTES_PER_BLOCK >> 20


def loaded(bench: Bench, variant: Variant, way: Way, folder: Path) -> Result:
    """Have another QEMU go on with the guest; does it still give memory back?"""
    mib = bench.mib(USED_MIB)
    again = bench.mib(AGAIN_MIB)
    arguments = way.arguments
    new = bench.booting(variant, "loaded", mib, arguments=arguments)
    new.start()
    try:
        start = time.monotonic()
        way.load(new, folder)
        load_s = round(time.monotonic() - start, 2)
        resident = new.rss_kib() // KIB_PER_MIB
        use_and_free(new, again)
        flush(new)
        rest(new, bench.seconds(REST_SECONDS))
        return {
            "load_s": load_s,
            "loaded_mib": resident,
            "again_mib": again,
            "after_mib": new.rss_kib() // KIB_PER_MIB,
        }
    finally:
        new.stop()


def step(name: str, moment: str) -> Step:
    """Return the step for a way and a moment."""
    way = WAYS[name]
    return Step(
        f"{name}-{moment}",
        90,
        lambda bench, variant: saved(bench, variant, way, moment),
        DEMO if moment == NOW else DEMO[::-1],
    )


def steps() -> list[Step]:
    """Return all steps."""
    return [step(name, moment) for name in WAYS for moment in (NOW, RESTED)]


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show the size of the files."""
    variants = measured(results)
    figure, axes = panels(len(WAYS))
    for panel, (way, about) in zip(axes, WAYS.items()):
        for place, variant in enumerate(variants):
            runs = [results.get(f"{way}-{at}/{variant.name}") for at in (NOW, RESTED)]
            width = WIDTH / len(variants)
            panel.bar(
                [column + place * width for column in range(len(runs))],
                [run["file_mib"] if run else 0 for run in runs],
                width * 0.9, color=SHADES[variant.name], label=variant.label,
            )  # fmt: skip
        panel.set_xticks([0.3, 1.3], ["at once", "rested"])
        style(panel, f"{about.label}: size (MiB)")
    legend(axes[0], len(variants))
    return [save(figure, folder / f"{name}.png")]


def rows(results: Results) -> list[tuple[str, ...]]:
    """Return the rows of the table."""
    columns = ("wait_s", "resident_mib", "file_mib", "save_s", "load_s", "loaded_mib",
               "after_mib")  # fmt: skip
    found = []
    for name, way in WAYS.items():
        for moment in (NOW, RESTED):
            for variant in measured(results):
                run = results.get(f"{name}-{moment}/{variant.name}")
                if run:
                    values = (show(run[column]) for column in columns)
                    found.append((way.label, moment, variant.label, *values))
    return found


def describe(results: Results) -> Section:
    """Say what came out."""
    ours, none = (results.get(f"file-{NOW}/{v.name}") for v in (OURS, NONE))
    freed = next(iter(results.values()))["freed_mib"]
    again = next(iter(results.values()))["again_mib"]
    size = f"{ours['file_mib']} MiB" if ours else "–"
    beside = f", without reporting {none['file_mib']}" if none else ""
    return Section(
        title="Saving a guest that has freed memory",
        question="How large is a saved guest, and how long does it take?",
        how=f"A program uses {freed} MiB and ends. Now: the guest is saved at once,"
        " with the library after a flush, whose time is in the column wait. Rested:"
        " when its host memory has been steady for a while. Sizes are without holes."
        f" The guest goes on in another QEMU, where a program uses {again} MiB and"
        " ends; after that it rests.",
        headline=(size, f"is a guest that has just freed {freed} MiB{beside}"),
        tables=[
            Table(
                "What it takes to save a guest and to go on with it",
                ("saved by", "when", "kernel", "wait (s)", "resident (MiB)",
                 "file (MiB)", "save (s)", "load (s)", "resident, loaded (MiB)",
                 "after more use (MiB)"),
                rows(results),
            )
        ],
        reading=[],
    )  # fmt: skip


BENCHMARK = Benchmark("snapshot", steps, draw, describe)
