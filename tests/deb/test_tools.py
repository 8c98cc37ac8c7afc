# SPDX-License-Identifier: GPL-2.0
"""The package of the tools has all of them, and Debian's own checks accept it."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest
from lab.base import version
from lab.base.paths import ROOT
from lab.kernel import deb

GUIDE = ROOT / "Documentation/admin-guide/mm/page_reporting.rst"
COMMANDS = ("page_reporting_cold", "page_reporting_top", "page_reporting_why")
TUNABLES = "usr/lib/tmpfiles.d/page-reporting.conf"
COMPLETIONS = "usr/share/bash-completion/completions"


def output(*command: str | Path) -> str:
    """Run a command that must succeed; return what it prints."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module", name="package")
def fixture_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package."""
    folder = tmp_path_factory.mktemp("deb")
    deb.build_tools(folder)
    (package,) = folder.glob("*.deb")
    return package


@pytest.fixture(scope="module", name="root")
def fixture_root(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the package installs."""
    folder = tmp_path_factory.mktemp("root")
    output("dpkg-deb", "-x", package, folder)
    return folder


def test_lintian_has_no_complaint(package: Path) -> None:
    """Debian's own checks find nothing, warnings included."""
    command = ["lintian", "--fail-on", "error,warning", "--allow-root", str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_has_the_version_of_the_project(package: Path) -> None:
    """It is the one that CHANGELOG.md begins with."""
    assert output("dpkg-deb", "-f", package, "Version").strip() == version.number()


@pytest.mark.parametrize("command", COMMANDS)
def test_command(root: Path, command: str) -> None:
    """Each command explains itself, and has a manual page that names each option."""
    usage = output(root / "usr/sbin" / command, "--help")
    assert usage.startswith(f"usage: {command}")
    page = root / f"usr/share/man/man8/{command}.8.gz"
    text = gzip.decompress(page.read_bytes()).decode().replace("\\", "")
    words: list[str] = re.findall(r"(?<=\[)-\w|(?<=\[)[A-Z]+|start|stop|status", usage)
    assert words
    for word in words:
        assert word in text


def test_guide_is_a_manual_page(root: Path) -> None:
    """What the files in sysfs mean is at hand where they are."""
    page = root / "usr/share/man/man7/page_reporting.7.gz"
    text = gzip.decompress(page.read_bytes()).decode()
    assert "NAME" in text and ".SH TUNABLES" in text.upper()


def test_tunables_are_all_there_with_their_defaults(root: Path) -> None:
    """They are those of the guide; none is set by itself."""
    lines = (root / TUNABLES).read_text(encoding="utf-8").splitlines()
    assert all(line.startswith("#") for line in lines)
    set_there = {}
    for line in lines:
        if line.startswith("#w "):
            _, path, mode, user, group, age, value = line.split()
            assert {mode, user, group, age} == {"-"}
            set_there[Path(path).name] = value
    table = GUIDE.read_text(encoding="utf-8").partition("\nTunables\n=")[2]
    table = table.partition("\nThe defaults have these reasons")[0]
    defaults = dict(re.findall(r"^``(\w+)`` +(\S+) ", table, re.MULTILINE))
    assert set_there.keys() == defaults.keys()
    for name, value in set_there.items():
        assert value == ("9" if name == "order" else defaults[name])


@pytest.mark.parametrize(
    "line, words",
    [
        ("page_reporting_cold ", {"start", "stop", "status"}),
        ("page_reporting_cold st", {"start", "stop", "status"}),
        ("page_reporting_cold sto", {"stop"}),
        ("page_reporting_why -", {"--help", "-k", "-r"}),
        ("page_reporting_why -r /us", {"/usr"}),
        ("/usr/sbin/page_reporting_top -", {"--help"}),
    ],
)
def test_completion(root: Path, line: str, words: set[str]) -> None:
    """Bash completes the words of each command."""
    *before, last = line.split(" ")
    command = Path(before[0]).name
    array = " ".join(f"'{word}'" for word in (*before, last))
    script = (
        f". {root / COMPLETIONS / command}; COMP_WORDS=({array});"
        f" COMP_CWORD={len(before)};"
        f" $(complete -p {command} | sed 's/.*-F \\([^ ]*\\).*/\\1/') {before[0]};"
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert set(output("bash", "-c", script).split()) == words
