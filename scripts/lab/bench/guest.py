# SPDX-License-Identifier: GPL-2.0
"""What the benchmarks share: the kernels compared, their guests, and waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base.waiting import wait_for
from lab.guest.memory import Sample
from lab.guest.variants import Variant
from lab.guest.vm import Vm, VmError, kernel_image

Result = dict[str, Any]

SYSFS = "/sys/kernel/mm/page_reporting"
KIB_PER_MIB = 1024
MINFLT = 7  # in /proc/PID/stat, counted from the field behind the name

# The stock kernel takes up to 30 s to report what is free when it has booted,
# which host memory does not show: it was never used.
REST_SECONDS = 35
STEADY_MIB = 8


@dataclass(frozen=True)
class Bench:
    """How to run: the accelerator, and by what to divide sizes and times."""

    accel: str
    scale: int

    def mib(self, full: int) -> int:
        """Return the size to use where the full one is given."""
        return max(full // self.scale, 8)

    def seconds(self, full: float) -> float:
        """Return the time to use where the full one is given."""
        return max(full / self.scale, 1.5)

    @contextmanager
    def guest(
        self, variant: Variant, name: str, mib: int, **options: Any
    ) -> Iterator[Vm]:
        """Boot a guest with so much memory to use, and let it come to rest."""
        with self.booting(variant, name, mib, **options) as guest:
            rest(guest, self.seconds(REST_SECONDS))
            yield guest

    def booting(
        self, variant: Variant, name: str, mib: int, append: str = "", **options: Any
    ) -> Vm:
        """Return a guest to boot; it gets 512 MiB more for its own use."""
        return Vm(
            kernel_image(variant.kernel),
            name=f"bench-{name}-{variant.name}",
            accel=self.accel,
            memory=f"{mib + 512}M",
            balloon=variant.balloon,
            append=" ".join(filter(None, (append, variant.append))),
            **options,
        )


def counted_guest(variant: Variant, name: str, memory: str, **options: Any) -> Vm:
    """Return a guest to boot whose clock counts the instructions of its one CPU."""
    return Vm(
        kernel_image(variant.kernel),
        name=f"bench-{name}-{variant.name}",
        accel="icount",
        memory=memory,
        cpus=1,
        balloon=variant.balloon,
        append=variant.append,
        **options,
    )


def rest(guest: Vm, seconds: float) -> None:
    """Wait until the host memory of a guest was steady for so long."""
    level, since = guest.rss_kib(), time.monotonic()
    deadline = since + 3 * seconds
    while time.monotonic() < min(since + seconds, deadline):
        time.sleep(0.1)
        now = guest.rss_kib()
        if abs(now - level) > STEADY_MIB * KIB_PER_MIB:
            level, since = now, time.monotonic()


def start_program(guest: Vm, command: str) -> None:
    """Start a program in the guest, with its output in /tmp/PROGRAM.out."""
    output = f"/tmp/{command.split()[0]}.out"
    guest.run(f"{command} >{output} 2>&1 &")


def wait_output(guest: Vm, program: str, text: str, seconds: float) -> None:
    """Wait until a program that was started has printed something."""
    command = f"grep -q '{text}' /tmp/{program}.out"
    if not wait_for(lambda: guest.try_run(command).status == 0, seconds):
        raise VmError(f"{guest.name}: {program} did not print '{text}' in time")


def hold_memory(guest: Vm, mib: int) -> None:
    """Have a program touch memory and hold it until it is killed."""
    start_program(guest, f"touch-free -s 3600 {mib}")
    wait_output(guest, "touch-free", "touched", 300)


def minor_faults(guest: Vm) -> int:
    """Return how often the host had to give QEMU a page so far."""
    text = Path(f"/proc/{guest.pid}/stat").read_text(encoding="utf-8")
    return int(text.rpartition(")")[2].split()[MINFLT])


def reaches(samples: list[Sample], start: float, kib: float) -> float | None:
    """Return how long after the start memory is at this level or below."""
    for at, have in samples:
        if at >= start and have <= kib:
            return round(at - start, 3)
    return None


def stays_below(
    samples: list[Sample], start: float, kib: float, window: float
) -> float | None:
    """Return how long after the start memory stays at this level for a window."""
    below_since: float | None = None
    for at, have in samples:
        if at < start:
            continue
        if have > kib:
            below_since = None
        elif below_since is None:
            below_since = at
        elif at - below_since >= window:
            return round(below_since - start, 3)
    return None


def between(samples: list[Sample], start: float, end: float) -> list[Sample]:
    """Return the samples of a span of time."""
    return [sample for sample in samples if start <= sample[0] < end]
