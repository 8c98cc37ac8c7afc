#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Write build/series/*.patch: our changes to the kernel as a patch series.

A scratch repository gets the stock version of every file that differs and
then one commit for each entry of scripts/series.toml; git does the rest.
"""

import shutil
import subprocess
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab import paths, rules, series_plan
from lab.series_plan import SeriesError
from lab.series_stage import Stages
from lab.tree import put

OUTPUT = paths.BUILD / "series"
DIFFSTAT_WIDTH = "--stat=72"
# Who the patches are from where git does not know.
NOBODY = {"user.name": "Nobody", "user.email": "nobody@example.org"}


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


def write(stages: Stages) -> list[str]:
    """Write the series; return the names of its files."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    repository = OUTPUT / "repository"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet")
    signoff = identify(repository)
    if not signoff:
        print(f"series: nobody signs off, git has no {' and '.join(NOBODY)}")
    copy(stages.names, paths.STOCK_TREE, repository)
    commit(repository, "the stock kernel")
    git(repository, "tag", "stock")
    for stage, patch in enumerate(stages.patches):
        if not stages.lay(stage, repository):
            raise SeriesError(f"series.toml [{patch.subject}]: changes nothing")
        commit(repository, patch.message)
    command = ["format-patch", "--quiet", DIFFSTAT_WIDTH, "--no-renames"]
    command += ["--signoff"] if signoff else []
    git(repository, *command, "--output-directory", "..", "stock..HEAD")
    shutil.rmtree(repository)
    return sorted(path.name for path in OUTPUT.glob("*.patch"))


def main() -> int:
    """Entry point of `make series`."""
    try:
        with paths.locked("series"):
            for name in write(Stages(series_plan.load())):
                print(f"series: {paths.shown(OUTPUT / name)}")
    except (SeriesError, rules.RuleError) as error:
        print(f"series: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
