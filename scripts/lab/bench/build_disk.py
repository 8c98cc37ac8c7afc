# SPDX-License-Identifier: GPL-2.0
"""The disks of the build benchmark: a compiler, and a part of the kernel.

Each disk is a tar archive that a guest unpacks as it is: there is no file
system.  What is compiled, and how, is taken from the build of build/stock.
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import tarfile
from pathlib import Path

from lab.base import paths
from lab.guest.image import libraries
from lab.kernel import kernels

FOLDER = paths.BUILD / "bench"
TOOLS = FOLDER / "toolchain.tar"
SOURCES = FOLDER / "sources.tar"

STOCK = kernels.KERNELS["stock"]
HEADERS = ("include", "arch/x86/include")
PARTS = ("mm", "kernel", "lib")
COMMAND = re.compile(r"^savedcmd_(\S+\.o) := (?:ccache )?(gcc [^;\n]* -c [^;\n]*)")


def programs() -> list[Path]:
    """Return what a compilation without linking runs."""
    cc1 = subprocess.run(
        ["gcc", "-print-prog-name=cc1"], capture_output=True, text=True, check=True
    )
    names = ("/usr/bin/gcc", "/usr/bin/as", "/usr/bin/make", cc1.stdout.strip())
    return [Path(name) for name in names]


def write(
    archive: Path, members: list[tuple[Path, str]], extra: dict[str, str]
) -> None:
    """Write an archive of (file or folder, name) and of texts."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    scratch = archive.with_suffix(".new")
    with tarfile.open(scratch, "w", dereference=True) as tar:
        for path, name in members:
            tar.add(path, name)
        for name, text in extra.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    scratch.replace(archive)


def make_tools() -> None:
    """Write the disk with the compiler, which is unpacked over the root."""
    files = {path for program in programs() for path in libraries(program)}
    files |= set(programs())
    write(TOOLS, [(path, str(path)[1:]) for path in sorted(files)], {})


def commands() -> dict[str, str]:
    """Return how each object of the part of the kernel is compiled."""
    found = {}
    for part in PARTS:
        for path in sorted((STOCK.objects / part).glob(".*.o.cmd")):
            text = path.read_text(encoding="utf-8")
            match = COMMAND.match(text)
            if match:
                found[match[1]] = match[2].strip()
    return found


def makefile() -> str:
    """Return a makefile for all objects, the small ones first.

    OBJECTS on the command line of make says how many.
    """
    known = commands()
    if not known:
        raise kernels.KernelError("build/stock has no record of how it was compiled")

    def source_size(name: str) -> int:
        return (STOCK.tree / name).with_suffix(".c").stat().st_size

    names = [name for name in known if (STOCK.tree / name).with_suffix(".c").exists()]
    names.sort(key=source_size)
    lines = [f"ALL := {shlex.join(names)}"]
    lines += ["all: $(wordlist $(FIRST),$(LAST),$(ALL))"]
    lines += [f"{name}: ; @{known[name].replace('$', '$$')}" for name in names]
    return "\n".join(lines) + "\n"


def make_sources() -> None:
    """Write the disk with a part of the kernel."""
    members = [(STOCK.tree / name, name) for name in (*HEADERS, *PARTS)]
    members += [(STOCK.objects / name, f"obj/{name}") for name in HEADERS]
    extra = {"obj/Makefile": makefile()}
    extra |= {f"obj/{part}/.keep": "" for part in PARTS}
    write(SOURCES, members, extra)


def make_disks() -> None:
    """Write both disks."""
    print("Packing the compiler and a part of the kernel ...", flush=True)
    make_tools()
    make_sources()
