# SPDX-License-Identifier: GPL-2.0
"""Fetch Debian packages without installing them, also those of another suite.

For another suite apt gets a configuration of its own, so that nothing changes for
this machine.  The mirror is the one that the machine has its packages from.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What apt can say about the machine's package lists.
SOURCE_FORMAT = "$(REPO_URI)|$(RELEASE)|$(ORIGIN)"

# #clear: what the machine does after an update is not for these lists.
PRIVATE = """\
#clear APT::Update;
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
"""


class DebianError(Exception):
    """A package cannot be fetched."""


def apt(arguments: list[str], cwd: Path | None = None) -> tuple[int, str]:
    """Run apt-get; return its status and what it wrote."""
    done = subprocess.run(
        ["apt-get", "-q", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def download(
    names: list[str], folder: Path, options: list[str], needs: bool = False
) -> None:
    """Fetch packages, or these and all that they need.

    Brings apt's lists up to date if it does not know them.
    """
    (folder / "partial").mkdir(parents=True)
    # as root, apt would rather fetch as a user who may not write here
    options = [*options, "-o", "APT::Sandbox::User="]
    command = ["download"]
    if needs:
        # as on a system on which nothing is installed
        (folder / "status").touch()
        options += ["-o", f"Dir::State::status={folder / 'status'}"]
        options += ["-o", f"Dir::Cache::archives={folder}"]
        command = ["install", "--yes", "--no-install-recommends", "--download-only"]
    for last in (False, True):
        status, text = apt([*options, *command, *names], folder)
        if not status:
            return
        if not last:
            print("apt: updating the package lists", flush=True)
            apt([*options, "update"])
    raise DebianError(f"apt-get cannot download {' '.join(names)}:\n{text}")


def mirror(listing: str) -> str | None:
    """Find the mirror of the machine's own release in a list of its sources."""
    for line in listing.splitlines():
        uri, release, origin = line.split("|")
        # not updates, security nor backports, which may have other mirrors
        if origin == "Debian" and "-" not in release:
            return uri
    return None


def machine_mirror() -> str:
    """Ask apt for the mirror of the machine's own release."""
    command = ["indextargets", "--format", SOURCE_FORMAT, "Created-By: Packages"]
    for last in (False, True):
        found = mirror(apt(command)[1])
        if found:
            return found
        # apt does not know whose a source is before it has its lists
        if not last:
            apt(["update"])
    raise DebianError("apt has no source with the packages of a Debian release")


def suite_options(suite: str, folder: Path) -> list[str]:
    """Return the options of apt for another suite; its lists go to @folder."""
    line = f"deb [signed-by={KEYRING}] {machine_mirror()} {suite} main\n"
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(line, encoding="utf-8")
    config = folder / "apt.conf"
    config.write_text(PRIVATE.format(folder=folder), encoding="utf-8")
    return ["-c", str(config)]


def unpack(folder: Path, target: Path) -> None:
    """Unpack all packages in a folder."""
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, target], check=True)


def fetch(
    names: list[str], suite: str, folder: Path, options: Sequence[str] = ()
) -> None:
    """Unpack packages of another suite in a folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    known = [*suite_options(suite, folder / "apt"), *options]
    download(names, folder / "debs", known)
    unpack(folder / "debs", folder)
    for name in ("apt", "debs"):
        shutil.rmtree(folder / name)


def version(package: Path) -> str:
    """Return the version of a package file."""
    return subprocess.run(
        ["dpkg-deb", "--field", package, "Version"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()
