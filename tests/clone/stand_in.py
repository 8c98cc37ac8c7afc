#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Stands in for the tools that take minutes, under whose names it is called.

Compilers, guests and downloads are left out; what they need is asked for, and what
they leave behind is there afterwards, empty.  Each call is written to a log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PROGRAM = Path("/bin/true")
MISSING = 2

# What the tree has to have for all that is tried; linking the rest takes its time.
LEFT_OUT = re.compile(
    r"(obj|\.lab-|sound|net|samples|rust"
    r"|arch/(?!x86|um|Kconfig)|drivers/(?!hv|virtio|xen|base|[A-Z])"
    r"|tools/(?!mm|testing)|tools/testing/(?!kunit|vma))"
)

KTAP = """KTAP version 1
1..1
    KTAP version 1
    # Subtest: stand_in
    1..1
    ok 1 nothing_was_run
ok 1 stand_in
"""


def after(arguments: list[str], option: str) -> str | None:
    """Return the argument that follows an option."""
    if option in arguments[:-1]:
        return arguments[arguments.index(option) + 1]
    return None


def refuse(why: str) -> int:
    """Fail, because something that the tool needs is not there."""
    print(f"{Path(sys.argv[0]).name} (stand-in): {why}", file=sys.stderr)
    return MISSING


def end(why: str) -> int:
    """Fail, because a stand-in comes no further."""
    print(f"{Path(sys.argv[0]).name} (stand-in): {why}", file=sys.stderr)
    return 1


def given(name: str) -> Path:
    """Return a path that the test gives."""
    return Path(os.environ[f"STAND_IN_{name}"])


def link_all(source: Path, target: Path) -> int:
    """Unpack what the repository itself has unpacked, as hard links."""

    def left_out(folder: str, names: list[str]) -> list[str]:
        inside = Path(folder).relative_to(source)
        return [name for name in names if LEFT_OUT.match(str(inside / name))]

    shutil.copytree(
        source, target, symlinks=True, copy_function=os.link, ignore=left_out,
        dirs_exist_ok=True,
    )  # fmt: skip
    return 0


def make(arguments: list[str]) -> int:
    """Build a kernel without compiling, or pass a group of tests."""
    variables = dict(word.split("=", 1) for word in arguments if "=" in word)
    if "O" not in variables:
        print("1 passed")
        return 0
    tree = Path(after(arguments, "-C") or ".")
    if not (tree / "Makefile").exists():
        return refuse(f"{tree} has no Makefile")
    return build(tree / variables["O"], variables, set(arguments))


def build(output: Path, variables: dict[str, str], targets: set[str]) -> int:
    """Configure a kernel, or leave what a build of it leaves."""
    config = output / ".config"
    if "tinyconfig" in targets:
        output.mkdir(parents=True, exist_ok=True)
        config.write_text("")
    if not config.exists():
        return refuse(f"{output} is not configured")
    if "M" in variables:
        for source in Path(variables["M"]).glob("*/*.c"):
            source.with_suffix(".ko").touch()
    if "bzImage" in targets:
        leave_kernel(output)
    if targets & {"all", "linux"}:
        (output / "linux").unlink(missing_ok=True)
        (output / "linux").symlink_to(Path(__file__).resolve())
    return 0


def leave_kernel(output: Path) -> None:
    """Leave a kernel for x86, and the record of how one object was made."""
    for name in ("arch/x86/boot", "arch/x86/include", "include", "mm"):
        (output / name).mkdir(parents=True, exist_ok=True)
    (output / "arch/x86/boot/bzImage").touch()
    (output / "Module.symvers").touch()
    shutil.copy(PROGRAM, output / "vmlinux")
    release = output / "include/config/kernel.release"
    release.parent.mkdir(exist_ok=True)
    release.write_text("0-stand-in")
    record = "savedcmd_mm/page_alloc.o := gcc -O2 -c ../mm/page_alloc.c\n"
    (output / "mm/.page_alloc.o.cmd").write_text(record)


def gcc(arguments: list[str]) -> int:
    """Leave a program for a guest where one is asked for; compile all others."""
    output = after(arguments, "-o")
    if not output or not {"-static", "-shared"} & set(arguments):
        return subprocess.call(["/usr/bin/gcc", *arguments])
    if not Path(arguments[-1]).exists():
        return refuse(f"no source: {arguments[-1]}")
    shutil.copy(PROGRAM, output)
    return 0


def dpkg_buildpackage(_arguments: list[str]) -> int:
    """Leave a package where one belongs."""
    if not Path("debian/control").exists():
        return refuse("no debian/control")
    Path("../stand-in_0_all.deb").touch()
    return 0


def strip(arguments: list[str]) -> int:
    """Copy."""
    shutil.copy(arguments[-1], after(arguments, "-o") or "")
    return 0


def qemu(arguments: list[str]) -> int:
    """Start no guest; say which one it would have been."""
    if "--version" in arguments:
        print("QEMU emulator version 10.0 (stand-in)")
        return 0
    for option in ("-kernel", "-initrd"):
        name = (after(arguments, option) or "").split()
        if not name or not Path(name[0]).exists():
            return refuse(f"{option} {name} does not exist")
    return end("no guest is started here")


def linux(_arguments: list[str]) -> int:
    """Run no suite."""
    print(KTAP)
    return 0


def apt_get(arguments: list[str]) -> int:
    """Download packages that are empty, and tell where from."""
    if "indextargets" in arguments:
        return subprocess.call(["/usr/bin/apt-get", *arguments])
    if "download" in arguments:
        for name in arguments[arguments.index("download") + 1:]:
            Path(f"{name}.deb").touch()
    if "--download-only" in arguments:
        Path("all.deb").touch()
    return 0


def dpkg_deb(arguments: list[str]) -> int:
    """Unpack one of them: a QEMU, or all of Xen, once."""
    target = Path(arguments[-1])
    if "--field" in arguments:
        print("1")
        return 0
    if Path(arguments[-2]).name == "qemu-system-x86.deb":
        program = target / "usr/bin/qemu-system-x86_64"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.symlink_to(Path(__file__).resolve())
        return 0
    return 0 if (target / "usr").exists() else link_all(given("XEN"), target)


def spatch(arguments: list[str]) -> int:
    """Change sources as it should, but look for no mistakes in them."""
    if "report" in arguments:
        return 0
    return subprocess.call(["/usr/bin/spatch", *arguments])


def cpio(_arguments: list[str]) -> int:
    """Pack the names of the files, without what is in them."""
    names = sys.stdin.read()
    print(names)
    return 0 if names else refuse("there is nothing to pack")


def perl(arguments: list[str]) -> int:
    """Run scripts, but not the one that looks for matters of style."""
    if "checkpatch.pl" in arguments[0]:
        return 0 if Path(arguments[0]).exists() else refuse("no checkpatch.pl")
    return subprocess.call(["/usr/bin/perl", *arguments])


def tar(arguments: list[str]) -> int:
    """Unpack the source of the kernel whose folder it is for."""
    target = Path(after(arguments, "-C") or "")
    version = target.parent.name.removeprefix("build")
    return link_all(given("TOP") / version / "stock-src", target)


TOOLS: dict[str, Callable[[list[str]], int]] = {
    "apt-get": apt_get,
    "chromium": lambda _arguments: end("nothing is laid out here"),
    "cpio": cpio,
    "debootstrap": lambda _arguments: end("nothing is installed here"),
    "dpkg-buildpackage": dpkg_buildpackage,
    "dpkg-deb": dpkg_deb,
    "gcc": gcc,
    "gcovr": lambda _arguments: end("nothing was counted"),
    "lintian": lambda _arguments: end("nothing is packed here"),
    "linux": linux,
    "make": make,
    "perl": perl,
    "qemu-system-x86_64": qemu,
    "spatch": spatch,
    "strip": strip,
    "tar": tar,
}


def main() -> int:
    """Stand in for the tool of this name."""
    tool = Path(sys.argv[0]).name
    status = TOOLS[tool](sys.argv[1:])
    with given("LOG").open("a", encoding="utf-8") as log:
        log.write(json.dumps([tool, " ".join(sys.argv[1:]), status]) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
