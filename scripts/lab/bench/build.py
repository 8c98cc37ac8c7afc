# SPDX-License-Identifier: GPL-2.0
"""Benchmark: the host memory of a guest that compiles.

The guest unpacks a part of the kernel to a disk, compiles some of it, removes
what it built, and drops its caches.  What counts is the memory that the host has
to provide for it, over time and at the end of each stage, and how much of it the
host had to give in all: memory that comes back early may be wanted again.  What
the emulator needs for itself does not count: it grows with the code that is
translated.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import mean

from lab.bench.build_disk import FOLDER, SOURCES, TOOLS, make_disks
from lab.bench.guest import KIB_PER_MIB, SYSFS, Bench, Result, rest
from lab.bench.runner import Benchmark, Results, Step, boots, in_turn
from lab.guest.memory import RssSampler, Sample, guest_memory_kib, sum_of_rises
from lab.guest.variants import NONE, OURS, STOCK, Variant
from lab.guest.vm import Vm, VmError, kernel_image
from lab.report.plot import SHADES, legend, panels, save, style
from lab.report.section import Line, Section, Table, show

FINE = Variant("fine", "this library, piece order", OURS.kernel, OURS.balloon)
EAGER = Variant("eager", "this library, no reserve", OURS.kernel, OURS.balloon)
VARIANTS = (OURS, FINE, EAGER, STOCK, NONE)
FINE_AGE_MS = 5000
GUEST_MIB = 3072
CPUS = 4
OBJECTS = 48
SMALLEST = 40  # the first object to compile when all is done at full size
REST_SECONDS = 30  # after each stage
BOOTS = range(1, 4)
LEFT = ("mib_after_compile", "mib_after_clean", "mib_after_drop")
KIB_PER_GIB = 1 << 20
SCRATCH_MIB = 1024
SRC = "/tmp/src"
# Unpacked by hand, it is not in the way of what is measured.
MAKE = f"PATH=/bin:/usr/bin make -s -C {SRC}/obj"

# What the short document says.
COMPARED = (
    Line("host memory over time while a guest compiles, GiB x min",
         column="GiB x min"),
    Line("what the host had to give for that, GiB", column="given, GiB"),
    Line("left at the host in the end, GiB", column="after drop"),
)  # fmt: skip


def disk(path: Path, how: str = "readonly=on") -> list[str]:
    """Return the arguments that give a guest a disk."""
    return ["-drive", f"file={path},format=raw,if=virtio,{how}"]


@contextmanager
def scratch_disk(name: str) -> Iterator[Path]:
    """Make a disk with an empty file system, which is gone in the end."""
    path = FOLDER / f"scratch-{name}.img"
    with path.open("wb") as file:
        file.truncate(SCRATCH_MIB << 20)
    try:
        subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext2", path], check=True)
        yield path
    finally:
        path.unlink()


def build(bench: Bench, variant: Variant) -> Result:
    """Unpack, compile, clean, drop caches; follow the host memory."""
    seconds, marks, used = {}, {}, {}
    with scratch_disk(variant.name) as scratch, Vm(
        kernel_image(variant.kernel),
        name=f"bench-build-{variant.name}",
        accel=bench.accel,
        memory=f"{GUEST_MIB}M",
        cpus=CPUS,
        balloon=variant.balloon,
        arguments=[*disk(TOOLS), *disk(SOURCES), *disk(scratch, "cache=unsafe")],
    ) as guest:
        prepare(guest, variant)
        rest(guest, bench.seconds(10))
        sampler = RssSampler(guest.pid, interval=0.2, read=guest_memory_kib)
        sampler.start()
        begin = time.monotonic()
        for name, command in stages(bench).items():
            start = time.monotonic()
            guest.run(command, 3000)
            seconds[name] = round(time.monotonic() - start, 1)
            if name != "unpack":
                time.sleep(bench.seconds(REST_SECONDS))
                marks[name] = guest_memory_kib(guest.pid) // KIB_PER_MIB
                used[name] = used_kib(guest) // KIB_PER_MIB
        system = system_seconds(guest)
        samples = sampler.stop()
    built = begin + seconds["unpack"] + seconds["compile"]
    return {
        "unpack_seconds": seconds["unpack"],
        "compile_seconds": seconds["compile"],
        "system_seconds": system,
        "gib_minutes_build": integral(samples, begin, built),
        "gib_minutes": integral(samples, begin, samples[-1][0]),
        "given_mib": sum_of_rises(samples) // KIB_PER_MIB,
        "peak_mib": max(kib for _, kib in samples) // KIB_PER_MIB,
        "mib_after_compile": marks["compile"],
        "mib_after_clean": marks["clean"],
        "mib_after_drop": marks["drop"],
        "guest_used_mib": list(used.values()),
        "objects": objects(bench),
        "columns": ["seconds", "mib"],
        "series": thinned(samples, begin),
    }


def prepare(guest: Vm, variant: Variant) -> None:
    """Install the compiler, and an empty file system for the sources."""
    guest.run(f"tar xf /dev/vda -C / && mkdir {SRC}", 300)
    guest.run(f"mount -t ext2 /dev/vdc {SRC}", 60)
    if variant is FINE:
        guest.write(f"{SYSFS}/piece_age_ms", str(FINE_AGE_MS))
    if variant is EAGER:
        guest.write(f"{SYSFS}/max_age_ms", "0")


def used_kib(guest: Vm) -> int:
    """Return the memory that is not free to the guest itself."""
    text = guest.read("/proc/meminfo")
    total, free = re.findall(r"^Mem(?:Total|Free): +(\d+) kB", text, re.MULTILINE)
    return int(total) - int(free)


def objects(bench: Bench) -> int:
    """Return how many files to compile."""
    return max(OBJECTS // bench.scale, 2)


def stages(bench: Bench) -> dict[str, str]:
    """Return the commands, in their order."""
    first = SMALLEST if bench.scale == 1 else 1
    last = first + objects(bench) - 1
    return {
        "unpack": f"tar xf /dev/vdb -C {SRC}",
        "compile": f"{MAKE} -j{CPUS} FIRST={first} LAST={last}",
        "clean": f"rm -r {SRC}/*",
        "drop": "sync; echo 3 >/proc/sys/vm/drop_caches",
    }


def system_seconds(guest: Vm) -> float:
    """Return the time that the guest's processors spent in its kernel."""
    fields = guest.run("head -n 1 /proc/stat").split()
    if fields[0] != "cpu":
        raise VmError(f"{guest.name}: /proc/stat begins with {fields[0]!r}")
    return round(int(fields[3]) / 100, 1)  # USER_HZ


def integral(samples: list[Sample], start: float, end: float) -> float:
    """Return the memory used over a time, in GiB times minutes."""
    total = sum(
        before[1] * (after[0] - before[0])
        for before, after in pairwise(samples)
        if start <= before[0] < end
    )
    return round(total / KIB_PER_GIB / 60, 3)


def thinned(samples: list[Sample], start: float) -> list[tuple[float, int]]:
    """Return about a sample a second."""
    kept: list[tuple[float, int]] = []
    for at, kib in samples:
        seconds = round(at - start, 1)
        if not kept or seconds >= kept[-1][0] + 1:
            kept.append((seconds, kib // KIB_PER_MIB))
    return kept


def pairs(results: Results, name: str, other: str) -> list[tuple[Result, Result]]:
    """Return the results of two kernels, boot by boot."""
    have, base = (boots(results, "build", which) for which in (name, other))
    return [(have[boot], base[boot]) for boot in have if boot in base]


def draw(results: Results, folder: Path, name: str) -> list[Path]:
    """Show the host memory over time, one curve a boot."""
    figure, (axes,) = panels(1)
    for variant in reversed(VARIANTS):
        runs = boots(results, "build", variant.name).values()
        for number, run in enumerate(runs):
            times, levels = zip(*run["series"])
            axes.plot([at / 60 for at in times], [mib / 1024 for mib in levels],
                      color=SHADES[variant.name], linewidth=1,
                      linestyle="--" if variant is FINE else "-",
                      label=None if number else variant.label)
    style(axes, "host memory of a guest that compiles, cleans, drops caches (GiB)")
    axes.set_xlabel("minutes")
    legend(axes, 3)
    return [save(figure, folder / f"{name}.png")]


# Recomputed from the raw data of HyperAlloc (EuroSys 2025): clang compiled in a
# guest of 16 GiB with 12 CPUs; GiB x minutes, minutes, and GiB left after the
# build, after cleaning, and after dropping caches.
PUBLISHED = (
    ("HyperAlloc paper: no reporting", 478, 41.2, 15.8, 15.8, 15.8),
    ("HyperAlloc paper: Linux 6.1 reporting", 434.5, 41.2, 12.7, 11.8, 8.3),
    ("HyperAlloc paper: HyperAlloc", 357.2, 40.8, 10.6, 6.8, 2.0),
)


# What the table shows of a run, in which unit, and with how many digits.
SHOWN = (
    ("gib_minutes", 1, 2),
    ("gib_minutes_build", 1, 2),
    ("given_mib", 1024, 2),
    ("build_seconds", 60, 2),
    ("system_seconds", 1, 0),
    *((key, 1024, 2) for key in LEFT),
    ("used_mib", 1024, 2),
)
HEAD = ("kernel", "GiB x min", "of it build", "given, GiB", "build, min",
        "system, s", "after build", "after clean", "after drop",
        "in use")  # fmt: skip


def value(run: Result, key: str) -> float:
    """Return a figure of a boot."""
    if key == "build_seconds":
        return float(run["unpack_seconds"] + run["compile_seconds"])
    if key == "used_mib":
        return float(run["guest_used_mib"][-1])
    return float(run[key])


def values(runs: list[Result], key: str) -> list[float]:
    """Return a figure of each boot."""
    return [value(run, key) for run in runs]


def cell(runs: list[Result], key: str, unit: float, digits: int) -> str:
    """Show the mean and how far the boots are from it at most."""
    have = [each / unit for each in values(runs, key)]
    middle = mean(have)
    off = max(abs(each - middle) for each in have)
    return f"{middle:.{digits}f} ± {off:.{digits}f}"


def describe(results: Results) -> Section:
    """Say what came out."""
    every = {v: list(boots(results, "build", v.name).values()) for v in VARIANTS}
    runs = {variant: have for variant, have in every.items() if have}
    one = next(iter(runs.values()))
    rows = [
        (variant.label, *(cell(have, *column) for column in SHOWN))
        for variant, have in runs.items()
    ]
    rows += [
        (name, "", f"{area:g}", "", f"{minutes:g}", "",
         *(f"{gib:g}" for gib in left), "")
        for name, area, minutes, *left in PUBLISHED
    ]
    ours = runs.get(OURS)
    left, used = (
        show(mean(values(ours, key)) if ours else None, ".0f")
        for key in (LEFT[-1], "used_mib")
    )
    return Section(
        title="A guest that compiles",
        question="A workload with page cache: what does the host have to provide?",
        how=f"A guest of {GUEST_MIB} MiB and {CPUS} virtual CPUs unpacks a part of the"
        f" kernel to an ext2 disk, compiles {one[0]['objects']} files of it, removes"
        f" it all, and drops its caches, with {REST_SECONDS} s after each stage;"
        f" {len(one)} boots of each kernel in turn. Finer order: pieces of 32 KiB that"
        f" were free for {FINE_AGE_MS / 1000:g} s, too. No reserve: what the guest is"
        " seen to take again is not retained (max_age_ms=0)."
        " Counted is the memory of the guest, without that of QEMU itself.",
        headline=(f"{left} MiB", f"left after build, clean, drop; {used} in use"),
        tables=[
            Table(
                "Memory over time, over all stages and over the build; what the host"
                " had to give at least, which is the sum of all rises, seen five times"
                " a second; the time of the build; that in the guest's kernel from its"
                " boot to the end; GiB left after each stage, and in use by the guest"
                " itself in the end, without what its kernel reserves at boot. Mean of"
                " the boots, and how far they are from it at most",
                HEAD,
                rows,
            )
        ],
        reading=build_reading(results),
        compared=COMPARED,
    )


OTHERS = {
    "stock": "the stock kernel",
    "none": "no reporting",
    "fine": "the piece order",
    "eager": "no reserve",
}


def build_reading(results: Results) -> list[str]:
    """Interpret the numbers."""
    text = []
    for name, label in OTHERS.items():
        both = pairs(results, "ours", name)
        if both:
            text.append(
                f"Against {label}: memory over time {change(both, 'gib_minutes')},"
                f" memory given {change(both, 'given_mib')}, time to build"
                f" {change(both, 'build_seconds')}, left in the end"
                f" {change(both, LEFT[-1])}."
            )
    if text:
        text[0] = "Boot by boot, mean and in brackets the range. " + text[0]
    fine = pairs(results, "ours", "fine")
    if fine:
        ours, other = (mean(values(list(runs), LEFT[-1])) for runs in zip(*fine))
        used = mean(value(run, "used_mib") for run, _ in fine)
        text.append(
            f"Of the {ours:.0f} MiB that are left, {used:.0f} are in use. The finer"
            f" order finds {ours - other:.0f} of the rest; what remains is reserved by"
            " the kernel since its boot, or free in fragments that are smaller still."
        )
    eager = pairs(results, "ours", "eager")
    if eager:
        text.append(
            "The reserve is what costs memory over time: memory that the build frees"
            " and takes again is retained for as long as it goes on, and the host does"
            " not have to give it again."
        )
    text.append(
        "The published runs are of another size and machine; what compares is the"
        " shape, not the figures."
    )
    return text


def change(both: list[tuple[Result, Result]], key: str) -> str:
    """Say by how much the first differs from the second, boot by boot."""
    have = [100 * (value(a, key) / value(b, key) - 1) for a, b in both]
    return f"{mean(have):+.0f} % ({min(have):+.0f} to {max(have):+.0f})"


def steps() -> list[Step]:
    """Return all steps."""
    return [
        Step(f"build-{boot}", 270, build, in_turn(VARIANTS, boot)) for boot in BOOTS
    ]


BENCHMARK = Benchmark("build", steps, draw, describe, make_disks)
