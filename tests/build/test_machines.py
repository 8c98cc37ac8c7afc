# SPDX-License-Identifier: GPL-2.0
"""The library and its backends compile for other machines than x86."""

from __future__ import annotations

import pytest
from lab.base import paths
from lab.kernel import kernels
from lab.kernel.kernels import Kernel

COMMON = ("small.config", "kunit.config")
S390 = Kernel("s390", paths.TREE, "obj-s390", COMMON, arch="s390")
I386 = Kernel("i386", paths.TREE, "obj-i386", (*COMMON, "i386.config"), arch="i386")
OBJECTS = ("mm/page_reporting/", "mm/page_alloc.o", "drivers/virtio/")


@pytest.mark.long
@pytest.mark.parametrize("kernel", [S390, I386], ids=["s390", "i386"])
def test_compiles(kernel: Kernel) -> None:
    """Without a warning, with W=1."""
    kernels.configure(kernel)
    command = kernels.make_command(kernel, "W=1", "KCFLAGS=-Werror", *OBJECTS)
    kernels.run(command, kernel.tree, kernel.log)
