# SPDX-License-Identifier: GPL-2.0
"""Several versions of QEMU: where each is, and is it the one that runs?"""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.base import paths
from lab.guest import qemu


def test_where_they_are() -> None:
    """One is found by its name, what was fetched lies below build/."""
    assert qemu.program("7.2") == "qemu-system-x86_64"
    assert qemu.program("10.0") == str(paths.TOP / "qemu-10.0/qemu-system-x86_64")


@pytest.mark.parametrize("found, right", [("10.0.2", True), ("9.2.1", False)])
def test_another_than_was_asked_for(
    found: str, right: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is measured or tested with a QEMU of another name."""
    monkeypatch.setattr(qemu, "folder", lambda version: tmp_path)
    program = tmp_path / qemu.NAME
    program.write_text(f"#!/bin/sh\necho QEMU emulator version {found}\n")
    program.chmod(0o755)
    if right:
        qemu.check("10.0")
        return
    with pytest.raises(SystemExit) as error:
        qemu.check("10.0")
    assert "QEMU 10.0 was expected" in str(error.value) and found in str(error.value)
