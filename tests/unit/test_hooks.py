# SPDX-License-Identifier: GPL-2.0
"""The hooks of git: how they are installed, and what a message may be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from lab.base.paths import ROOT

GOOD = (
    "mm/page_reporting: count what is skipped\n",
    "README, Documentation: a word\n\nWhy it is so.\n",
    "scripts: x\n\n    what is indented may be of any length, as the output of a"
    " command that somebody ran\n",
    "fixup! whatever\n",
)
BAD = {
    "mm/page_reporting: count what is skipped.\n": "no 'subsystem",
    "Count what is skipped\n": "no 'subsystem",
    f"mm: {'long ' * 15}subject\n": "more than 75",
    "mm: count\nWhat is skipped.\n": "no empty line",
    f"mm: count\n\n{'long ' * 15}line\n": "more than 75",
}


def try_message(message: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the hook as git does."""
    file = folder / "COMMIT_EDITMSG"
    file.write_text(f"{message}# a comment of git, which may be long {'x' * 80}\n")
    hook = ROOT / "scripts/hooks/commit-msg"
    return subprocess.run([hook, file], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("message", GOOD)
def test_good_message(message: str, tmp_path: Path) -> None:
    """It passes without a word."""
    done = try_message(message, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("message", BAD)
def test_bad_message(message: str, tmp_path: Path) -> None:
    """The hook says what is wrong with it."""
    done = try_message(message, tmp_path)
    assert done.returncode == 1
    assert BAD[message] in done.stderr


def install(folder: Path) -> subprocess.CompletedProcess[str]:
    """Install the hooks in a repository that has the script."""
    script = folder / "scripts/install-hooks"
    return subprocess.run(["sh", script], capture_output=True, text=True, check=False)


def hooks_path(folder: Path) -> str:
    """Return where git looks for hooks."""
    command = ["git", "-C", str(folder), "config", "--local", "core.hooksPath"]
    return subprocess.run(
        command, capture_output=True, text=True, check=False
    ).stdout.strip()


def test_install(tmp_path: Path) -> None:
    """It can be done twice, and takes no hooks of the user away."""
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/install-hooks", tmp_path / "scripts")
    for _ in range(2):
        assert install(tmp_path).returncode == 0
        assert hooks_path(tmp_path) == "scripts/hooks"
    subprocess.run(
        ["git", "-C", tmp_path, "config", "core.hooksPath", "elsewhere"], check=True
    )
    assert "elsewhere" in install(tmp_path).stderr
    assert hooks_path(tmp_path) == "elsewhere"


def test_hooks_can_be_run() -> None:
    """git passes over those that cannot."""
    hooks = sorted((ROOT / "scripts/hooks").iterdir())
    assert [hook.name for hook in hooks] == ["commit-msg", "pre-commit"]
    assert all(hook.stat().st_mode & 0o111 for hook in hooks)
