# SPDX-License-Identifier: GPL-2.0
"""Write build/series/*.patch: our changes to the kernel as a patch series.

The cover letter is beside them, under a name that `git am *.patch` leaves alone.
A scratch repository gets the stock version of every file that differs and
then one commit for each entry of scripts/series.toml; git does the rest.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from lab.base import paths, version
from lab.kernel import rules
from lab.kernel.tree import put
from lab.series import plan
from lab.series.plan import SeriesError
from lab.series.stages import Stages

OUTPUT = paths.BUILD / "series"
COVER = "0000-cover-letter"
BRANCH = "series"
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


def cover() -> str:
    """Return what is said of the series as a whole, and of which version it is."""
    origin = f"Version {version.described()}, for Linux {paths.SOURCE}."
    return f"{plan.load_cover().message}\n\n{origin}\n"


def export(repository: Path, signoff: bool) -> None:
    """Write the commits as patches, and their cover letter."""
    git(repository, "config", f"branch.{BRANCH}.description", cover())
    command = ["format-patch", "--quiet", DIFFSTAT_WIDTH, "--no-renames"]
    command += ["--cover-letter", "--cover-from-description=subject"]
    command += ["--signoff"] if signoff else []
    git(repository, *command, "--output-directory", "..", f"stock..{BRANCH}")
    (OUTPUT / f"{COVER}.patch").rename(OUTPUT / f"{COVER}.txt")


def write(stages: Stages) -> list[str]:
    """Write the series; return the names of its patches."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    repository = OUTPUT / "repository"
    repository.mkdir(parents=True)
    git(repository, "init", "--quiet", f"--initial-branch={BRANCH}")
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
    export(repository, signoff)
    shutil.rmtree(repository)
    return sorted(path.name for path in OUTPUT.glob("*.patch"))


def main() -> int:
    """Entry point of `make series`."""
    try:
        with paths.locked("series"):
            for name in [f"{COVER}.txt", *write(Stages(plan.load()))]:
                print(f"series: {paths.shown(OUTPUT / name)}")
    except (SeriesError, rules.RuleError) as error:
        print(f"series: {error}", file=sys.stderr)
        return 1
    return 0
