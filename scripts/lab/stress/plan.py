# SPDX-License-Identifier: GPL-2.0
"""What happens in a stress run: a pure function of the seed.

The order of events is in the plan, how long each takes is not: so another run of the
same seed does the same, but does not meet the same races.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

MODULES = ("example_backend", "keeping_backend", "null_backend", "broken_backend")
DIMMS = ("dimm0", "dimm1")
PROCESSORS = 4

# What a tunable takes, often and at its limits.
VALUES: dict[str, Sequence[object]] = {
    "order": (0, 1, 3, 5, 7, 8, 9, 9, 9, 10),
    "age_ms": (0, 0, 20, 100, 500, 2000, 600000),
    "max_age_ms": (0, 0, 1000, 10000, 600000),
    "piece_age_ms": (0, 0, 1, 100, 2000),
    "consolidate_percent": (0, 20, 50, 100),
    "unbacked_max_kb": (0, 65536, 4294967294, "max"),
    "unbacked_reserve_percent": (0, 5, 50, 100),
    "enabled": (0, 1, 1, 1),
}

# What it does not take.
INVALID = ("-1", "4294967296", "99999999999999999999", "nine", "1s", "0x", "''")
TOO_LARGE = {
    "order": "11",
    "age_ms": "600001",
    "max_age_ms": "600001",
    "piece_age_ms": "600001",
    "consolidate_percent": "101",
    "unbacked_reserve_percent": "101",
    "enabled": "2",
}

Arguments = tuple[object, ...]


@dataclass(frozen=True)
class Event:
    """One thing that happens."""

    number: int
    kind: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((str(self.number), self.command))

    @property
    def command(self) -> str:
        """What it is, as tests/guest/stress takes it."""
        return " ".join((self.kind, *self.arguments))


@dataclass(frozen=True)
class Kind:
    """A kind of events.

    The larger its weight, the more often it comes.  Of those that need the same,
    one happens at a time.  What it may be refused for is a pattern of messages.
    """

    name: str
    weight: int
    arguments: Callable[[Random], Arguments]
    needs: str = ""
    refusals: str = "nothing"


def _tune(random: Random) -> Arguments:
    name = random.choice(list(VALUES))
    return name, random.choice(VALUES[name])


def _refuse(random: Random) -> Arguments:
    name = random.choice(list(VALUES))
    invalid = [*INVALID, *([TOO_LARGE[name]] if name in TOO_LARGE else [])]
    return name, random.choice(invalid)


def _backend(random: Random) -> Arguments:
    module = random.choice(MODULES)
    options: dict[str, Sequence[str]] = {
        "broken_backend": ("slow_ms=0", "slow_ms=20"),
        "keeping_backend": ("delay_ms=0", "delay_ms=20"),
        "example_backend": ("refuse=0", "refuse=1"),
    }
    chosen = [random.choice(options[module])] if module in options else []
    return random.randrange(1, 4), random.randrange(8, 256), module, *chosen


def _rest(random: Random) -> Arguments:
    level = random.choice(("freezer", "devices"))
    return level, random.choice(("freeze", "freeze", "freeze", "disk"))


def _starve_tune(random: Random) -> Arguments:
    name = random.choice(("order", "piece_age_ms"))
    return random.randrange(1, 30), name, random.choice(VALUES[name])


BUSY = "busy|Cannot allocate memory|Interrupted|temporarily unavailable"
KILLED = "killed|Killed"
GONE = "No such|nonexistent|can't open|can't create"

# In the guest, by tests/guest/stress.
IN_GUEST = (
    Kind(
        "pages",
        12,
        lambda r: (r.choice(("4k", "2m")), r.randrange(16, 320), r.randrange(1, 5)),
        refusals=KILLED,
    ),
    Kind("cache", 6, lambda r: (r.randrange(32, 512),), refusals=KILLED),
    Kind("file", 3, lambda r: (r.randrange(8, 192),)),
    Kind("forks", 4, lambda r: (r.randrange(8, 80),), refusals=KILLED),
    Kind("group", 3, lambda r: (r.randrange(16, 96),)),
    Kind(
        "scatter_some",
        4,
        lambda r: (r.randrange(32, 320), r.randrange(1, 9)),
        refusals=KILLED,
    ),
    Kind("hugetlb", 4, lambda r: (r.randrange(16, 512),), "pool"),
    Kind("compact", 4, lambda r: (r.randrange(1, 4),)),
    Kind(
        "block",
        5,
        lambda r: (r.randrange(1000), r.randrange(4)),
        "block",
        refusals=f"in use|{BUSY}|{GONE}|Invalid",
    ),
    Kind(
        "processor",
        4,
        lambda r: (r.randrange(1, PROCESSORS), r.randrange(3)),
        "processor",
        refusals=BUSY,
    ),
    # some kernels cannot hibernate
    Kind("rest", 3, _rest, "rest", refusals=f"{BUSY}|Operation not permitted"),
    Kind("tune", 16, _tune, "tunables", refusals=BUSY),
    Kind("refuse", 8, _refuse, "tunables"),
    Kind(
        "flush",
        6,
        lambda r: (r.choice(("1", "1", "all")),),
        # reporting may be off meanwhile, or a backend may be there that refuses
        refusals=f"{BUSY}|No such device|Operation not permitted|Input/output error",
    ),
    Kind("rebind", 4, lambda r: (r.randrange(1, 4),), "balloon", refusals=BUSY),
    Kind("backend", 5, _backend, "balloon", refusals=BUSY),
    Kind("intruder", 2, lambda r: (r.randrange(1, 5),), "balloon"),
    Kind("starve_tune", 3, _starve_tune, "tunables", refusals=BUSY),
    Kind("starve_bind", 2, lambda r: (r.randrange(1, 200),), "balloon"),
    Kind(
        "starve_block",
        2,
        lambda r: (r.randrange(1, 60), r.randrange(1000)),
        "block",
        refusals=f"in use|{BUSY}|{GONE}",
    ),
)

# By the hardware, see hardware.py.
DIMM = Kind("dimm", 4, lambda r: (r.choice(DIMMS), r.choice((128, 256, 512))))
DEVICE = Kind("device", 2, lambda r: (), "balloon")
INFLATE = Kind("inflate", 4, lambda r: (r.randrange(0, 513, 32),), "balloon")
VIRTIO_MEM = Kind("virtio_mem", 5, lambda r: (r.randrange(0, 1025, 64),))
SLEEP = Kind("sleep", 1, lambda r: (), "rest")
BY_HARDWARE = (DIMM, DEVICE, INFLATE, VIRTIO_MEM, SLEEP)

KINDS = {kind.name: kind for kind in (*IN_GUEST, *BY_HARDWARE)}

STARVE = ("starve_tune", "starve_bind", "starve_block")

# What cannot happen with kernels that are not built for it: without a driver, or
# without ACPI, modules that are loaded, disks and suspend.
LACKS: dict[str, tuple[str, ...]] = {
    "stress": (),
    "ours": ("virtio_mem", *STARVE),
    "debug": (
        "backend", "cache", "device", "dimm", "intruder", "rest", "sleep", "virtio_mem",
        *STARVE,
    ),
}  # fmt: skip


def kinds(kernel: str) -> list[str]:
    """Return the kinds of events that can happen with a kernel."""
    return [name for name in KINDS if name not in LACKS[kernel]]


def plan(seed: int, names: Sequence[str]) -> Iterator[Event]:
    """Yield the events of a seed for ever, of these kinds."""
    random = Random(seed)
    weights = [KINDS[name].weight for name in names]
    for number in count(1):
        kind = KINDS[random.choices(names, weights)[0]]
        arguments = tuple(map(str, kind.arguments(random)))
        yield Event(number, kind.name, arguments)
