#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Prepare build/stock-src and build/linux: the pristine and the integrated tree.

build/linux starts as hard links to build/stock-src.  For that reason every
file that differs is replaced, never written in place.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import paths, rules

PACKAGE = "linux-source-6.12"
TARBALL = Path(f"/usr/src/{PACKAGE}.tar.xz")

# Directories of the project, and where their files go in the kernel tree.
OVERLAY = {
    "include": "include",
    "mm": "mm",
    "drivers": "drivers",
    "Documentation": "Documentation",
    "tools": "tools",
    "tests/kunit": "mm/page_reporting/tests",
}

# Files of the stock kernel that ours take the place of.
REMOVED = (
    "mm/page_reporting.c",
    "mm/page_reporting.h",
    "Documentation/mm/free_page_reporting.rst",
    "Documentation/translations/zh_CN/mm/free_page_reporting.rst",
)

STAMP = ".lab-tree.json"
PACKAGE_STAMP = ".lab-package"

# Output directories live inside the trees, see kernels.py.
OUTPUT_PREFIX = "obj"


class TreeError(Exception):
    """The tree cannot be prepared."""


def sha(data: bytes) -> str:
    """Identify the content of a file."""
    return hashlib.sha256(data).hexdigest()


def put(path: Path, data: bytes) -> bool:
    """Replace a file if its content differs; a fresh file gets a new time stamp.

    Written to a new file first: the old one may be a hard link into the
    pristine tree, and a restored file must look newer than its object.
    """
    if path.is_file() and path.read_bytes() == data:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_bytes(data)
    os.replace(scratch, path)
    return True


@dataclass
class State:
    """What the last run did, kept in the integrated tree."""

    overlay: list[str] = field(default_factory=list)
    targets: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def load(cls, tree: Path) -> "State":
        """Read the stamp of a tree, empty if there is none."""
        stamp = tree / STAMP
        if not stamp.exists():
            return cls()
        return cls(**json.loads(stamp.read_text(encoding="utf-8")))

    def save(self, tree: Path) -> None:
        """Write the stamp, last of all."""
        text = json.dumps({"overlay": self.overlay, "targets": self.targets}, indent=1)
        put(tree / STAMP, text.encode())


class Integration:
    """Lays the project over a copy of the pristine tree."""

    def __init__(self, project: Path, stock: Path, tree: Path) -> None:
        self.project = project
        self.stock = stock
        self.tree = tree
        self.changes: list[str] = []

    def run(self) -> list[str]:
        """Bring the integrated tree up to date; return what was changed."""
        old = State.load(self.tree)
        overlay = self.overlay_files()
        groups = rules.by_target(rules.load(self.project / "integration"))
        self._check_conflicts(overlay, groups)
        new = State(overlay=sorted(overlay))
        for name in sorted((set(old.overlay) | set(old.targets))):
            if name not in overlay and name not in groups:
                self._restore(name)
        for name, source in overlay.items():
            if put(self.tree / name, source.read_bytes()):
                self.changes.append(f"lay      {name}")
        for name in REMOVED:
            self._remove(name)
        for name, group in groups.items():
            new.targets[name] = self._apply(name, group, old.targets.get(name))
        new.save(self.tree)
        return self.changes

    def overlay_files(self) -> dict[str, Path]:
        """Map names in the kernel tree to files of the project."""
        files: dict[str, Path] = {}
        for source, target in OVERLAY.items():
            for path in walk(self.project / source):
                name = Path(target) / path.relative_to(self.project / source)
                files[str(name)] = path
        return files

    def _check_conflicts(
        self, overlay: dict[str, Path], groups: dict[str, list[rules.Rule]]
    ) -> None:
        for name, group in groups.items():
            if name in overlay:
                raise TreeError(
                    f"{name}: changed by {group[0].name} and replaced by our own file,"
                    " only one of them is allowed"
                )
            if not (self.stock / name).is_file():
                raise group[0].fail("the target does not exist in the kernel")

    def _apply(
        self, name: str, group: list[rules.Rule], before: list[str] | None
    ) -> list[str]:
        """Apply all rules of a target to its pristine text.

        The stamp of a target is the digest of everything that goes in and that
        of what came out, so a changed rule and a damaged result are both redone.
        """
        pristine = (self.stock / name).read_bytes()
        key = sha("".join([sha(pristine)] + [rule.digest() for rule in group]).encode())
        target = self.tree / name
        if before and before[0] == key and target.is_file():
            if before[1] == sha(target.read_bytes()):
                return before
        text = pristine.decode()
        for rule in group:
            text = rule.apply(text)
            self.changes.append(f"apply    {rule.name} to {name}")
        put(target, text.encode())
        return [key, sha(text.encode())]

    def _restore(self, name: str) -> None:
        """Undo what an earlier run did to a file that nobody claims now."""
        pristine = self.stock / name
        if pristine.is_file() and name not in REMOVED:
            put(self.tree / name, pristine.read_bytes())
            self.changes.append(f"restore  {name}")
        else:
            self._remove(name)

    def _remove(self, name: str) -> None:
        path = self.tree / name
        if not path.exists():
            return
        path.unlink()
        self.changes.append(f"remove   {name}")
        while not any(path.parent.iterdir()):
            path = path.parent
            path.rmdir()


def walk(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, without what Python and editors leave there."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            if not path.name.endswith(("~", ".swp", ".pyc")):
                yield path


def package_version() -> str:
    """Ask dpkg which kernel source is installed."""
    run = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", PACKAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode or not TARBALL.exists():
        raise TreeError(f"package {PACKAGE} is not installed, run scripts/install-deps")
    return run.stdout


def unpack(stock: Path, version: str) -> bool:
    """Unpack the kernel source unless this version is there already."""
    stamp = stock / PACKAGE_STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == version:
        return False
    print(f"tree: unpacking {PACKAGE} {version}", flush=True)
    scratch = stock.with_name(stock.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    subprocess.run(
        ["tar", "-xJf", TARBALL, "--strip-components=1", "-C", scratch], check=True
    )
    (scratch / PACKAGE_STAMP).write_text(version, encoding="utf-8")
    shutil.rmtree(stock, ignore_errors=True)
    scratch.rename(stock)
    return True


def link_copy(stock: Path, tree: Path) -> None:
    """Make a fresh integrated tree out of hard links to the pristine one."""
    print(f"tree: linking {tree.name} to {stock.name}", flush=True)
    scratch = tree.with_name(tree.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)

    def outputs(folder: str, names: list[str]) -> list[str]:
        if Path(folder) != stock:
            return []
        return [name for name in names if name.startswith(OUTPUT_PREFIX)]

    shutil.copytree(
        stock, scratch, symlinks=True, copy_function=os.link, ignore=outputs
    )
    shutil.rmtree(tree, ignore_errors=True)
    scratch.rename(tree)


def prepare(stock_only: bool) -> None:
    """Bring the pristine tree, and if asked the integrated one, up to date."""
    version = package_version()
    fresh = unpack(paths.STOCK_TREE, version)
    if stock_only:
        return
    stamp = paths.TREE / PACKAGE_STAMP
    if fresh or not stamp.exists() or stamp.read_text(encoding="utf-8") != version:
        link_copy(paths.STOCK_TREE, paths.TREE)
    integration = Integration(paths.ROOT, paths.STOCK_TREE, paths.TREE)
    for change in integration.run():
        print(f"tree: {change}")
    print(f"tree: build/linux is {PACKAGE} {version}, integrated")


def main() -> int:
    """Entry point of `make tree`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock-only", action="store_true", help="unpack, no more")
    try:
        with paths.locked("tree"):
            prepare(parser.parse_args().stock_only)
    except (TreeError, rules.RuleError, subprocess.CalledProcessError) as error:
        print(f"tree: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
