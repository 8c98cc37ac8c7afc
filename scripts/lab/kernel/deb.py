# SPDX-License-Identifier: GPL-2.0
"""Build Debian packages: a kernel with its headers, and the tools for its guests.

The kernel's packages come from its own `make bindeb-pkg`, those of the tools from
debhelper and packaging/.  All are in build/deb/FLAVOUR in the end.
"""

import argparse
import lzma
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from email.utils import format_datetime
from pathlib import Path

from lab.base import debian, paths, version
from lab.kernel import kernels

PACKAGES = paths.BUILD / "deb"
PACKAGING = paths.ROOT / "packaging"
TOOLS = "page-reporting-tools"
# What Debian's package of configurations has for virtual machines.
CLOUD_CONFIG = f"usr/src/linux-config-{paths.SOURCE}/config.amd64_none_cloud-amd64.xz"

CHANGELOG = """\
{name} ({version}) unstable; urgency=medium

  * See CHANGELOG.md of the project.

 -- The page reporting developers <page-reporting@example.org>  {date}
"""


def flavour(name: str) -> kernels.Kernel:
    """Return the kernel of a flavour."""
    fragments = {
        "small": ("guest.config", "distro.config"),
        "cloud": ("cloud.config",),
    }
    full = f"page-reporting-{name}"
    return kernels.Kernel(
        full, paths.TREE, f"obj-{full}", fragments[name],
        seed=PACKAGES / "cloud.seed" if name == "cloud" else None,
    )  # fmt: skip


def fetch_cloud_config(target: Path) -> None:
    """Take Debian's configuration for virtual machines from its package."""
    if target.exists():
        return
    folder = target.with_suffix(".packages")
    shutil.rmtree(folder, ignore_errors=True)
    debian.download([f"linux-config-{paths.SOURCE}"], folder, [])
    debian.unpack(folder, folder)
    config = lzma.decompress((folder / CLOUD_CONFIG).read_bytes())
    target.write_bytes(config)
    shutil.rmtree(folder)


def remove(files: Iterable[Path]) -> None:
    """Remove what is left of a build."""
    for file in files:
        file.unlink()


def build_kernel(kernel: kernels.Kernel, target: Path) -> None:
    """Build the packages of a kernel."""
    with paths.locked("deb-kernel"):
        pack_kernel(kernel, target)


def pack_kernel(kernel: kernels.Kernel, target: Path) -> None:
    """Build the packages of a kernel, alone."""
    if kernel.seed:
        fetch_cloud_config(kernel.seed)
    kernels.build(kernel)
    remove(kernel.tree.glob("linux-*.deb"))
    release = (kernel.objects / "include/config/kernel.release").read_text().strip()
    upstream = release.partition("-")[0]
    print(f"packages of {release}: build/logs/kernel-{kernel.name}.log", flush=True)
    kernels.make(
        kernel, "bindeb-pkg", f"KDEB_PKGVERSION={upstream}+{version.number()}-1",
        "KDEB_CHANGELOG_DIST=unstable", "KDEB_COMPRESS=xz",
    )  # fmt: skip
    for package in kernel.tree.glob("linux-*.deb"):
        shutil.move(package, target / package.name)
    # a distribution has headers of its own for the C library
    remove(target.glob("linux-libc-dev*"))
    remove(kernel.tree.glob("linux-upstream*"))


def tools_source(folder: Path) -> None:
    """Lay out the source of the tools' package."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "Documentation/admin-guide").mkdir(parents=True)
    guide = "Documentation/admin-guide/mm"
    for name in ("packaging", "tools/mm", guide):
        shutil.copytree(paths.ROOT / name, folder / name)
    shutil.move(folder / "packaging/debian", folder / "debian")
    date = datetime.fromisoformat(version.released()).replace(tzinfo=timezone.utc)
    changelog = CHANGELOG.format(
        name=TOOLS, version=version.number(), date=format_datetime(date)
    )
    (folder / "debian/changelog").write_text(changelog, encoding="utf-8")


def build_tools(target: Path) -> None:
    """Build the package of the tools."""
    with paths.locked("deb-tools"):
        pack_tools(target)


def pack_tools(target: Path) -> None:
    """Build the package of the tools, alone."""
    source = PACKAGES / "source" / TOOLS
    tools_source(source)
    # of an older version
    remove(source.parent.glob("*.deb"))
    log = paths.LOGS / f"deb-{TOOLS}.log"
    kernels.run(["dpkg-buildpackage", "--build=binary", "--no-sign"], source, log)
    for package in source.parent.glob("*.deb"):
        # debug symbols: they are small programs
        if "-dbgsym_" not in package.name:
            shutil.move(package, target / package.name)


def sizes(folder: Path) -> Iterator[str]:
    """Name all packages, with their sizes."""
    for package in sorted(folder.glob("*.deb")):
        kib = package.stat().st_size >> 10
        yield f"{paths.shown(package)}  {kib} KiB"


def main(arguments: list[str]) -> int:
    """Entry point of `make deb`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("small", "cloud", "tools"))
    what = parser.parse_args(arguments).what
    target = PACKAGES / what
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    try:
        build_tools(target)
        if what != "tools":
            build_kernel(flavour(what), target)
    except (kernels.KernelError, debian.DebianError) as error:
        print(f"deb: {error}", file=sys.stderr)
        return 1
    print(*sizes(target), sep="\n")
    return 0
