# SPDX-License-Identifier: GPL-2.0
"""Choose the QEMU that runs the guests: the machine's own, or a newer one.

QEMU=VERSION in the environment decides.  A newer one comes from Debian's backports
and is unpacked in build/qemu-VERSION, with a script that starts it from there; the
libraries are those of the machine's own QEMU.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab.base import debian, paths

NAME = "qemu-system-x86_64"
# The first is the one that is installed; the others' suites.
OWN = "7.2"
SUITES = {"10.0": "bookworm-backports"}
PACKAGES = ("qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios")

START = """\
#!/bin/sh
usr={folder}/usr
QEMU_MODULE_DIR=$usr/lib/x86_64-linux-gnu/qemu
export QEMU_MODULE_DIR
exec $usr/bin/{name} -L $usr/share/qemu -L $usr/share/seabios "$@"
"""


def folder(version: str) -> Path:
    """Return where a QEMU is unpacked."""
    return paths.TOP / f"qemu-{version}"


def program(version: str) -> str:
    """Return the command that starts a QEMU."""
    return NAME if version == OWN else str(folder(version) / NAME)


VERSIONS = (OWN, *SUITES)
VERSION = paths.chosen("QEMU", os.environ.get("QEMU", ""), VERSIONS)
PROGRAM = program(VERSION)


def prepare(version: str) -> None:
    """Unpack a QEMU, unless it is there."""
    with paths.locked("qemu"):
        if version == OWN or Path(program(version)).exists():
            return
        suite = SUITES[version]
        print(f"qemu: fetching QEMU {version} from {suite}", flush=True)
        scratch = folder(version).with_suffix(".new")
        debian.fetch(list(PACKAGES), suite, scratch)
        start = scratch / NAME
        start.write_text(START.format(folder=folder(version), name=NAME))
        start.chmod(0o755)
        shutil.rmtree(folder(version), ignore_errors=True)
        scratch.rename(folder(version))


def check(version: str) -> None:
    """Make sure that the QEMU is the one that was asked for."""
    done = subprocess.run(
        [program(version), "--version"], capture_output=True, text=True, check=False
    )
    said = (done.stdout or done.stderr).partition("\n")[0]
    if f"version {version}" not in said:
        sys.exit(f"qemu: QEMU {version} was expected, this machine has: {said}")


def main() -> int:
    """Entry point of `make image`, which all that boots guests needs."""
    try:
        prepare(VERSION)
    except debian.DebianError as error:
        print(f"qemu: {error}", file=sys.stderr)
        return 1
    if VERSION != OWN:
        check(VERSION)
    return 0
