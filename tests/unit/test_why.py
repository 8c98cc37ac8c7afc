# SPDX-License-Identifier: GPL-2.0
"""page_reporting_why counts every page of a guest once, and says what waits."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest
from lab.base.paths import ROOT

SOURCE = ROOT / "tools/mm/page_reporting_why.c"
SYSFS = "sys/kernel/mm/page_reporting"
PAGE_KIB = 4
ORDER = 3
BLOCK = 1 << ORDER

# Bits of /proc/kpageflags.
UPTODATE, DIRTY, LRU, SLAB = 1 << 3, 1 << 4, 1 << 5, 1 << 7
BUDDY, MAPPED, ANON, SWAPBACKED = 1 << 10, 1 << 11, 1 << 12, 1 << 14
HUGE, NOPAGE, OFFLINE, ZERO = 1 << 17, 1 << 20, 1 << 23, 1 << 24
TABLE, RESERVED = 1 << 26, 1 << 32
CACHED = LRU | UPTODATE
OTHER = 0

USES = {
    "anonymous": LRU | ANON | SWAPBACKED | MAPPED,
    "shmem": LRU | SWAPBACKED | DIRTY | UPTODATE,
    "cache": CACHED,
    "hugetlb": HUGE | ANON,
    "slab": SLAB,
    "page_tables": TABLE,
    "reserved": RESERVED,
    "other": OTHER,
    "balloon": OFFLINE,
    "reported": BUDDY,
}


@pytest.fixture(scope="module", name="program")
def fixture_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program, built for this machine."""
    binary = tmp_path_factory.mktemp("bin") / "page_reporting_why"
    subprocess.run(
        ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", binary, SOURCE], check=True
    )
    return binary


class Copy:
    """Files that were copied from a guest, and what the program says of them."""

    def __init__(self, root: Path, program: Path) -> None:
        self.root = root
        self.program = program
        for name, value in {
            "order": ORDER,
            "enabled": 1,
            "age_ms": 500,
            "max_age_ms": 10000,
            "piece_age_ms": 0,
            "current_age_ms": 500,
            "pending_kb": 0,
            "isolated_kb": 0,
            "unbacked_kb": 0,
            "backends/virtio-balloon/error": 0,
        }.items():
            self.put(f"{SYSFS}/{name}", f"{value}\n")
        self.zone(0)

    def put(self, name: str, text: str) -> None:
        """Write one file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def state(self, name: str, value: int) -> None:
        """Write one file of sysfs."""
        self.put(f"{SYSFS}/{name}", f"{value}\n")

    def zone(self, *counts: int) -> None:
        """Say how many pages the lists of each processor have."""
        lists = "".join(
            f"    cpu: {cpu}\n              count:    {count}\n"
            "              high:     14\n"
            for cpu, count in enumerate(counts)
        )
        text = f"Node 0, zone    DMA32\n  pages free     9\n  pagesets\n{lists}"
        self.put("proc/zoneinfo", text)

    def pages(self, pages: list[int], holes: tuple[range, ...] = ()) -> None:
        """Write the flags of all pages, and the ranges that are memory."""
        data = struct.pack(f"<{len(pages)}Q", *pages)
        (self.root / "proc/kpageflags").write_bytes(data)
        ends = [edge for hole in holes for edge in (hole.start, hole.stop)]
        edges = [0, *ends, len(pages)]
        lines = [
            f"{first * 4096:08x}-{end * 4096 - 1:08x} : System RAM\n"
            f"  {first * 4096:08x}-{first * 4096 + 99:08x} : Kernel code\n"
            for first, end in zip(edges[::2], edges[1::2])
        ]
        lines.append("fec00000-fec003ff : IOAPIC 0\n")
        self.put("proc/iomem", "".join(lines))

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the program."""
        command = [str(self.program), "-r", str(self.root), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def numbers(self) -> dict[str, int]:
        """Return what it counts, in pages."""
        done = self.run("-k")
        assert done.returncode == 0, done.stderr
        rows = [line.split() for line in done.stdout.splitlines()]
        return {row[0].removesuffix("_kb"): int(row[1]) // PAGE_KIB for row in rows}


@pytest.fixture(name="copy")
def fixture_copy(tmp_path: Path, program: Path) -> Copy:
    """Return the copy of a guest with a backend and nothing pending."""
    return Copy(tmp_path, program)


@pytest.mark.parametrize("use", USES)
def test_use(copy: Copy, use: str) -> None:
    """A page counts as what it is used for, and in the sums, and nowhere else."""
    copy.pages([USES[use]] * BLOCK)
    side = "given_back" if use in ("reported", "balloon") else "at_host"
    found = copy.numbers()
    groups = {"memory", side, "programs", "kernel"}
    assert found[use] == found["memory"] == found[side] == BLOCK
    assert {name for name, pages in found.items() if pages} <= groups | {use}


def test_page_that_comes_is_cache(copy: Copy) -> None:
    """Pages on their way to a list are page cache, the zero page is the kernel's."""
    copy.pages([UPTODATE, DIRTY, ZERO, ZERO | SWAPBACKED])
    assert copy.numbers()["cache"] == 2
    assert copy.numbers()["other"] == 2


def test_everything_adds_up(copy: Copy) -> None:
    """Any mixture adds up to what the firmware calls memory; holes are not in it."""
    choice = random.Random(19)
    pages = choice.choices([*USES.values(), NOPAGE], k=BLOCK * 64)
    holes = range(21, 40), range(100, 300)
    copy.pages(pages, holes)
    for hole in holes:
        pages[hole.start : hole.stop] = [NOPAGE] * len(hole)
    copy.zone(7, 5)
    copy.state("isolated_kb", 3 * PAGE_KIB)
    copy.state("unbacked_kb", 2 * PAGE_KIB)
    copy.state("pending_kb", 4 * PAGE_KIB)
    found = copy.numbers()
    assert found["memory"] == sum(page != NOPAGE for page in pages)
    assert found["memory"] == found["at_host"] + found["given_back"]
    sums = ("programs", "kernel", "free")
    assert found["at_host"] == sum(found[name] for name in sums)
    assert (found["cpu_lists"], found["isolated"]) == (12, 3)
    assert found["other"] == pages.count(OTHER) - 15
    assert (found["unbacked"], found["balloon"]) == (2, pages.count(OFFLINE) - 2)


def test_blocks_and_fragments(copy: Copy) -> None:
    """Only a block that is free from end to end is given back."""
    whole = [BUDDY] * BLOCK
    partial = [BUDDY] * (BLOCK - 1) + [SLAB]
    straddling = [SLAB] * 4 + [BUDDY] * 4, [BUDDY] * 4 + [SLAB] * 4
    copy.pages([*whole, *partial, *straddling[0], *straddling[1], *whole])
    found = copy.numbers()
    assert found["reported"] == 2 * BLOCK
    assert found["fragments"] == BLOCK - 1 + 8


def test_block_beside_a_hole_is_no_block(copy: Copy) -> None:
    """Memory that begins or ends in the midst of a block is free in part."""
    copy.pages([BUDDY] * BLOCK * 3, (range(4, BLOCK + 4),))
    found = copy.numbers()
    assert (found["fragments"], found["reported"]) == (8, BLOCK)


@pytest.mark.parametrize("order, whole", [(7, 128 - 2), (3, 128 - 1)])
def test_pieces(copy: Copy, order: int, whole: int) -> None:
    """A piece is the 64th part of a block, but at least a page."""
    copy.state("order", order)
    copy.pages(([SLAB] + [BUDDY] * 127) * 2)
    found = copy.numbers()["pieces"] + copy.numbers()["reported"]
    assert found == 2 * whole


def test_pending(copy: Copy) -> None:
    """What is pending waits; it cannot be more than there are free blocks."""
    copy.pages([BUDDY] * BLOCK * 4)
    copy.state("pending_kb", BLOCK * PAGE_KIB)
    found = copy.numbers()
    assert (found["waiting"], found["reported"]) == (BLOCK, BLOCK * 3)
    assert found["at_host"] == BLOCK
    copy.state("pending_kb", BLOCK * 9 * PAGE_KIB)
    found = copy.numbers()
    assert (found["waiting"], found["reported"]) == (BLOCK * 4, 0)


def why(copy: Copy) -> str:
    """Return the last paragraph of the table."""
    return copy.run().stdout.rpartition("\n\n")[2]


def test_reasons(copy: Copy) -> None:
    """Each reason why memory waits is told apart."""
    copy.pages([BUDDY] * BLOCK)
    assert "aiting:" not in copy.run().stdout
    copy.state("pending_kb", BLOCK * PAGE_KIB)
    assert "Waiting: it is reported when it has been free for 0.5 s" in why(copy)
    copy.state("enabled", 0)
    assert "enabled is 0" in why(copy)
    copy.state("backends/virtio-balloon/error", -5)
    assert "error -5" in why(copy)


def test_without_backend(copy: Copy) -> None:
    """All that is free waits for a driver."""
    copy.pages([BUDDY] * BLOCK * 2)
    (copy.root / SYSFS / "backends/virtio-balloon/error").unlink()
    (copy.root / SYSFS / "backends/virtio-balloon").rmdir()
    assert copy.numbers()["waiting"] == BLOCK * 2
    assert "no driver reports" in why(copy)


def test_retained(copy: Copy) -> None:
    """At a higher age than is asked for, what is pending is retained."""
    copy.pages([BUDDY] * BLOCK * 2)
    copy.state("pending_kb", BLOCK * PAGE_KIB)
    copy.state("current_age_ms", 10000)
    found = copy.numbers()
    assert (found["waiting"], found["retained"]) == (0, BLOCK)
    assert "free for 10.0 s" in why(copy)


def best(blocks: list[tuple[int, int]], fixed_free: int) -> tuple[int, int]:
    """Return how many blocks can be emptied at most, and the pages moved.

    @blocks: pages that are free and that can be moved, of each block
    """
    blocks = sorted(blocks, key=lambda sizes: sizes[1])
    for count in range(len(blocks), 0, -1):
        moved = sum(used for _, used in blocks[:count])
        if moved <= sum(free for free, _ in blocks[count:]) + fixed_free:
            return count * BLOCK, moved
    return 0, 0


@pytest.mark.parametrize("seed", range(12))
def test_what_compaction_can_gain(copy: Copy, seed: int) -> None:
    """The emptiest blocks go first; what cannot be moved keeps its block."""
    choice = random.Random(seed)
    blocks = []
    pages: list[int] = []
    fixed_free = 0
    for _ in range(40):
        free = choice.randrange(1, BLOCK)
        fixed = choice.random() < seed / 12
        rest = [SLAB if fixed else CACHED] * (BLOCK - free)
        if fixed:
            fixed_free += free
        else:
            blocks.append((free, BLOCK - free))
        pages += choice.sample([BUDDY] * free + rest, BLOCK)
    copy.pages(pages)
    found = copy.numbers()
    expected = best(blocks, fixed_free)
    assert (found["compaction_gain"], found["compaction_moves"]) == expected


def test_runs(copy: Copy) -> None:
    """The table says how long the free runs are, each in its class."""
    copy.pages([BUDDY, SLAB, BUDDY, BUDDY, BUDDY, SLAB, BUDDY, BUDDY])
    rows = [line.split() for line in copy.run().stdout.splitlines()]
    assert ["4", "to", "4", "KiB", "0.0", "MiB"] in rows  # 4 KiB
    assert ["8", "to", "12", "KiB", "0.0", "MiB"] in rows
    assert not [row for row in rows if row[:3] == ["16", "to", "28"]]


def test_hidden_addresses(copy: Copy) -> None:
    """Without root /proc/iomem has zeros: said, instead of a guest of no memory."""
    copy.pages([BUDDY])
    copy.put("proc/iomem", "00000000-00000000 : System RAM\n")
    done = copy.run()
    assert done.returncode == 1
    assert "not to you" in done.stderr


def test_flags_that_end_early(copy: Copy) -> None:
    """Less pages than memory is an error, not a smaller guest."""
    copy.pages([BUDDY] * BLOCK)
    copy.put("proc/iomem", "00000000-0000ffff : System RAM\n")
    done = copy.run("-k")
    assert done.returncode == 1
    assert "/proc/kpageflags" in done.stderr


def test_other_kernel(copy: Copy) -> None:
    """Without the library the message says what is needed."""
    copy.pages([BUDDY])
    (copy.root / SYSFS / "order").unlink()
    done = copy.run()
    assert done.returncode == 1
    assert "CONFIG_PAGE_REPORTING" in done.stderr


@pytest.mark.parametrize("option, status", [("--help", 0), ("-h", 0), ("-x", 2)])
def test_usage(program: Path, option: str, status: int) -> None:
    """Help is asked for or deserved."""
    done = subprocess.run(
        [program, option], capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert "usage:" in (done.stderr if status else done.stdout)
