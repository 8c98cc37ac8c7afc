# SPDX-License-Identifier: GPL-2.0
"""Prepare build/stock-src and build/linux: the pristine and the integrated tree.

build/linux starts as hard links to build/stock-src.  For that reason every
file that differs is replaced, never written in place.

The default kernel's source is a package that is installed.  Another one's is
fetched from the suite that has it, into the build directory, once.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.base import debian, paths
from lab.kernel import rules

PACKAGE = f"linux-source-{paths.SOURCE}"
TARBALL = f"usr/src/{PACKAGE}.tar.xz"
# Where the kernels are that the release of this machine does not have.
SUITES = {"7.3": "trixie-backports"}

# Directories of the project, and where their files go in the kernel tree.  What
# only one kernel gets is in integration/VERSION, and goes to the top.
OVERLAY = {
    "arch": "arch",
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

    def __init__(
        self, project: Path, stock: Path, tree: Path, source: str = paths.SOURCE
    ) -> None:
        self.project = project
        self.stock = stock
        self.tree = tree
        self.source = source
        self.changes: list[str] = []

    def run(self) -> list[str]:
        """Bring the integrated tree up to date; return what was changed."""
        old = State.load(self.tree)
        overlay = self.overlay_files()
        groups = self.load_rules()
        self._check_conflicts(overlay, groups)
        new = State(overlay=sorted(overlay))
        for name in sorted((set(old.overlay) | set(old.targets))):
            if name not in overlay and name not in groups:
                self._restore(name)
        for name, source in overlay.items():
            if name not in groups and put(self.tree / name, source.read_bytes()):
                self.changes.append(f"lay      {name}")
        for name in REMOVED:
            self._remove(name)
        for name, group in groups.items():
            pristine = overlay.get(name, self.stock / name).read_bytes()
            before = old.targets.get(name)
            new.targets[name] = self._apply(name, group, pristine, before)
        new.save(self.tree)
        return self.changes

    def load_rules(self) -> dict[str, list[rules.Rule]]:
        """Return the rules for this kernel, by target."""
        return rules.by_target(rules.load(self.project / "integration", self.source))

    def overlay_files(self) -> dict[str, Path]:
        """Map names in the kernel tree to files of the project."""
        files: dict[str, Path] = {}
        folders = OVERLAY | {f"integration/{self.source}": "."}
        for source, target in folders.items():
            for path in walk(self.project / source):
                name = Path(target) / path.relative_to(self.project / source)
                files[str(name)] = path
        return files

    def _check_conflicts(
        self, overlay: dict[str, Path], groups: dict[str, list[rules.Rule]]
    ) -> None:
        for name, group in groups.items():
            general = [rule.name for rule in group if not rule.kernels]
            if name in overlay and general:
                raise TreeError(
                    f"{name}: changed by {general[0]} and replaced by our own file,"
                    " only one of them is allowed, unless the rule is for one kernel"
                )
            if name not in overlay and not (self.stock / name).is_file():
                raise group[0].fail("the target does not exist in the kernel")

    def _apply(
        self,
        name: str,
        group: list[rules.Rule],
        pristine: bytes,
        before: list[str] | None,
    ) -> list[str]:
        """Apply all rules of a target to its pristine text.

        The stamp of a target is the digest of everything that goes in and that
        of what came out, so a changed rule and a damaged result are both redone.
        """
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


def package_version() -> str | None:
    """Ask dpkg which version of the kernel source is installed."""
    run = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", PACKAGE],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode or not Path("/", TARBALL).exists():
        return None
    return run.stdout


def unpack(tarball: Path, stock: Path, version: str) -> None:
    """Unpack a kernel source."""
    print(f"tree: unpacking {PACKAGE} {version}", flush=True)
    scratch = stock.with_name(stock.name + ".new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    subprocess.run(
        ["tar", "-xJf", tarball, "--strip-components=1", "-C", scratch], check=True
    )
    (scratch / PACKAGE_STAMP).write_text(version, encoding="utf-8")
    shutil.rmtree(stock, ignore_errors=True)
    scratch.rename(stock)


def fetch(suite: str, folder: Path) -> tuple[Path, str]:
    """Fetch the package with the kernel source; return the tarball and its version."""
    print(f"tree: fetching {PACKAGE} from {suite}", flush=True)
    options = debian.suite_options(suite, folder)
    debian.download([PACKAGE], folder / "debs", options)
    (package,) = (folder / "debs").glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", package, folder / "files"], check=True)
    return folder / "files" / TARBALL, debian.version(package)


def stock_version(stock: Path) -> str | None:
    """Return the version of a pristine tree, if there is one."""
    stamp = stock / PACKAGE_STAMP
    return stamp.read_text(encoding="utf-8") if stamp.exists() else None


def bring(stock: Path, suite: str | None) -> str:
    """Bring the pristine tree up to date; return its version."""
    have = stock_version(stock)
    installed = package_version()
    if installed:
        if installed != have:
            unpack(Path("/", TARBALL), stock, installed)
        return installed
    if not suite:
        raise TreeError(f"package {PACKAGE} is not installed, run scripts/install-deps")
    if have:
        return have
    folder = stock.with_name("package")
    with contextlib.ExitStack() as stack:
        # the tree is all that is needed of it
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        tarball, version = fetch(suite, folder)
        unpack(tarball, stock, version)
    return version


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
    before = stock_version(paths.STOCK_TREE)
    version = bring(paths.STOCK_TREE, SUITES.get(paths.SOURCE))
    if stock_only:
        return
    if version != before or stock_version(paths.TREE) != version:
        link_copy(paths.STOCK_TREE, paths.TREE)
    integration = Integration(paths.ROOT, paths.STOCK_TREE, paths.TREE)
    for change in integration.run():
        print(f"tree: {change}")
    print(f"tree: {paths.shown(paths.TREE)} is {PACKAGE} {version}, integrated")


def main(arguments: list[str]) -> int:
    """Entry point of `make tree`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stock-only", action="store_true", help="unpack, no more")
    try:
        with paths.locked("tree"):
            prepare(parser.parse_args(arguments).stock_only)
    except (
        TreeError,
        rules.RuleError,
        debian.DebianError,
        subprocess.CalledProcessError,
    ) as error:
        print(f"tree: {error}", file=sys.stderr)
        return 1
    return 0
