# SPDX-License-Identifier: GPL-2.0
"""The patches of `make series` turn the stock kernel into the integrated one."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import paths, series


def test_series_applies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them apply in their order, and nothing is missing then."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    for number, (key, value) in enumerate(
        {"user.name": "Nobody", "user.email": "nobody@example.org"}.items()
    ):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setattr(series, "OUTPUT", tmp_path / "series")
    assert series.main() == 0
    names = series.changed_files()
    repository = tmp_path / "linux"
    repository.mkdir()
    series.git(repository, "init", "--quiet")
    series.copy(names, paths.STOCK_TREE, repository)
    series.commit(repository, "the stock kernel")
    patches = sorted(series.OUTPUT.glob("*.patch"))
    assert len(patches) > 3
    series.git(repository, "am", "--quiet", *map(str, patches))
    for name in names:
        ours, applied = paths.TREE / name, repository / name
        assert applied.is_file() == ours.is_file(), name
        if ours.is_file():
            assert applied.read_bytes() == ours.read_bytes(), name
