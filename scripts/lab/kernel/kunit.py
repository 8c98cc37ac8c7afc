# SPDX-License-Identifier: GPL-2.0
"""Run the KUnit suites on User Mode Linux with the kernel's own kunit.py.

Once with all of the core and once with what cannot be left out; with a filter, or
other arguments for `kunit.py exec`, only the former.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lab.base import paths
from lab.base.tally import summary
from lab.kernel import kernels

KUNITCONFIG = "mm/page_reporting/tests/.kunitconfig"
# What is very slow is a benchmark.  While all tasks sleep, the clock runs ahead.
SUITES = ("--filter", "speed>very_slow", "--kernel_args", "time-travel")
CLOCK = "CONFIG_UML_TIME_TRAVEL_SUPPORT=y"
# On by default, of no use to the suites: off, to build faster.
LEAVE_OUT = (
    "AIO", "BLOCK", "DNOTIFY", "FORTIFY_SOURCE", "FW_LOADER", "HID_SUPPORT", "HWMON",
    "INOTIFY_USER", "INPUT", "IO_URING", "NAMESPACES", "RD_BZIP2", "RD_LZ4", "RD_LZMA",
    "RD_LZO", "RD_XZ", "RD_ZSTD", "SECCOMP", "SERIO", "UML_PCI_OVER_VIRTIO",
    "USB_SUPPORT",
)  # fmt: skip
# What that takes, and what it would switch off.
QUICK = (
    "CONFIG_EXPERT=y",
    "CONFIG_DEBUG_MEMORY_INIT=y",
    *(f"CONFIG_{symbol}=n" for symbol in LEAVE_OUT),
)
# What makes the kernel a guest for tests/uml, too.
GUEST = tuple(
    f"CONFIG_{symbol}=y"
    for symbol in (
        "BLK_DEV_INITRD", "DEVTMPFS", "NULL_CHAN", "PAGE_POISONING", "SSL", "TMPFS",
        "UML_PAGE_REPORTING",
    )
)  # fmt: skip
UML = kernels.Kernel("kunit", paths.TREE, "obj-kunit", (), arch="um")
SMALL_KUNITCONFIG = "mm/page_reporting/tests/small.kunitconfig"
SMALL_UML = kernels.Kernel("kunit-small", paths.TREE, "obj-kunit-small", (), arch="um")


def kunit(*arguments: str, tree: Path = paths.TREE) -> int:
    """Run kunit.py in a kernel tree."""
    return subprocess.call(
        ["/usr/bin/python3", "tools/testing/kunit/kunit.py", *arguments],
        cwd=tree,
        env=kernels.environment() | {"PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
    )


def build(
    kernel: kernels.Kernel, config: str, more: Sequence[str] = (), *variables: str
) -> int:
    """Configure and build a kernel; the build is ours, for its progress line."""
    kernel.link()
    arguments = ["--kunitconfig", config, "--build_dir", kernel.output]
    arguments += [f"--kconfig_add={line}" for line in (*QUICK, *more)]
    arguments += ["--make_options", "CC=ccache gcc"]
    code = kunit("config", *arguments, tree=kernel.tree)
    if not code:
        kernels.make(kernel, "all", *variables)
    return code


def build_suites() -> int:
    """Build the kernel that has all suites, and is a guest for tests/uml."""
    return build(UML, KUNITCONFIG, (CLOCK, *GUEST))


def run(
    kernel: kernels.Kernel,
    config: str,
    arguments: list[str],
    more: Sequence[str] = (),
) -> list[str]:
    """Build a kernel and run the suites; return the outcomes of all cases."""
    result = paths.LOGS / f"{kernel.name}.json"
    result.unlink(missing_ok=True)
    code = build(kernel, config, (CLOCK, *more))
    if not code:
        options = ["--build_dir", kernel.output, f"--json={result}", *SUITES]
        code = kunit("exec", *options, *arguments, tree=kernel.tree)
    seen: list[str] = []
    if result.exists():
        seen = list(outcomes(json.loads(result.read_text(encoding="utf-8"))))
    # a skipped case tests nothing, and a run without cases neither
    if (code or not seen) and seen.count("PASS") == len(seen):
        seen.append("BROKEN")
    return seen


def outcomes(group: dict[str, Any]) -> Iterator[str]:
    """Yield the outcome of every test case in kunit.py's JSON result."""
    for case in group.get("test_cases", []):
        yield case["status"]
    for sub_group in group.get("sub_groups", []):
        yield from outcomes(sub_group)


def main(arguments: list[str]) -> int:
    """Entry point of `make kunit`."""
    paths.LOGS.mkdir(parents=True, exist_ok=True)
    seen: list[str] = []
    try:
        with paths.locked("kunit"):
            seen += run(UML, KUNITCONFIG, arguments, GUEST)
            if not arguments:
                seen += run(SMALL_UML, SMALL_KUNITCONFIG, arguments)
    except kernels.KernelError as error:
        print(f"kunit: {error}", file=sys.stderr)
        seen.append("BROKEN")
    passed = seen.count("PASS")
    print(summary(passed, len(seen) - passed))
    return 1 if len(seen) > passed else 0
