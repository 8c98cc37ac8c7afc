#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Write build/series/*.patch: our changes to the kernel as a patch series.

A scratch repository gets the stock version of every file that differs and
then one commit for each entry of scripts/series.toml; git does the rest.
"""

import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import paths, rules
from lab.tree import REMOVED, Integration, put

OUTPUT = paths.BUILD / "series"
PLAN = paths.ROOT / "scripts" / "series.toml"
DIFFSTAT_WIDTH = "--stat=72"
# Who the patches are from where git does not know.
NOBODY = {"user.name": "Nobody", "user.email": "nobody@example.org"}


class SeriesError(Exception):
    """The series cannot be written."""


@dataclass(frozen=True)
class Patch:
    """One patch of the series."""

    subject: str
    body: str
    files: list[str]

    def wants(self, name: str) -> bool:
        """Tell whether a file belongs to this patch."""
        return any(re.match(pattern, name) for pattern in self.files)


def git(repository: Path, *arguments: str) -> str:
    """Run git in the scratch repository."""
    done = subprocess.run(
        ["git", "-C", repository, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SeriesError(f"git {arguments[0]} fails: {done.stderr}")
    return done.stdout


def changed_files() -> list[str]:
    """List every file that the integration adds, changes or removes."""
    integration = Integration(paths.ROOT, paths.STOCK_TREE, paths.TREE)
    targets = integration.load_rules()
    return sorted({*integration.overlay_files(), *targets, *REMOVED})


def split(names: list[str], patches: list[Patch]) -> dict[str, list[str]]:
    """Give every file to the first patch that wants it."""
    groups: dict[str, list[str]] = {patch.subject: [] for patch in patches}
    for name in names:
        owner = next((patch for patch in patches if patch.wants(name)), None)
        if owner is None:
            raise SeriesError(f"{name}: no patch of scripts/series.toml wants it")
        groups[owner.subject].append(name)
    return groups


def copy(names: list[str], tree: Path, repository: Path) -> None:
    """Bring files of a tree, or their absence, to the scratch repository."""
    for name in names:
        if (tree / name).is_file():
            put(repository / name, (tree / name).read_bytes())
        else:
            (repository / name).unlink(missing_ok=True)


def commit(repository: Path, message: str) -> None:
    """Commit everything."""
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", message)


def identify(repository: Path) -> bool:
    """Commit under the user's name; tell whether git knows it."""
    get = ("config", "--default", "", "--get")
    known = {key: git(paths.ROOT, *get, key).strip() for key in NOBODY}
    complete = all(known.values())
    for key, value in (known if complete else NOBODY).items():
        git(repository, "config", key, value)
    return complete


def write(patches: list[Patch]) -> list[str]:
    """Write the series; return the names of its files."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    repository = OUTPUT / "repository"
    repository.mkdir(parents=True)
    names = changed_files()
    groups = split(names, patches)
    git(repository, "init", "--quiet")
    signoff = identify(repository)
    if not signoff:
        print(f"series: nobody signs off, git has no {' and '.join(NOBODY)}")
    copy(names, paths.STOCK_TREE, repository)
    commit(repository, "the stock kernel")
    git(repository, "tag", "stock")
    for patch in patches:
        if groups[patch.subject]:
            copy(groups[patch.subject], paths.TREE, repository)
            commit(repository, f"{patch.subject}\n\n{patch.body.strip()}")
    command = ["format-patch", "--quiet", DIFFSTAT_WIDTH, "--no-renames"]
    command += ["--signoff"] if signoff else []
    git(repository, *command, "--output-directory", "..", "stock..HEAD")
    shutil.rmtree(repository)
    return sorted(path.name for path in OUTPUT.glob("*.patch"))


def main() -> int:
    """Entry point of `make series`."""
    table = tomllib.loads(PLAN.read_text(encoding="utf-8"))
    try:
        with paths.locked("series"):
            for name in write([Patch(**entry) for entry in table["patch"]]):
                print(f"series: {paths.shown(OUTPUT / name)}")
    except (SeriesError, rules.RuleError) as error:
        print(f"series: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
