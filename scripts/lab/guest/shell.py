# SPDX-License-Identifier: GPL-2.0
"""An interactive guest with our kernel: its console is this terminal."""

from __future__ import annotations

import os
import sys

from lab.guest import accel, vm


def main() -> None:
    """Become QEMU."""
    try:
        kernel = vm.kernel_image("ours")
        accelerator = accel.choose(kernel)
    except vm.VmError as error:
        raise SystemExit(str(error)) from None
    print('Booting.  Leave the guest with "exit", or at any time with Ctrl-A x.')
    sys.stdout.flush()
    command = [
        *vm.machine_arguments(kernel, accelerator, "2G", 2, "quiet lab.shell"),
        *vm.balloon_arguments(vm.BALLOON),
        "-display", "none", "-serial", "mon:stdio",
    ]  # fmt: skip
    os.execvp(command[0], command)
