# SPDX-License-Identifier: GPL-2.0
"""Several kernels: which one is meant, where its source is, what it gets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from lab.base import debian, paths
from lab.guest import qemu
from lab.kernel import kernels, tree
from lab.xen import image as xen_image

LISTING = """http://example.com/security/|bookworm-security|Debian
http://example.com/other/debian/|stable|Somebody
http://example.org/debian/|bookworm-updates|Debian
http://example.org/debian/|bookworm|Debian
"""


CHOICES = {
    "KERNEL_SOURCE": (paths.SOURCES, ["7.4", "6.12 ", "linux-source-7.3", ".."]),
    "QEMU": (qemu.VERSIONS, ["8.2", "10", "10.0 ", ".."]),
    "XEN": (xen_image.VERSIONS, ["4.19", "4", "4.20 ", ".."]),
}
REFUSED = [(name, value) for name, (_, bad) in CHOICES.items() for value in bad]


@pytest.mark.parametrize(
    "name, versions",
    [
        ("KERNEL_SOURCE", ("6.12", "7.3")),
        ("QEMU", ("7.2", "10.0")),
        ("XEN", ("4.17", "4.20")),
    ],
)
def test_chosen_version(name: str, versions: tuple[str, str]) -> None:
    """The oldest one, that of the machine's release, is the default."""
    allowed, _ = CHOICES[name]
    for value, version in zip(("", *versions), (versions[0], *versions)):
        assert paths.chosen(name, value, allowed) == version


@pytest.mark.parametrize("name, value", REFUSED)
def test_other_versions_are_refused(name: str, value: str) -> None:
    """The message has the value and what is allowed."""
    allowed, _ = CHOICES[name]
    with pytest.raises(SystemExit) as error:
        paths.chosen(name, value, allowed)
    first, second = allowed
    assert str(error.value) == f"{name}={value}: allowed are {first} and {second}"


@pytest.mark.parametrize("source", paths.SOURCES)
def test_where_each_kernel_is_built(source: str) -> None:
    """The default has its old place, another a directory in there; no object mixes."""
    program = "from lab.base.paths import *; print(TREE, STOCK_TREE, CCACHE)"
    names = subprocess.run(
        ["/usr/bin/python3", "-B", "-c", program],
        env=os.environ
        | {"KERNEL_SOURCE": source, "PYTHONPATH": str(paths.ROOT / "scripts")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.split()
    build = paths.ROOT / "build"
    below = build if source == "6.12" else build / source
    assert names == [
        str(below / "linux"), str(below / "stock-src"), str(build / "ccache")
    ]  # fmt: skip


def test_every_other_kernel_has_a_suite() -> None:
    """The default's package is installed, the others are fetched."""
    assert set(tree.SUITES) == set(paths.SOURCES[1:])


def test_mirror_is_that_of_the_release() -> None:
    """Not that of another origin, of updates or of security."""
    assert debian.mirror(LISTING) == "http://example.org/debian/"
    assert debian.mirror("") is None
    assert debian.mirror("http://example.org/|bookworm|$(ORIGIN)\n") is None


def test_suite_has_lists_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apt's configuration for it names nothing outside of the build directory."""
    monkeypatch.setattr(debian, "machine_mirror", lambda: "http://example.org/")
    option, config = debian.suite_options("later", tmp_path)
    assert option == "-c"
    shown = subprocess.run(
        ["apt-config", "-c", config, "dump", "--format", "%f=%v%n"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert f"Dir::State::lists={tmp_path}/lists\n" in shown
    assert f"Dir::Etc::sourcelist={tmp_path}/sources.list\n" in shown
    assert "Dir::Etc::sourceparts=-\n" in shown
    assert f"Dir::Cache={tmp_path}/cache\n" in shown
    assert "APT::Update::" not in shown
    line = (tmp_path / "sources.list").read_text(encoding="utf-8")
    assert "http://example.org/ later main" in line


def installed(
    monkeypatch: pytest.MonkeyPatch, version: str | None, fetched: str = "2"
) -> list[str]:
    """Have a package installed or not; return what will be unpacked or fetched."""
    done: list[str] = []

    def unpack(_tarball: Path, stock: Path, what: str) -> None:
        stock.mkdir(parents=True, exist_ok=True)
        (stock / tree.PACKAGE_STAMP).write_text(what, encoding="utf-8")
        done.append(f"unpack {what}")

    def fetch(suite: str, _folder: Path) -> tuple[Path, str]:
        done.append(f"fetch {suite}")
        return Path("tarball"), fetched

    monkeypatch.setattr(tree, "package_version", lambda: version)
    monkeypatch.setattr(tree, "unpack", unpack)
    monkeypatch.setattr(tree, "fetch", fetch)
    return done


def test_installed_source_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again when the package is a newer one."""
    done = installed(monkeypatch, "1")
    assert tree.bring(tmp_path / "stock", None) == "1"
    assert tree.bring(tmp_path / "stock", None) == "1"
    assert done == ["unpack 1"]
    done = installed(monkeypatch, "2")
    assert tree.bring(tmp_path / "stock", None) == "2"
    assert done == ["unpack 2"]


def test_missing_source_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do."""
    installed(monkeypatch, None)
    with pytest.raises(tree.TreeError, match="install-deps"):
        tree.bring(tmp_path / "stock", None)


def test_other_source_is_fetched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was fetched is not kept."""
    done = installed(monkeypatch, None)
    assert tree.bring(tmp_path / "stock", "later") == "2"
    assert tree.bring(tmp_path / "stock", "later") == "2"
    assert done == ["fetch later", "unpack 2"]
    assert [path.name for path in tmp_path.iterdir()] == ["stock"]


def test_fragment_of_one_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NAME-VERSION.config follows NAME.config, that of another kernel does not."""
    monkeypatch.setattr(kernels, "CONFIG_DIR", tmp_path)
    monkeypatch.setattr(paths, "SOURCE", "7.3")
    for name in ("a", "a-7.3", "a-6.12", "b"):
        (tmp_path / f"{name}.config").touch()
    kernel = kernels.Kernel("test", tmp_path, "obj", ("a.config", "b.config"))
    names = [path.name for path in kernels.fragment_files(kernel)]
    assert names == ["a.config", "a-7.3.config", "b.config"]
