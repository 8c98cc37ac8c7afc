# SPDX-License-Identifier: GPL-2.0
"""The host's huge pages: set aside, and given back whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.guest.huge_pages import HugePages, HugePagesError


@pytest.fixture(name="pool")
def fixture_pool(tmp_path: Path) -> Path:
    """Return files like those of a host with three huge pages, two of them free."""
    (tmp_path / "nr_hugepages").write_text("3\n")
    (tmp_path / "free_hugepages").write_text("2\n")
    return tmp_path


def size(pool: Path) -> int:
    """Return how many huge pages there are."""
    return int((pool / "nr_hugepages").read_text())


def test_more_for_a_while(pool: Path) -> None:
    """64 MiB are 32 pages, beside those that were there before."""
    with HugePages(64, pool, pool / "note") as pages:
        assert size(pool) == 35
        assert pages.free_kib() == 4096
    assert size(pool) == 3


def test_what_a_killed_run_left_is_given_back(pool: Path) -> None:
    """Leaving without giving back, as after SIGKILL."""
    (pool / "note").write_text("3\n")
    (pool / "nr_hugepages").write_text("35\n")
    with HugePages(64, pool, pool / "note"):
        assert size(pool) == 35
    assert size(pool) == 3
    assert not (pool / "note").exists()


def test_given_back_after_an_error(pool: Path) -> None:
    """The context is left by an exception."""
    with pytest.raises(ZeroDivisionError):
        with HugePages(64, pool, pool / "note"):
            raise ZeroDivisionError
    assert size(pool) == 3


def test_too_few_are_refused(pool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has less memory to spare makes the pool smaller than asked."""
    monkeypatch.setattr(HugePages, "_size", lambda self: min(size(pool), 10))
    with pytest.raises(HugePagesError, match="is 10 instead of 35"):
        with HugePages(64, pool, pool / "note"):
            pass
    assert size(pool) == 3


def test_a_host_without_them(tmp_path: Path) -> None:
    """The message names what is missing."""
    with pytest.raises(HugePagesError, match="this host has no .*nr_hugepages"):
        with HugePages(64, tmp_path, tmp_path / "note"):
            pass
