# SPDX-License-Identifier: GPL-2.0
"""Tell which lines of the core the KUnit suites run: build/report/coverage/.

The suites run on a User Mode Linux that is built to count, which takes a kernel
of its own; gcovr reads what it has counted.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from lab.base import paths
from lab.kernel import kernels, kunit

UML = kernels.Kernel("coverage", paths.TREE, "obj-coverage", (), arch="um")
COUNTING = (
    "CONFIG_GCOV=y",
    "CONFIG_MODULES=n",
    "CONFIG_DEBUG_INFO_NONE=n",
    "CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y",
)
DUMP = Path(__file__).with_name("coverage_dump.c")
DUMP_OBJECT = paths.BUILD / "coverage_dump.o"
# libgcov of today has a function whose name is one of the kernel's.
LINKING = "LDFLAGS_EXECSTACK=-z noexecstack --allow-multiple-definition"
SOURCES = r"mm/page_reporting/[a-z]+\.[ch]$"
REPORT = paths.REPORT / "coverage"


def count() -> int:
    """Run the suites, with nothing counted before."""
    subprocess.run(["gcc", "-c", "-o", DUMP_OBJECT, DUMP], check=True)
    linking = f"{LINKING} {DUMP_OBJECT}"
    code = kunit.build(UML, kunit.KUNITCONFIG, (kunit.CLOCK, *COUNTING), linking)
    if code:
        return code
    for old in UML.objects.rglob("*.gcda"):
        old.unlink()
    return kunit.kunit("exec", "--build_dir", UML.output, *kunit.SUITES)


def summarise() -> None:
    """Write the pages and show the share of each file."""
    shutil.rmtree(REPORT, ignore_errors=True)
    REPORT.mkdir(parents=True)
    summary = REPORT / "summary.json"
    subprocess.run(
        [
            "gcovr", "--root", paths.TREE, "--filter", SOURCES,
            "--json-summary", summary, "--html-details", REPORT / "index.html",
            UML.objects / "mm/page_reporting",
        ],
        cwd=paths.TREE,
        check=True,
    )  # fmt: skip
    data = json.loads(summary.read_text(encoding="utf-8"))
    for row in [*data["files"], {"filename": "all", **data}]:
        print(
            f"{row['filename']:34} {row['line_covered']:5} of {row['line_total']:5}"
            f" lines, {row['line_percent']:5.1f} %"
        )
    print(f"Wrote {(REPORT / 'index.html').relative_to(paths.ROOT)}.")


def main() -> int:
    """Entry point of `make coverage`."""
    try:
        with paths.locked("coverage"):
            if count():
                raise kernels.KernelError("the suites did not pass, nothing counts")
            summarise()
    except (kernels.KernelError, subprocess.CalledProcessError) as error:
        print(f"coverage: {error}", file=sys.stderr)
        return 1
    return 0
