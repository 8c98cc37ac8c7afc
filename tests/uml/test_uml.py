# SPDX-License-Identifier: GPL-2.0
"""Memory that a guest on User Mode Linux frees is back at the host, which is asked."""

from __future__ import annotations

import errno
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Boot
from lab.base.paths import ROOT
from lab.guest.uml import BYTES_PER_BLOCK, Uml
from reporting import (
    SMALL_FREES_KIB,
    SYSFS,
    backend,
    meminfo_kib,
    retain_nothing,
    start_scatter,
    stat,
    tunable,
    tune,
    unreported_kib,
    wait_drained,
    wait_until,
)

GUIDE = ROOT / "Documentation/admin-guide/mm/page_reporting.rst"
REFUSING = Path(__file__).with_name("fallocate.c")
# So much that what the guest's own programs take meanwhile, which leaves blocks that
# are not whole, some 6 to 17 MiB, is clearly less than a tenth.
USED_MIB = 256
# The per-CPU lists of the allocator keep some, and the guest's own programs.
MOST_KIB = (USED_MIB << 10) * 9 // 10
# MAX_PAGE_ORDER, which is 10, is what is reported.
LARGEST_KIB = 4096
NEVER_MS = 600000
OFF = "uml: page reporting: off"


def use(guest: Uml, mib: int = USED_MIB) -> int:
    """Use memory and free it; return what the host had given while it was used."""
    peak = 0
    for mark in guest.stream(f"touch-free -p any {mib}"):
        if mark == "touched":
            peak = guest.host_kib()
    return peak


def refusing(error: int, **settings: object) -> dict[str, Any]:
    """Return the options of a guest whose host refuses to punch holes."""
    values = [("ERROR", error), *settings.items()]
    environment = {f"FALLOCATE_{name}": str(value) for name, value in values}
    return {"environment": environment, "preload": [REFUSING]}


def all_returned(guest: Uml) -> bool:
    """Tell whether the host has every block that is free and whole in the guest."""
    if unreported_kib(guest) > SMALL_FREES_KIB:
        return False
    *_, largest = guest.read("/proc/buddyinfo").split()
    whole_kib = int(largest) * LARGEST_KIB
    all_kib = guest.memory_file().stat().st_size // 1024
    return guest.host_kib() <= all_kib - whole_kib + SMALL_FREES_KIB


def pending_kib(guest: Uml) -> int:
    """Return what is to be reported."""
    return tunable(guest, "pending_kb")


def complaints(guest: Uml, about: str) -> list[str]:
    """Return the lines of the console that have these words."""
    return [line for line in guest.console_text().splitlines() if about in line]


@pytest.fixture(scope="module", name="guest")
def fixture_guest(boot: Boot) -> Iterator[Uml]:
    """Return a guest that gives its memory back, and retains nothing."""
    with boot("on", "on") as guest:
        assert backend(guest) == "uml"
        retain_nothing(guest)
        wait_drained(guest)
        yield guest


@pytest.fixture(autouse=True)
def defaults(request: pytest.FixtureRequest) -> None:
    """Start each test of the shared guest with nothing to report."""
    if "guest" in request.fixturenames:
        guest = request.getfixturevalue("guest")
        tune(guest, age_ms=0, piece_age_ms=0, consolidate_percent=0, enabled=1)
        wait_drained(guest)
        tune(guest, age_ms=500)


def test_freed_memory_returns(guest: Uml) -> None:
    """The file has fewer blocks, and the process less memory, without being asked."""
    before = guest.host_kib()
    peak = use(guest)
    assert peak - before > MOST_KIB
    wait_until(lambda: all_returned(guest), "memory at the host")
    assert peak - guest.host_kib() > MOST_KIB
    # What the kernel has mapped is the same memory.
    assert guest.rss_kib() < peak - MOST_KIB // 2


def test_nothing_returns_unasked(boot: Boot) -> None:
    """Without the parameter's word the host keeps all that was ever used."""
    with boot("off", "off") as guest:
        assert backend(guest) == "none"
        peak = use(guest)
        flush = guest.try_run(f"echo 1 >{SYSFS}/flush")
        assert flush.status and "No such device" in flush.output
        # longer than memory would have to be free
        guest.run("sleep 2")
        assert guest.host_kib() > peak - (USED_MIB << 10) // 10
        assert not complaints(guest, OFF)


def test_flush_returns_all(guest: Uml) -> None:
    """When a flush has ended, the host has it, and no more than was reported."""
    tune(guest, age_ms=NEVER_MS)
    idle = guest.host_kib()
    use(guest)
    reported, before = stat(guest, "reported_kb"), guest.host_kib()
    # the first pages that were used are those that the host has behind fragments
    assert before - idle > MOST_KIB // 2
    assert stat(guest, "failed_kb") == 0
    tune(guest, flush=1)
    after = guest.host_kib()
    assert after - idle < (USED_MIB << 10) - MOST_KIB
    assert all_returned(guest)
    # looking at it takes memory, too
    assert before - after <= stat(guest, "reported_kb") - reported + 1024


def test_pieces_return(guest: Uml) -> None:
    """Memory that is free between pages in use returns, if that is asked for."""
    kept_kib = USED_MIB << 9
    start_scatter(guest, USED_MIB, 1024)
    wait_drained(guest)
    whole = guest.host_kib()
    tune(guest, piece_age_ms=100)
    enough = kept_kib * 8 // 10
    wait_until(lambda: whole - guest.host_kib() > enough, "the pieces at the host")
    guest.run("killall scatter")


def test_contents_survive(guest: Uml) -> None:
    """What is in use keeps its contents while all else goes, page by page."""
    tune(guest, age_ms=0, order=0)
    before = stat(guest, "reported_kb")

    def busy() -> bool:
        check = guest.run("integrity -t 3 -m 64 -s 5", timeout=300)
        assert "no wrong word" in check
        return stat(guest, "reported_kb") - before > 32 << 10

    wait_until(busy, "32 MiB reported meanwhile", 300)
    assert stat(guest, "failed_kb") == 0
    tune(guest, order=10)


def test_command_of_the_guide(guest: Uml) -> None:
    """What the admin guide has users look at is the guest's memory."""
    found = re.search(r"^    (find /proc/PID/fd .*)$", GUIDE.read_text("utf-8"), re.M)
    assert found
    command = found[1].replace("PID", str(guest.pid))
    shown = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True
    )
    size = guest.memory_file().stat().st_size
    line = rf"^{size} bytes, (\d+) blocks of {BYTES_PER_BLOCK}$"
    blocks = re.search(line, shown.stdout, re.MULTILINE)
    assert blocks and int(blocks[1]) > 0


def test_host_that_cannot(boot: Boot) -> None:
    """It costs one line and the reporting, and nothing else."""
    with boot("cannot", "on", **refusing(errno.EOPNOTSUPP)) as guest:
        assert backend(guest) == "none"
        assert len(complaints(guest, "page reporting:")) == 1
        (line,) = complaints(guest, OFF)
        assert "EOPNOTSUPP" in line and "TMPDIR" in line
        assert "no wrong word" in guest.run("integrity -t 2 -m 64 -s 1")


def test_host_without_room_for_now(boot: Boot, tmp_path: Path) -> None:
    """What it did not take is offered again, and reaches it in the end."""
    healed = tmp_path / "healed"
    options = refusing(errno.ENOSPC, GOOD=1, HEALED=healed)
    with boot("no-room", "on", **options) as guest:
        retain_nothing(guest)
        peak = use(guest)
        wait_until(lambda: pending_kib(guest) > MOST_KIB, "memory to be reported")
        before = stat(guest, "failed_kb")
        # nobody waits for the end of the back-off
        tune(guest, enabled=1)
        wait_until(lambda: stat(guest, "failed_kb") > before, "memory refused")
        assert backend(guest) == "uml"
        assert pending_kib(guest) > MOST_KIB
        assert stat(guest, "reported_kb") == 0
        assert guest.host_kib() > peak - (USED_MIB << 10) // 10

        healed.touch()
        tune(guest, enabled=1)
        wait_until(lambda: all_returned(guest), "memory at the host")
        assert peak - guest.host_kib() > MOST_KIB


def test_host_that_fails(boot: Boot, tmp_path: Path) -> None:
    """It is left alone until the user says so, and no memory is lost."""
    healed = tmp_path / "healed"
    options = refusing(errno.EIO, GOOD=1, HEALED=healed)
    with boot("fails", "on", **options) as guest:
        retain_nothing(guest)
        wait_until(lambda: backend(guest) == f"uml:{-errno.EIO}", "the error")
        assert len(complaints(guest, "failed with -EIO, reporting stopped")) == 1
        free = meminfo_kib(guest)
        peak = use(guest)
        guest.try_run(f"echo 1 >{SYSFS}/flush")
        wait_until(lambda: meminfo_kib(guest) > free - 4096, "all memory free again")

        healed.touch()
        tune(guest, enabled=1)
        wait_until(lambda: all_returned(guest), "memory at the host")
        assert peak - guest.host_kib() > MOST_KIB
        assert backend(guest) == "uml"


@pytest.mark.parametrize(
    "append, reports", [("page_poison=1", False), ("init_on_free=1", True)]
)
def test_poison(boot: Boot, append: str, reports: bool) -> None:
    """Free pages that must keep a pattern are not given away, cleared ones are."""
    with boot("poison", "on", append=append) as guest:
        assert backend(guest) == ("uml" if reports else "none")
        assert len(complaints(guest, OFF)) == (not reports)
        use(guest)
        use(guest)
