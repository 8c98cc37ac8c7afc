# SPDX-License-Identifier: GPL-2.0
"""What must compile: other users of the API, and other configurations."""

import subprocess
from pathlib import Path

import pytest
from lab import image, kernels, paths
from lab.kernels import Kernel
from lab.tree import put

HYPERV = Kernel("hyperv", paths.TREE, "obj-hyperv", ("guest.config", "hyperv.config"))
NONE = Kernel("none", paths.TREE, "obj-none", ("guest.config", "none.config"))
SMALL = Kernel("small", paths.TREE, "obj-small", ("small.config",), arch="i386")


def compile_objects(kernel: Kernel, *targets: str) -> None:
    """Configure a kernel and make some of its objects; a warning is an error."""
    kernels.configure(kernel)
    kernels.run(
        kernels.make_command(kernel, "KCFLAGS=-Werror", *targets),
        kernel.tree,
        kernel.log,
    )


def defined_symbols(kernel: Kernel, target: str) -> str:
    """List the symbols of an object."""
    done = subprocess.run(
        ["nm", kernel.objects / target], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_hyperv_balloon_compiles() -> None:
    """hv_balloon.c compiles, as the rules change it."""
    compile_objects(HYPERV, "drivers/hv/hv_balloon.o")
    symbols = defined_symbols(HYPERV, "drivers/hv/hv_balloon.o")
    assert "U page_reporting_register" in symbols


def test_hyperv_balloon_compiles_unmodified() -> None:
    """The stock hv_balloon.c compiles against our header and uses it."""
    # Beside ours, so that Kbuild compiles it in the same way.
    directory = Path("drivers/hv")
    source = (paths.STOCK_TREE / directory / "hv_balloon.c").read_bytes()
    put(paths.TREE / directory / "stock_hv_balloon.c", source)
    compile_objects(HYPERV, "drivers/hv/stock_hv_balloon.o")
    symbols = defined_symbols(HYPERV, "drivers/hv/stock_hv_balloon.o")
    assert "U page_reporting_register" in symbols
    assert "U page_reporting_order" in symbols


def test_stock_virtio_balloon_compiles_unmodified() -> None:
    """The stock virtio_balloon.c, its own reporting included, is a module."""
    module = next(
        path
        for path in image.compile_modules()
        if path.name == f"{image.STOCK_MODULE}.ko"
    )
    source = module.with_suffix(".c")
    assert source.read_bytes() == image.STOCK_DRIVER.read_bytes()
    symbols = subprocess.run(
        ["nm", module], capture_output=True, text=True, check=True
    ).stdout
    assert "U page_reporting_register" in symbols


def test_allocator_without_page_reporting() -> None:
    """CONFIG_PAGE_REPORTING=n leaves nothing of it in the allocator."""
    compile_objects(NONE, "mm/page_alloc.o")
    assert "page_reporting" not in defined_symbols(NONE, "mm/page_alloc.o")


@pytest.mark.parametrize("target", ["mm/page_reporting/", "drivers/virtio/"])
def test_small_32_bit_kernel(target: str) -> None:
    """The core and the backend compile on a small 32-bit kernel."""
    compile_objects(SMALL, target)
    assert list(Path(SMALL.objects / target).glob("*.o"))
