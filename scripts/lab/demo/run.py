# SPDX-License-Identifier: GPL-2.0
"""The demo: how fast does a guest's freed memory come back to the host?

Boots one guest per variant, touches memory in it, frees it, and follows what the
host has given to it.  Writes build/report/demo.json and demo.png.  Settings come
from the environment: MEM and FREE in MiB, KERNEL one variant.  BACKEND=uml has the
guests run on User Mode Linux instead of QEMU, and writes demo-uml.json and .png.
LIVE=1 has a browser show all of it while it happens.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from lab.base import paths, version
from lab.base.follow import first_line
from lab.base.paths import REPORT
from lab.demo import live, plot
from lab.guest import accel, image, vm
from lab.guest.memory import RssSampler, Sample
from lab.guest.uml import Uml
from lab.guest.variants import DEMO, DEMO_UML, Variant
from lab.kernel import kernels

HOLD_SECONDS = 2
SETTLE_SECONDS = 5
KIB_PER_MIB = 1024

# What a guest with this library says of its memory: what it is called, and where.
SYSFS = "/sys/kernel/mm/page_reporting"
GUEST_SAYS = {
    "waiting": "pending_kb",
    "at the host just now": "isolated_kb",
    "reported so far": "stats/reported_kb",
}
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Run:
    """What one guest did; times are seconds since it began to free."""

    name: str
    label: str
    release: str
    peak_mib: int
    freed_mib: int
    freeing_took: float
    half_back: float | None
    almost_back: float | None
    samples: list[tuple[float, int]]  # (seconds, MiB)


class Host:
    """What runs the guests, and what is asked of them if the user does not say.

    @watched is for how long a guest is followed after it has freed its memory,
    @patience for how long if that is not back.
    """

    name = "demo"
    variants = DEMO
    mem_mib, free_mib = 4096, 3072
    watched, patience = 20, 30
    touch = "touch-free"

    def __init__(self) -> None:
        self.accelerator = accel.choose(vm.kernel_image(self.variants[0].kernel))

    def guest(self, variant: Variant, mem_mib: int) -> vm.Machine:
        """Return a guest that is not started yet."""
        return vm.Vm(
            vm.kernel_image(variant.kernel),
            name=f"{self.name}-{variant.name}",
            accel=self.accelerator,
            memory=f"{mem_mib}M",
            balloon=variant.balloon,
            append=variant.append,
        )

    def facts(self) -> dict[str, str]:
        """Return what the report says of the host."""
        version = first_line(vm.QEMU, "--version")
        return {"qemu": version, "accelerator": self.accelerator}


class UmlHost(Host):
    """User Mode Linux, which needs no emulator, and takes a minute."""

    name = "demo-uml"
    variants = DEMO_UML
    mem_mib, free_mib = 1536, 768
    watched, patience = 10, 10
    # there are no huge pages
    touch = "touch-free -p any"

    def __init__(self) -> None:
        image.build_uml_image()

    def guest(self, variant: Variant, mem_mib: int) -> vm.Machine:
        """Return a guest that is not started yet."""
        return Uml(
            kernels.KERNELS[variant.kernel].image,
            name=f"{self.name}-{variant.name}",
            memory=f"{mem_mib}M",
            append=variant.append,
        )

    def facts(self) -> dict[str, str]:
        """Return what the report says of the host."""
        return {"uml": "User Mode Linux"}


BACKENDS: dict[str, type[Host]] = {"virtio": Host, "uml": UmlHost}


def ask(guest: vm.Machine) -> dict[str, int]:
    """Return what the guest says of its memory, in KiB; nothing without the library."""
    files = " ".join(f"{SYSFS}/{name}" for name in GUEST_SAYS.values())
    found = guest.try_run(f"cat {files} 2>/dev/null")
    return dict(zip(GUEST_SAYS, map(int, found.output.split())))


class Display:
    """A bar that moves in a terminal, a line a second elsewhere; the view, if any.

    Its time starts when the memory is freed; the touching before is shown too.
    """

    WIDTH = 40

    def __init__(
        self, variant: Variant, full_mib: int, view: live.Live | None
    ) -> None:
        self._label = variant.label
        self._full = full_mib
        self._view = view
        if view:
            view.begin(variant.name, variant.label, full_mib)
        self._live = sys.stdout.isatty()
        self._interval = 0.1 if self._live else 1.0
        self._next = 0.0
        self.start: float | None = None

    def show(self, at: float, kib: int) -> None:
        """Show how much memory the guest has on the host now."""
        if self._view:
            self._view.sample(at, kib)
        if at < self._next:
            return
        self._next = at + self._interval
        mib = kib // KIB_PER_MIB
        filled = min(round(self.WIDTH * mib / self._full), self.WIDTH)
        bar = "#" * filled + "." * (self.WIDTH - filled)
        when = "touching" if self.start is None else f"{at - self.start:6.1f} s"
        line = f"  {self._label:<20} {when:8}  [{bar}] {mib:5d} MiB"
        print(f"\r{line}" if self._live else line, end="", flush=True)
        if not self._live:
            print(flush=True)

    def freed(self, at: float) -> None:
        """Count the time from here."""
        self.start = at
        if self._view:
            self._view.freed(at)

    def look(self, guest: vm.Machine) -> None:
        """Have the view show what the guest says of its memory.

        Without a view it is not asked, because that takes its time.
        """
        if self._view:
            self._view.says(ask(guest))
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End the bar's line."""
        if self._live:
            print(flush=True)


def setting(name: str, default: int) -> int:
    """Return a size in MiB from the environment."""
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or int(text) < 256:
        raise SystemExit(f"{name}={text}: give a size of at least 256, in MiB")
    return int(text)


def chosen_host() -> type[Host]:
    """Return the kind of host that BACKEND in the environment asks for."""
    wanted = os.environ.get("BACKEND") or "virtio"
    if wanted not in BACKENDS:
        raise SystemExit(f"BACKEND={wanted} is not one of {', '.join(BACKENDS)}")
    return BACKENDS[wanted]


def chosen_variants(known: Sequence[Variant]) -> list[Variant]:
    """Return the variants that KERNEL in the environment asks for."""
    wanted = os.environ.get("KERNEL") or "all"
    names = [variant.name for variant in known]
    if wanted != "all" and wanted not in names:
        raise SystemExit(f"KERNEL={wanted} is not one of {', '.join(names)}, all")
    return [v for v in known if wanted in ("all", v.name)]


def settle(guest: vm.Machine) -> None:
    """Wait until the memory of the fresh guest has stopped changing."""
    level, calm_since = guest.host_kib(), time.monotonic()
    deadline = calm_since + 4 * SETTLE_SECONDS
    while time.monotonic() < min(calm_since + SETTLE_SECONDS, deadline):
        time.sleep(0.2)
        now = guest.host_kib()
        if abs(now - level) > 8 * KIB_PER_MIB:
            level, calm_since = now, time.monotonic()


def time_until(samples: list[tuple[float, int]], mib: float) -> float | None:
    """Return when the memory first was at this level or below."""
    return next((at for at, have in samples if at >= 0 and have <= mib), None)


def watch(
    host: Host, guest: vm.Machine, display: Display, start: float, enough_mib: float
) -> None:
    """Wait after the free, for as long as the host memory is of interest."""
    while True:
        enough = guest.host_kib() <= enough_mib * KIB_PER_MIB
        if time.monotonic() - start >= (host.watched if enough else host.patience):
            return
        display.look(guest)
        time.sleep(0.1)


def measure(
    host: Host, variant: Variant, mem_mib: int, free_mib: int, view: live.Live | None
) -> Run:
    """Boot one guest, touch and free memory in it, and follow its host memory."""
    print(f"{variant.label}: booting a guest of {mem_mib} MiB ...", flush=True)
    with host.guest(variant, mem_mib) as guest:
        release = guest.run("uname -r")
        settle(guest)
        display = Display(variant, mem_mib, view)
        sampler = RssSampler(
            guest.pid, display.show, read=lambda _pid: guest.host_kib()
        )
        sampler.start()
        marks = {}
        program = f"{host.touch} -s {HOLD_SECONDS} {free_mib}"
        for line in guest.stream(program, timeout=600):
            marks[line] = time.monotonic()
            if line == "freeing":
                display.freed(marks[line])
                peak = guest.host_kib() // KIB_PER_MIB
        start = marks["freeing"]
        watch(host, guest, display, start, peak - 0.95 * free_mib)
        samples = relative(sampler.stop(), start)
        display.close()
    return Run(
        name=variant.name,
        label=variant.label,
        release=release,
        peak_mib=peak,
        freed_mib=free_mib,
        freeing_took=round(marks["freed"] - start, 3),
        half_back=time_until(samples, peak - 0.50 * free_mib),
        almost_back=time_until(samples, peak - 0.95 * free_mib),
        samples=samples,
    )


def relative(samples: list[Sample], start: float) -> list[tuple[float, int]]:
    """Return (seconds since start, MiB), without the long time before."""
    return [
        (round(at - start, 3), kib // KIB_PER_MIB)
        for at, kib in samples
        if at >= start - HOLD_SECONDS
    ]


def seconds(value: float | None) -> str:
    """Show a time for the table."""
    return f"{value:.2f} s" if value is not None else "never"


def table(runs: list[Run]) -> str:
    """Return the summary."""
    lines = [f"{'':<20} {'50 % back':>10} {'95 % back':>10} {'left after':>12}"]
    for run in runs:
        left = f"{run.samples[-1][1]} MiB"
        times = f"{seconds(run.half_back):>10} {seconds(run.almost_back):>10}"
        lines.append(f"{run.label:<20} {times} {left:>12}")
    return "\n".join(lines)


def write_report(host: Host, runs: list[Run], mem_mib: int) -> None:
    """Write the numbers and the picture."""
    REPORT.mkdir(parents=True, exist_ok=True)
    report = {
        "command": shlex.join(["make", "demo", *settings_given()]),
        "version": version.described(),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "host": {"kernel": platform.release(), "cpus": os.cpu_count()},
        **host.facts(),
        "mem_mib": mem_mib,
        "watched": host.watched,
        "runs": [asdict(run) for run in runs],
    }
    data, picture = (REPORT / f"{host.name}.{kind}" for kind in ("json", "png"))
    data.write_text(json.dumps(report) + "\n", encoding="utf-8")
    plot.draw(report, picture)
    print(f"Wrote {paths.shown(data)} and {paths.shown(picture)}.")


def settings_given() -> list[str]:
    """Return the make variables that were set, as given on its command line."""
    names = ("BACKEND", "MEM", "FREE", "KERNEL", "LIVE", "KERNEL_SOURCE")
    return [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]


def run() -> None:
    """Run the demo."""
    kind = chosen_host()
    mem_mib, free_mib = setting("MEM", kind.mem_mib), setting("FREE", kind.free_mib)
    if free_mib > mem_mib - 512:
        raise SystemExit(
            f"FREE={free_mib} does not fit: at most MEM - 512 = {mem_mib - 512} MiB"
        )
    variants = chosen_variants(kind.variants)
    view = live.wanted()
    print(f"Free page reporting {version.described()}", flush=True)
    host = kind()
    runs = [measure(host, variant, mem_mib, free_mib, view) for variant in variants]
    print(f"\n{free_mib} MiB freed in an idle guest of {mem_mib} MiB:")
    print(table(runs) + "\n")
    write_report(host, runs, mem_mib)


def main() -> None:
    """Entry point of `make demo`."""
    vm.explain(run)
