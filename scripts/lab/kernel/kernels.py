# SPDX-License-Identifier: GPL-2.0
"""Configure and build the guest kernels: ours, stock, debug.

Every output directory lies directly below its source tree.  Kbuild then
compiles with relative paths, so that ccache knows the objects of a tree that
was unpacked anew.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.base import paths
from lab.base.follow import follow
from lab.base.progress import Progress

CONFIG_DIR = paths.ROOT / "scripts" / "config"
MERGE_CONFIG = "scripts/kconfig/merge_config.sh"
CONFIG_STAMP = ".lab-config"

# One and the same identity for every build, so that builds are reproducible.
IDENTITY = {
    "KBUILD_BUILD_TIMESTAMP": "Thu Jan  1 00:00:00 UTC 2026",
    "KBUILD_BUILD_USER": "lab",
    "KBUILD_BUILD_HOST": "lab",
}


class KernelError(Exception):
    """A kernel cannot be configured or built."""


@dataclass(frozen=True)
class Machine:
    """What a kernel for a machine is compiled with, and what of it is booted."""

    image: str
    # The last step, which makes the image of a kernel that has modules.
    last: str
    prefix: str = ""


MACHINES = {
    "x86_64": Machine("arch/x86/boot/bzImage", "bzImage"),
    "i386": Machine("arch/x86/boot/bzImage", "bzImage"),
    "um": Machine("linux", "linux"),
    "arm64": Machine("arch/arm64/boot/Image", "Image", "aarch64-linux-gnu-"),
    "s390": Machine("arch/s390/boot/bzImage", "bzImage", "s390x-linux-gnu-"),
}


@dataclass(frozen=True)
class Kernel:
    """A kernel to build: its tree, its output directory and its fragments."""

    name: str
    tree: Path
    output: str
    fragments: tuple[str, ...]
    base: str = "tinyconfig"
    arch: str = "x86_64"
    # A configuration to begin with in place of @base.
    seed: Path | None = None

    @property
    def objects(self) -> Path:
        """The output directory (O=)."""
        return self.tree / self.output

    @property
    def image(self) -> Path:
        """The bootable image."""
        return self.objects / MACHINES[self.arch].image

    @property
    def log(self) -> Path:
        """Where the output of the build goes."""
        return paths.LOGS / f"kernel-{self.name}.log"

    def link(self) -> None:
        """Make build/NAME lead to the output directory."""
        self.objects.mkdir(parents=True, exist_ok=True)
        link = paths.BUILD / self.name
        target = os.path.relpath(self.objects, paths.BUILD)
        if not link.is_symlink() or os.readlink(link) != target:
            link.unlink(missing_ok=True)
            link.symlink_to(target)


# LEAN=1 in the environment: half a guest kernel, built in half the time, which is
# enough for some tests.
LEAN = ("lean.config", "restore.config") if os.environ.get("LEAN") == "1" else ()

# Small kernels with the suites, and the checks that each of them has.
CHECKED = ("guest.config", "kunit.config", "lean.config")
DEBUG_KERNELS = {
    "debug": ("debug.config",),
    "kasan": ("kasan.config",),
    "kcsan": ("kcsan.config",),
    "rt": ("debug.config", "rt.config"),
}

KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("ours", paths.TREE, "obj", ("guest.config", *LEAN)),
        Kernel("stock", paths.STOCK_TREE, "obj", ("guest.config",)),
        Kernel("uml", paths.TREE, "obj-uml", ("uml.config",), arch="um"),
        *(
            Kernel(name, paths.TREE, f"obj-{name}", (*CHECKED, *checks))
            for name, checks in DEBUG_KERNELS.items()
        ),
        Kernel("rare", paths.TREE, "obj-rare", ("guest.config", "rare.config")),
        Kernel("arm64", paths.TREE, "obj-arm64", ("arm64.config",), arch="arm64"),
        Kernel(
            "arm64-64k",
            paths.TREE,
            "obj-arm64-64k",
            ("arm64.config", "arm64-64k.config"),
            arch="arm64",
        ),
        Kernel(
            "stress",
            paths.TREE,
            "obj-stress",
            ("guest.config", "restore.config", "debug.config", "stress.config"),
        ),
    )
}


def environment() -> dict[str, str]:
    """Return the environment of every kernel build."""
    ccache = {
        "CCACHE_DIR": str(paths.CCACHE),
        "CCACHE_MAXSIZE": "4G",
        # the same object serves every output directory
        "CCACHE_NOHASHDIR": "1",
        # to preprocess first what has to be compiled is a sixth of the time
        "CCACHE_DEPEND": "1",
    }
    return os.environ | ccache | IDENTITY


def make_command(kernel: Kernel, *arguments: str) -> list[str]:
    """Return the make command of a kernel build."""
    jobs = os.cpu_count() or 1
    prefix = MACHINES[kernel.arch].prefix
    return [
        "make",
        "-C",
        str(kernel.tree),
        f"-j{jobs}",
        f"O={kernel.output}",
        f"ARCH={kernel.arch}",
        f"CROSS_COMPILE={prefix}",
        f"CC=ccache {prefix}gcc",
        *arguments,
    ]


def run(command: Sequence[str | Path], cwd: Path, log: Path) -> None:
    """Run a short command; its output is shown only if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w", encoding="utf-8") as output:
        code = subprocess.call(
            command,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if code:
        raise KernelError(failure(log, f"{command[0]} exits with status {code}"))


def failure(log: Path, why: str) -> str:
    """Describe a failed command by the lines of its log that matter."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    notable = [line for line in lines if re.search(r"error|undefined|\*\*\*", line)]
    shown = "\n".join(f"  {line}" for line in (notable or lines)[:20])
    return f"{why}, see {log.relative_to(paths.ROOT)}\n{shown}"


def symbols(config: str) -> dict[str, str]:
    """Read the symbols of a .config or a fragment; a later line wins."""
    pattern = r"^(?:(CONFIG_\w+)=(.*)|# (CONFIG_\w+) is not set)$"
    return {
        line[1] or line[3]: line[2] or "n"
        for line in re.finditer(pattern, config, re.MULTILINE)
    }


def unmet(asked: str, config: str) -> list[str]:
    """Return what fragments ask for and a .config does not honour."""
    have = symbols(config)
    return [
        f"{name}={value}"
        for name, value in symbols(asked).items()
        if have.get(name, "n") != value
    ]


def fragment_files(kernel: Kernel) -> list[Path]:
    """Return the fragments of a kernel; NAME-VERSION.config goes with NAME.config."""
    files = []
    for name in kernel.fragments:
        path = CONFIG_DIR / name
        files.append(path)
        own = path.with_name(f"{path.stem}-{paths.SOURCE}.config")
        if own.exists():
            files.append(own)
    return files


def fragments_text(kernel: Kernel) -> str:
    """Return all fragments of a kernel as one text."""
    files = fragment_files(kernel)
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def configure(kernel: Kernel) -> None:
    """Write .config from the fragments and check that all of them is in it."""
    asked = fragments_text(kernel)
    config = kernel.objects / ".config"
    stamp = kernel.objects / CONFIG_STAMP
    base = kernel.seed.read_text(encoding="utf-8") if kernel.seed else kernel.base
    digest = hashlib.sha256((base + asked).encode()).hexdigest()
    log = paths.LOGS / f"config-{kernel.name}.log"
    fresh = stamp.exists() and stamp.read_text(encoding="utf-8") == digest
    if not fresh or not config.exists():
        print(f"kernel {kernel.name}: configuring", flush=True)
        if kernel.seed:
            config.write_text(base, encoding="utf-8")
        else:
            run(make_command(kernel, base), kernel.tree, log)
        merge: list[str | Path] = [MERGE_CONFIG, "-m", "-O", kernel.output, config]
        merge += fragment_files(kernel)
        run(merge, kernel.tree, log)
    run(make_command(kernel, "olddefconfig"), kernel.tree, log)
    missing = unmet(asked, config.read_text(encoding="utf-8"))
    if missing:
        stamp.unlink(missing_ok=True)
        names = "\n".join(f"  {line}" for line in missing)
        raise KernelError(
            f"kernel {kernel.name}: these lines of {', '.join(kernel.fragments)} did"
            f" not end up in .config (a dependency is missing):\n{names}"
        )
    stamp.write_text(digest, encoding="utf-8")


def make(kernel: Kernel, *targets: str, cached: bool = True) -> None:
    """Build targets of a kernel with a progress line."""
    kernel.log.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(f"kernel {kernel.name}")
    disable = {} if cached else {"CCACHE_DISABLE": "1"}
    with open(kernel.log, "w", encoding="utf-8") as log:

        def see(line: str) -> None:
            log.write(line)
            if re.match(r"  [A-Z]+ ", line):
                progress.step(line.strip())

        command = make_command(kernel, *targets)
        status = follow(command, see, env=environment() | disable)
    progress.done()
    if status:
        raise KernelError(failure(kernel.log, f"kernel {kernel.name} does not build"))


def build(kernel: Kernel) -> None:
    """Bring one kernel up to date."""
    with paths.locked(f"kernel-{kernel.name}"):
        kernel.link()
        # found by setlocalversion; keeps .config the same for all kernels
        version = kernel.objects / "localversion-lab"
        if not version.exists():
            version.write_text(f"-{kernel.name}\n", encoding="utf-8")
        configure(kernel)
        machine = MACHINES[kernel.arch]
        make(kernel, "vmlinux", "modules")
        make(kernel, machine.last, cached=False)


def main(arguments: list[str]) -> int:
    """Entry point of `make kernels` and `make kernel-NAME`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kernels", nargs="+", choices=sorted(KERNELS))
    try:
        for name in parser.parse_args(arguments).kernels:
            build(KERNELS[name])
    except KernelError as error:
        print(f"kernels: {error}", file=sys.stderr)
        return 1
    return 0
