# SPDX-License-Identifier: GPL-2.0
"""Build build/initramfs.gz: busybox, /init, the test programs and modules.

build/initramfs-perf.gz is the same with perf, whose libraries are larger than all
the rest.  build/initramfs-uml.gz, for User Mode Linux, has no modules.
"""

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.base import paths
from lab.kernel import kernels
from lab.kernel.tree import put, walk

GUEST = paths.ROOT / "tests" / "guest"
TOOLS = paths.ROOT / "tools" / "mm"
STAGE = paths.BUILD / "guest"
MODULES = paths.BUILD / "guest-modules"
IMAGE = paths.BUILD / "initramfs.gz"
PERF_IMAGE = paths.BUILD / "initramfs-perf.gz"
UML_IMAGE = paths.BUILD / "initramfs-uml.gz"
BUSYBOX = Path("/bin/busybox")
SCRIPTS = (TOOLS / "page_reporting_cold", GUEST / "serve", GUEST / "stress")
# Programs of Debian packages that run in guests.
HOST_PROGRAMS = (
    Path("/usr/bin/memhog"),
    Path("/usr/bin/trace-cmd"),
    Path("/usr/bin/cyclictest"),
)
PERF = Path("/usr/bin/perf")

CFLAGS = ("-static", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")

# The stock driver, unmodified, as a module beside our built-in one: shows that
# it builds and works on our core.
STOCK_DRIVER = paths.STOCK_TREE / "drivers/virtio/virtio_balloon.c"
STOCK_MODULE = "virtio_balloon_stock"

DIRECTORIES = ("dev", "modules", "proc", "sys", "tmp")


class ImageError(Exception):
    """The guest image cannot be built."""


def run(command: list[str | Path], what: str) -> None:
    """Run a command; show its output only if it fails."""
    done = subprocess.run(
        command,
        env=kernels.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ImageError(f"{what} fails:\n{done.stdout}")


def compile_programs(
    folder: Path = STAGE / "bin", compiler: str = "gcc", left_out: Sequence[str] = ()
) -> list[Path]:
    """Compile every program that is newer than its binary."""
    binaries = []
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted([*GUEST.glob("*.c"), *TOOLS.glob("*.c")]):
        if source.stem in left_out:
            continue
        binary = folder / source.stem
        if not binary.exists() or binary.stat().st_mtime <= source.stat().st_mtime:
            print(f"image: compiling {source.name}", flush=True)
            run([compiler, *CFLAGS, "-o", binary, source], source.name)
        binaries.append(binary)
    return binaries


def module_sources() -> dict[Path, bytes]:
    """Return all files of the module tree, with names relative to it."""
    folder = GUEST / "modules"
    files = {path.relative_to(folder): path.read_bytes() for path in walk(folder)}
    stock = Path(STOCK_MODULE)
    files[stock / f"{STOCK_MODULE}.c"] = STOCK_DRIVER.read_bytes()
    files[stock / "Kbuild"] = f"obj-m := {STOCK_MODULE}.o\n".encode()
    names = sorted({path.parts[0] for path in files})
    files[Path("Kbuild")] = "".join(f"obj-m += {name}/\n" for name in names).encode()
    return files


def compile_modules() -> list[Path]:
    """Build the guest modules against build/ours."""
    sources = module_sources()
    if MODULES.exists():
        here = {path.relative_to(MODULES).parts[0] for path in MODULES.glob("*/*.c")}
        for gone in here - {path.parts[0] for path in sources}:
            shutil.rmtree(MODULES / gone)
    return compile_in(MODULES, kernels.KERNELS["ours"], sources)


def compile_in(
    folder: Path, kernel: kernels.Kernel, sources: dict[Path, bytes]
) -> list[Path]:
    """Build modules in a folder against a kernel; a warning is an error."""
    if not (kernel.objects / "Module.symvers").exists():
        link = paths.shown(paths.BUILD / kernel.name)
        raise ImageError(f"{link} is not built, run `make kernels`")
    for name, data in sources.items():
        put(folder / name, data)
    command = kernels.make_command(
        kernel, f"M={folder}", "KCFLAGS=-Werror", "modules"
    )
    run([*command], "building the guest modules")
    names = sorted({path.parts[0] for path in sources if len(path.parts) > 1})
    return [folder / name / f"{name}.ko" for name in names]


def compile_chosen(kernel: kernels.Kernel, *modules: str) -> list[Path]:
    """Build some of the guest modules against a kernel of their own."""
    sources = module_sources()
    own = {path: data for path, data in sources.items() if path.parts[0] in modules}
    own[Path("Kbuild")] = "".join(f"obj-m += {name}/\n" for name in modules).encode()
    return compile_in(paths.BUILD / f"guest-modules-{kernel.name}", kernel, own)


def libraries(program: Path) -> list[Path]:
    """Return the shared libraries that a program of this host needs."""
    listing = subprocess.run(
        ["ldd", program], capture_output=True, text=True, check=True
    )
    words = listing.stdout.split()
    return [Path(word) for word in words if word.startswith("/")]


def applets() -> list[str]:
    """Ask busybox what it can do."""
    listing = subprocess.run(
        [BUSYBOX, "--list"], capture_output=True, text=True, check=True
    )
    return [name for name in listing.stdout.split() if name != BUSYBOX.name]


def install(root: Path, program: Path) -> None:
    """Copy a program of this host, with its libraries."""
    places = {root / "bin" / program.name: program}
    places |= {root / path.relative_to("/"): path for path in libraries(program)}
    for place, source in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, place)


def stage(
    root: Path,
    programs: list[Path],
    modules: list[Path],
    busybox: Path = BUSYBOX,
    borrowed: Sequence[Path] = HOST_PROGRAMS,
) -> None:
    """Lay out the root file system of the guest."""
    shutil.rmtree(root, ignore_errors=True)
    for name in ("bin", *DIRECTORIES):
        (root / name).mkdir(parents=True)
    shutil.copy(busybox, root / "bin/busybox")
    for name in applets():
        (root / "bin" / name).symlink_to("busybox")
    for binary in programs:
        # our program wins over a busybox applet of the same name
        (root / "bin" / binary.name).unlink(missing_ok=True)
        shutil.copy(binary, root / "bin")
    for program in borrowed:
        install(root, program)
    for module in modules:
        shutil.copy(module, root / "modules")
    for script in SCRIPTS:
        shutil.copy(script, root / "bin")
        (root / "bin" / script.name).chmod(0o755)
    shutil.copy(GUEST / "init", root / "init")
    (root / "init").chmod(0o755)


def pack(root: Path) -> bytes:
    """Return the root file system as a compressed, reproducible cpio archive."""
    for path in root.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    archive = subprocess.run(
        ["cpio", "--quiet", "--reproducible", "-o", "-H", "newc", "-R", "0:0"],
        input="\n".join(names).encode(),
        cwd=root,
        stdout=subprocess.PIPE,
        check=True,
    )
    return gzip.compress(archive.stdout, compresslevel=6, mtime=0)


def build_uml_image() -> Path:
    """Build the image for User Mode Linux: no modules, so that no kernel is needed."""
    with paths.locked("image"):
        root = STAGE / "uml"
        stage(root, compile_programs(), [])
        put(UML_IMAGE, pack(root))
    return UML_IMAGE


def build_perf_image() -> Path:
    """Build the image with perf; the kernel unpacks one archive after the other."""
    with paths.locked("image"):
        root = STAGE / "perf"
        shutil.rmtree(root, ignore_errors=True)
        install(root, PERF)
        put(PERF_IMAGE, IMAGE.read_bytes() + pack(root))
    return PERF_IMAGE


def kernel_image(kernel: kernels.Kernel) -> Path:
    """Return the image for another kernel, whether it was built or not."""
    return paths.BUILD / f"initramfs-{kernel.name}.gz"


def build_kernel_image(kernel: kernels.Kernel, *modules: str) -> Path:
    """Build the image for another kernel: with modules that were made for it."""
    with paths.locked("image"):
        root = STAGE / kernel.name
        shutil.rmtree(root, ignore_errors=True)
        (root / "modules").mkdir(parents=True)
        for built in compile_chosen(kernel, *modules):
            shutil.copy(built, root / "modules")
        put(kernel_image(kernel), IMAGE.read_bytes() + pack(root))
    return kernel_image(kernel)


def main() -> int:
    """Entry point of `make image`."""
    try:
        with paths.locked("image"):
            programs = compile_programs()
            modules = compile_modules()
            root = STAGE / "root"
            stage(root, programs, modules)
            if put(IMAGE, pack(root)):
                print(f"image: {paths.shown(IMAGE)} written")
    except (ImageError, subprocess.CalledProcessError) as error:
        print(f"image: {error}", file=sys.stderr)
        return 1
    return 0
