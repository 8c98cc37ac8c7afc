# SPDX-License-Identifier: GPL-2.0
"""A crash dump is readable, and leaves out what the hypervisor has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from conftest import Kernel
from keeper import load, unback, unbacked_kib
from lab.base import paths
from lab.guest import image
from lab.guest.vm import BALLOON, COMMAND_LINE, Vm, complaints
from lab.kernel import kernels
from lab.kernel.tree import put
from lab.testing.side_by_side import own_name
from reporting import SYSFS, be_aggressive, stat, tune, wait_drained

KIB_PER_MIB = 1024
PAGE_KIB = 4
MAKEDUMPFILE = Path("/usr/bin/makedumpfile")
KERNEL = "rare"
RESERVED = "crashkernel=192M"
BOOT_SECONDS = 600
CAPTURE = f"{COMMAND_LINE} nr_cpus=1 reset_devices"
# Level 16 leaves out what is free; 16 as a message level is the report about it.
MAKE_DUMP = "makedumpfile -l -d 16 --message-level 16 /proc/vmcore /tmp/dump"
# What the first kernel has in a file, and how much of it.  With the end of its line
# it has 32 letters, so that each is within a page.
MARK = "free-page-reporting-has-been-me"
FILE_MIB = 32
MARKS = FILE_MIB * KIB_PER_MIB * 1024 // (len(MARK) + 1)
# What is zero would be one long line.
COUNT = f"tr -s '\\0' '\\n' </proc/vmcore | grep -a -c {MARK}"
FREED_MIB = 64


def capture_image() -> Path:
    """Build the image of the first kernel: with the second one, and its tool."""
    kernel = kernels.KERNELS[KERNEL]
    whole = paths.BUILD / "initramfs-kdump.gz"
    with paths.locked("image"):
        root = image.STAGE / "kdump"
        shutil.rmtree(root, ignore_errors=True)
        image.install(root, MAKEDUMPFILE)
        (root / "modules").mkdir()
        for module in image.compile_chosen(kernel, "keeping_backend"):
            shutil.copy(module, root / "modules")
        small = image.IMAGE.read_bytes() + image.pack(root)
        (root / "kdump").mkdir()
        shutil.copy(kernel.image, root / "kdump/kernel")
        (root / "kdump/initrd").write_bytes(small)
        put(whole, image.IMAGE.read_bytes() + image.pack(root))
    return whole


def crash(vm: Vm) -> None:
    """Have the kernel crash, and wait until the other one takes commands."""
    vm.run(f"kexec-crash /kdump/kernel /kdump/initrd '{CAPTURE}'")
    # The answer is that of the other one.
    said = list(vm.channel.stream("echo c >/proc/sysrq-trigger", BOOT_SECONDS))
    assert said == ["=ready"]
    assert vm.try_run("test -s /proc/vmcore").status == 0


def assert_calm(vm: Vm) -> None:
    """Check that the other kernel did not complain."""
    assert not complaints(vm.console_text().rpartition("Linux version")[2])


def guest(find: Kernel, accel: str, name: str, balloon: str | None) -> Vm:
    """Return a guest that has another kernel ready."""
    kernel = find(KERNEL)
    initrd = ("-initrd", str(capture_image()))
    return Vm(
        kernel, name=own_name(f"test-{name}"), accel=accel, memory="1G",
        balloon=balloon, append=RESERVED, arguments=initrd,
    )  # fmt: skip


@pytest.mark.long
def test_dump_leaves_out_what_is_unbacked(
    kernel_named: Kernel, accelerator: str
) -> None:
    """The tool that everybody has knows such pages by their type."""
    with guest(kernel_named, accelerator, "kdump", None) as vm:
        load(vm)
        unback(vm, 400 * KIB_PER_MIB)
        tune(vm, enabled=0)
        unbacked = unbacked_kib(vm)
        crash(vm)
        report = vm.run(MAKE_DUMP, timeout=600)
        offline = re.search(r"Offline pages +: (0x[0-9a-f]+)", report)
        assert offline, report
        left_out = int(offline[1], 16) * PAGE_KIB
        assert abs(left_out - unbacked) <= 16 * KIB_PER_MIB, report
        vm.run("makedumpfile --dump-dmesg /tmp/dump /tmp/dmesg", timeout=600)
        said = vm.run("grep page_reporting /tmp/dmesg")
        assert "backend keeping_backend enabled" in said
        assert_calm(vm)


@pytest.mark.long
def test_only_its_own_memory_is_reported(
    kernel_named: Kernel, accelerator: str
) -> None:
    """What the crashed kernel had stays as it was while the other one reports."""
    with guest(kernel_named, accelerator, "kdump-reports", BALLOON) as vm:
        vm.run(f"yes {MARK} | head -n {MARKS} >/tmp/file")
        crash(vm)
        be_aggressive(vm)
        wait_drained(vm)
        before = stat(vm, "reported_kb")
        vm.run(f"touch-free {FREED_MIB}")
        vm.run(f"echo 1 >{SYSFS}/flush")
        assert stat(vm, "reported_kb") - before >= FREED_MIB * KIB_PER_MIB // 2
        found = vm.run(COUNT, timeout=1200)
        assert int(found) >= MARKS
        assert_calm(vm)
