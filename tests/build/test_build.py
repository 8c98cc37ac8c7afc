# SPDX-License-Identifier: GPL-2.0
"""What must compile: other users of the API."""

import subprocess
from pathlib import Path

from lab.base import paths
from lab.check.static import CHECKED, CHECKED_UML
from lab.guest import image
from lab.kernel import kernels
from lab.kernel.tree import put


def compile_driver(target: str, kernel: kernels.Kernel = CHECKED) -> str:
    """Compile a driver as `make check` does; return the symbols of the object."""
    kernels.configure(kernel)
    command = kernels.make_command(kernel, "W=1", "KCFLAGS=-Werror", target)
    kernels.run(command, kernel.tree, kernel.log)
    done = subprocess.run(
        ["nm", kernel.objects / target], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_hyperv_balloon_compiles() -> None:
    """hv_balloon.c compiles, as the rules change it."""
    symbols = compile_driver("drivers/hv/hv_balloon.o")
    assert "U page_reporting_register" in symbols


def test_hyperv_balloon_compiles_unmodified() -> None:
    """The stock hv_balloon.c compiles against our header and uses it."""
    # Beside ours, so that Kbuild compiles it in the same way.
    directory = Path("drivers/hv")
    source = (paths.STOCK_TREE / directory / "hv_balloon.c").read_bytes()
    put(paths.TREE / directory / "stock_hv_balloon.c", source)
    symbols = compile_driver("drivers/hv/stock_hv_balloon.o")
    assert "U page_reporting_register" in symbols
    assert "U page_reporting_order" in symbols


def test_uml_backend_compiles() -> None:
    """The backend of User Mode Linux compiles there, and uses what is there."""
    target = "arch/um/drivers/page_reporting_uml.o"
    symbols = compile_driver(target, CHECKED_UML)
    for needed in ("page_reporting_register", "phys_mapping", "os_falloc_punch"):
        assert f"U {needed}" in symbols


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
