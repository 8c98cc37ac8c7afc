# SPDX-License-Identifier: GPL-2.0
"""Build build/xen/: the hypervisor, the kernel, and dom0's root file system.

The Debian packages of Xen are unpacked, not installed: installing the
hypervisor would change how this machine boots.  XEN=VERSION in the environment
chooses another Xen, which comes from a newer release of Debian, with all that it
needs there, and has build/xen-VERSION/.
"""

import gzip
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from lab.base import debian, paths
from lab.guest import image
from lab.kernel import kernels
from lab.kernel.tree import put

# The first is that of this machine's release; the others' suites.
OWN = "4.17"
SUITES = {"4.20": "trixie"}
VERSIONS = (OWN, *SUITES)
VERSION = paths.chosen("XEN", os.environ.get("XEN", ""), VERSIONS)
XEN = paths.BUILD / ("xen" if VERSION == OWN else f"xen-{VERSION}")
PACKAGES = XEN / "packages"
STAGE = XEN / "root"
HYPERVISOR = XEN / "xen"
KERNEL = XEN / "vmlinux"
# As a boot loader wants it, and so the firmware of an HVM domain.
KERNEL_IMAGE = kernels.KERNELS["ours"].objects / "arch/x86/boot/bzImage"
DOM0 = XEN / "dom0.gz"

PACKAGE_NAMES = (
    f"xen-hypervisor-{VERSION}-amd64", f"xen-utils-{VERSION}", "xenstore-utils",
    "qemu-system-xen",
)  # fmt: skip
PACKAGE_STAMP = ".lab-packages"
SCRIPTS = paths.ROOT / "tests" / "xen" / "dom0"

COMPRESSED_HYPERVISOR = PACKAGES / f"boot/xen-{VERSION}-amd64.gz"
# Debian 12 has libraries in both.
LIBRARIES = [PACKAGES / name / "x86_64-linux-gnu" for name in ("usr/lib", "lib")]
LOADER = "ld-linux-x86-64.so.2"
# xl runs its helper under the path that it was built for.
TOOLS = Path(f"usr/lib/xen-{VERSION}/bin")
TOOL_NAMES = ("libxl-save-helper", "xen-init-dom0", "xenconsoled", "xenstored", "xl")
# What emulates the devices of an HVM domain, and what it loads.
DEVICE_MODEL = Path("usr/libexec/xen-qemu-system-i386")
HVM_LOADER = Path(f"usr/lib/xen-{VERSION}/boot/hvmloader")
FIRMWARE = (
    "usr/share/qemu/keymaps/en-us", "usr/share/qemu/kvmvapic.bin",
    "usr/share/qemu/linuxboot.bin", "usr/share/qemu/linuxboot_dma.bin",
    "usr/share/seabios/bios-256k.bin",
)  # fmt: skip
XENSTORE = ("exists", "ls", "read", "rm", "write")
DOM0_LIBRARIES = Path("lib/x86_64-linux-gnu")
# Loaded at run time by the C library when a thread ends, so ldd does not see it.
LATE_LIBRARIES = ("libgcc_s.so.1",)
DIRECTORIES = (
    "bin", "boot", "etc/xen/scripts", "lib/x86_64-linux-gnu", "lib64", str(TOOLS),
    "run/lock", "run/xen", "run/xenstored", "var/lib/xen", "var/lib/xenstored",
    "var/log/xen",
)  # fmt: skip


class XenImageError(Exception):
    """Xen cannot be prepared."""


def unpack_packages() -> None:
    """Unpack the packages and all that they need, unless that was done."""
    wanted = " ".join(PACKAGE_NAMES)
    stamp = PACKAGES / PACKAGE_STAMP
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    print(f"xen: fetching Xen {VERSION} and what it needs", flush=True)
    scratch = PACKAGES.with_name("packages.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    options = []
    if VERSION in SUITES:
        options = debian.suite_options(SUITES[VERSION], scratch / "apt")
    debian.download(list(PACKAGE_NAMES), scratch / "debs", options, needs=True)
    debian.unpack(scratch / "debs", scratch)
    for name in ("apt", "debs"):
        shutil.rmtree(scratch / name, ignore_errors=True)
    (scratch / PACKAGE_STAMP).write_text(wanted, encoding="utf-8")
    shutil.rmtree(PACKAGES, ignore_errors=True)
    scratch.rename(PACKAGES)


def strip_kernel() -> bytes:
    """Return the bare ELF image: quicker to load than to decompress."""
    vmlinux = kernels.KERNELS["ours"].objects / "vmlinux"
    if not vmlinux.exists():
        link = paths.shown(paths.BUILD / "ours")
        raise XenImageError(f"{link} is not built, run `make kernel-ours`")
    scratch = XEN / ".vmlinux.new"
    subprocess.run(["strip", "-s", "-o", scratch, vmlinux], check=True)
    stripped = scratch.read_bytes()
    scratch.unlink()
    return stripped


def libraries(binaries: list[Path]) -> dict[str, Path]:
    """Return what the dynamic loader needs for programs, by path in dom0."""
    loader = library(LOADER)
    search = ":".join(str(folder) for folder in LIBRARIES)
    found = {library(name) for name in LATE_LIBRARIES}
    for binary in binaries:
        listing = subprocess.run(
            [loader, "--library-path", search, "--list", binary],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        missing = sorted(set(re.findall(r"(\S+) => not found", listing)))
        if missing:
            raise XenImageError(
                f"of what {binary.name} needs, no package of Xen {VERSION} has"
                f" {', '.join(missing)}"
            )
        found |= {Path(name) for name in re.findall(r"=> (/\S+) \(0x", listing)}
    found = {path for path in found if path.name != LOADER}
    places = {str(DOM0_LIBRARIES / path.name): path for path in found}
    return {**places, f"lib64/{LOADER}": loader}


def library(name: str) -> Path:
    """Find a library among those that were unpacked."""
    places = [folder / name for folder in LIBRARIES]
    found = next((path for path in places if path.exists()), None)
    if not found:
        raise XenImageError(f"no package of Xen {VERSION} has {name}")
    return found


def stage_tools(root: Path) -> None:
    """Lay out Xen's tools and their libraries."""
    binaries = [PACKAGES / TOOLS / name for name in TOOL_NAMES]
    for binary in binaries:
        shutil.copy(binary, root / TOOLS)
        (root / "bin" / binary.name).symlink_to(f"/{TOOLS / binary.name}")
    xenstore = PACKAGES / "usr/bin/xenstore"
    shutil.copy(xenstore, root / "bin")
    for name in XENSTORE:
        (root / "bin" / f"xenstore-{name}").symlink_to("xenstore")
    for name, path in libraries([*binaries, xenstore]).items():
        shutil.copy(path, root / name)
    shutil.copy(PACKAGES / "etc/xen/xl.conf", root / "etc/xen")


def stage_device_model(root: Path) -> None:
    """Lay out what an HVM domain needs."""
    files = {name: PACKAGES / name for name in (DEVICE_MODEL, HVM_LOADER)}
    files |= {Path(name): PACKAGES / name for name in FIRMWARE}
    found = libraries([PACKAGES / DEVICE_MODEL])
    files |= {Path(name): path for name, path in found.items()}
    for name, path in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / name)
    shutil.copy(KERNEL_IMAGE, root / "boot")


def stage(root: Path) -> None:
    """Lay out what dom0 has in addition to a guest's root file system."""
    shutil.rmtree(root, ignore_errors=True)
    for name in DIRECTORIES:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/run").symlink_to("/run")
    (root / "var/lock").symlink_to("/run/lock")
    stage_tools(root)
    stage_device_model(root)
    for script in SCRIPTS.iterdir():
        shutil.copy(script, root / "bin")
        (root / "bin" / script.name).chmod(0o755)
    shutil.copy(KERNEL, root / "boot")
    shutil.copy(image.IMAGE, root / "boot")
    for path in root.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)


def build() -> None:
    """Bring everything up to date."""
    XEN.mkdir(parents=True, exist_ok=True)
    unpack_packages()
    put(HYPERVISOR, gzip.decompress(COMPRESSED_HYPERVISOR.read_bytes()))
    put(KERNEL, strip_kernel())
    stage(STAGE)
    # The kernel unpacks one archive after the other.
    if put(DOM0, image.IMAGE.read_bytes() + image.pack(STAGE)):
        print(f"xen: {paths.shown(DOM0)} written")


def main() -> int:
    """Entry point of `make xen-image`."""
    try:
        with paths.locked("xen"):
            build()
    except (
        XenImageError,
        debian.DebianError,
        OSError,
        subprocess.CalledProcessError,
    ) as error:
        print(f"xen: {error}", file=sys.stderr)
        return 1
    return 0
