# SPDX-License-Identifier: GPL-2.0
"""Every target of `make help` does all of its own set-up, in a clean clone.

What compiles, boots or downloads for minutes is stood in for, see stand_in.py;
all else is real: make and what it makes first, the tree, the scripts.  A target
that does not end by itself has to come as far as the tool that does its work.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.base import paths
from lab.xen import image as xen_image
from stand_in import MISSING, TOOLS

WORK = paths.BUILD / "clone"
STAND_IN = Path(__file__).with_name("stand_in.py")
MAKE = "/usr/bin/make"
TREES = ("stock-src", "linux")
# Checks that take half a minute and need nothing that was built.
LEFT_OUT = ("mypy", "flake8")
# Against hanging for ever.
PATIENCE_SECONDS = 600

# How far a target comes: to its end, or to calls of tools with such arguments.
END: list[tuple[str, str]] = []
GUEST = [("qemu-system-x86_64", "build/ours/")]
# Of tests that run side by side, the first that fails ends the others.
SOME_GUEST = [("qemu-system-x86_64", "-kernel")]
XEN = [("qemu-system-x86_64", "build/xen/xen")]
REACHES = {
    "help": END,
    "deps": END,
    "tree": END,
    "kernels": END,
    "kernel-ours": END,
    "kernel-stock": END,
    "kernel-debug": END,
    "kernel-stress": END,
    "kernel-uml": END,
    "image": END,
    "check": END,
    "unit-test": END,
    "docs-test": END,
    "quick": END,
    "fuzz": END,
    "lint": END,
    "hooks": END,
    "kunit": END,
    "uml-test": [("linux", "uml_page_reporting=on")],
    "coverage": [("gcovr", "")],
    "build-test": [("make", "drivers/hv/hv_balloon.o"), ("make", "/guest-modules")],
    "vm-test": SOME_GUEST,
    "vm-smoke": SOME_GUEST,
    "stress": [("qemu-system-x86_64", "build/stress/")],
    "xen-image": END,
    "xen-test": XEN,
    "test": END,
    "test-all": END,
    "clone-test": END,
    "demo": GUEST,
    "bench": GUEST,
    "bench-density": GUEST,
    "bench-memhog": GUEST,
    "bench-page_fault": [("qemu-system-x86_64", "build/nopr/")],
    "bench-hold": [("qemu-system-x86_64", "build/irqsoff/")],
    "bench-scale": [("linux", "page_reporting_scale")],
    "bench-discard": GUEST,
    "bench-build": GUEST,
    "bench-scatter": GUEST,
    "bench-busy": GUEST,
    "bench-policy": GUEST,
    "bench-snapshot": GUEST,
    "bench-xen": XEN,
    "report": END,
    "report-test": [("chromium", "outer.html")],
    "bench-test": GUEST + XEN,
    "shell": GUEST,
    "deb": [("dpkg-buildpackage", "--no-sign"), ("make", "bindeb-pkg")],
    "deb-test": [("dpkg-buildpackage", "--no-sign")],
    "distro-test": [("debootstrap", "--variant=minbase")],
    "series": END,
    "series-test": [("make", "linux-stage")],
    "clean": END,
}

# These tests would run all of themselves again, or all that is run before; each
# benchmark is tried alone; and not all tests of some groups need the same, so these do
# not end with the first.
VARIABLES = {
    "unit-test": ["K=version"],
    "clone-test": ["K=help"],
    "fuzz": ["SECONDS=1"],
    "stress": ["SEED=1"],
    "deb": ["FLAVOUR=small"],
    "bench": ["VARIANT=dontneed"],
    "build-test": ["K=balloon", "PYTEST_ADDOPTS="],
    "series-test": ["K=compiles"],
    "bench-test": ["K=memhog or xen", "PYTEST_ADDOPTS="],
}


def targets() -> list[str]:
    """Return the targets that `make help` lists."""
    command = [MAKE, "--no-print-directory", "-C", str(paths.ROOT), "help"]
    shown = subprocess.run(
        command, env=environment(), capture_output=True, text=True, check=True
    )
    return [
        line.split()[1]
        for line in shown.stdout.splitlines()
        if line.startswith("  make ")
    ]


def environment() -> dict[str, str]:
    """Return an environment that has nothing of this run, or of this user."""
    return {
        "HOME": str(WORK / "home"),
        "LANG": "C.UTF-8",
        "PATH": f"{WORK / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(WORK / "python"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "PR_ACCEL": "tcg",
        "PYTEST_ADDOPTS": "-x",
        "SCALE": "32",
        "STAND_IN_LOG": str(WORK / "calls"),
        "STAND_IN_TOP": str(paths.TOP),
        "STAND_IN_XEN": str(xen_image.PACKAGES),
    }


@dataclass(frozen=True)
class Run:
    """What a target did."""

    status: int
    output: str
    calls: list[tuple[str, str, int]]

    def called(self, tool: str, argument: str) -> bool:
        """Tell whether a tool was called with this among its arguments."""
        return any(
            name == tool and argument in arguments and status != MISSING
            for name, arguments, status in self.calls
        )


class Clone:
    """A clone in which a target always starts from nothing.

    The integrated tree is prepared once, and given to each target that would
    begin with preparing it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.build = folder / "build"
        self.shelf = WORK / "shelf"
        self.shelf.mkdir()

    def make(self, *arguments: str) -> Run:
        """Run make in the clone as it is."""
        log = WORK / "calls"
        log.write_text("")
        done = subprocess.run(
            [MAKE, "--no-print-directory", *arguments],
            cwd=self.folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        lines = log.read_text(encoding="utf-8").splitlines()
        return Run(done.returncode, done.stdout, [json.loads(line) for line in lines])

    def try_target(self, target: str, *variables: str) -> Run:
        """Run a target as the first that is ever run."""
        commands = self.make("-n", target, *variables).output
        begins = {name for name in TREES if prepares(commands, name)}
        for name in begins:
            self.build.mkdir(exist_ok=True)
            (self.shelf / name).rename(self.build / name)
        try:
            return self.make(target, *variables)
        finally:
            for name in begins:
                self.put_away(name)
            shutil.rmtree(self.build, ignore_errors=True)

    def put_away(self, name: str) -> None:
        """Put a tree on the shelf, without what was built in it."""
        tree = self.build / name
        for output in tree.glob("obj*"):
            shutil.rmtree(output)
        tree.rename(self.shelf / name)

    def changes(self) -> str:
        """Return what git sees in the clone that was not there."""
        command = ["git", "-C", str(self.folder), "status", "--porcelain"]
        return subprocess.check_output(command, env=environment(), text=True)


def prepares(commands: str, tree: str) -> bool:
    """Tell whether commands begin with preparing a tree."""
    steps = [line for line in commands.splitlines() if " lab tree" in line]
    if tree == "linux":
        steps = [step for step in steps if "--stock-only" not in step]
    return bool(steps)


def copy_of_repository() -> Path:
    """Clone the repository, and bring along what is changed and not committed."""
    folder = WORK / "repository"
    subprocess.run(["git", "clone", "--quiet", paths.ROOT, folder], check=True)
    changes = subprocess.run(
        ["git", "-C", paths.ROOT, "diff", "--binary", "HEAD"],
        stdout=subprocess.PIPE,
        check=True,
    )
    git = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x"]
    subprocess.run(
        [*git, "apply", "--index", "--allow-empty"], input=changes.stdout, check=True
    )
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    return folder


@pytest.fixture(scope="module", name="clone")
def fixture_clone() -> Iterator[Clone]:
    """Return a clone, and the stand-ins, with the first `make tree` done for real."""
    with paths.locked("clone"):
        shutil.rmtree(WORK, ignore_errors=True)
        for name in ("bin", "home", "python"):
            (WORK / name).mkdir(parents=True)
        for tool in set(TOOLS) - {"linux"}:
            (WORK / "bin" / tool).symlink_to(STAND_IN)
        for module in LEFT_OUT:
            (WORK / "python" / f"{module}.py").touch()
        with paths.locked("xen"):
            paths.BUILD.joinpath("xen").mkdir(exist_ok=True)
            xen_image.unpack_packages()
        clone = Clone(copy_of_repository())
        first = clone.make("tree")
        assert first.status == 0, first.output
        for name in TREES:
            clone.put_away(name)
        yield clone
        shutil.rmtree(WORK)


@pytest.mark.parametrize("target", targets())
def test_target_does_all_of_its_setup(clone: Clone, target: str) -> None:
    """Nothing else was run before, and nothing is left beside build/."""
    assert target in REACHES, "say in REACHES how far it has to come"
    run = clone.try_target(target, *VARIABLES.get(target, []))
    assert all(run.called(*call) for call in REACHES[target]), run.output
    assert run.status == 0 or REACHES[target], run.output
    assert "Traceback" not in run.output
    assert not clone.changes()


def test_every_group_of_tests_is_a_target(clone: Clone) -> None:
    """What `make test` adds up are targets that were tried above."""
    calls = clone.try_target("test").calls
    lines = [arguments.split() for tool, arguments, _ in calls if tool == "make"]
    groups = {word for line in lines for word in line[1:] if "=" not in word}
    assert groups and groups <= set(REACHES)


@pytest.mark.parametrize("wanted", [{"ours"}, {"ours", "debug"}])
def test_one_test_builds_what_it_boots(clone: Clone, wanted: set[str]) -> None:
    """The other kernels are not built for it."""
    chosen = "kunit" if "debug" in wanted else "sysfs"
    run = clone.try_target("vm-test", f"K={chosen}")
    assert run.called("qemu-system-x86_64", "-kernel"), run.output
    outputs = {"ours": "linux -j", "debug": "O=obj-debug", "stock": "stock-src -j"}
    built = {
        name
        for name, mark in outputs.items()
        for tool, arguments, _ in run.calls
        if tool == "make" and "bzImage" in arguments and mark in arguments
    }
    assert built == wanted


@pytest.mark.parametrize(
    "target, tool", [("kunit", "linux"), ("vm-smoke", "qemu-system-x86_64")]
)
def test_newest_kernel_and_emulator(clone: Clone, target: str, tool: str) -> None:
    """They are fetched, and what is built of them has a place of its own."""
    run = clone.try_target(target, "KERNEL_SOURCE=7.3", "QEMU=10.0")
    # Which of the guests comes first is open.
    called = f"-kernel {clone.build}/7.3/" if target == "vm-smoke" else ""
    assert run.called(tool, called), run.output
    assert not clone.changes()


def test_demo_without_emulator(clone: Clone) -> None:
    """User Mode Linux needs none, and no other kernel than its own."""
    run = clone.try_target("demo", "BACKEND=uml")
    assert run.called("linux", "uml_page_reporting=on"), run.output
    assert not run.called("make", "bzImage")
    assert not run.called("qemu-system-x86_64", "")
    assert not clone.changes()


def test_demo_of_an_unknown_backend(clone: Clone) -> None:
    """Nothing is prepared or built before it is refused."""
    run = clone.make("demo", "BACKEND=umml")
    assert run.status and "BACKEND=umml is not one of virtio, uml" in run.output
    assert not run.calls


def test_part_of_the_suites_can_be_run(clone: Clone) -> None:
    """The filter reaches the kernel that has the suites."""
    run = clone.try_target("kunit", "FILTER=some_suite.some_case")
    assert run.called("linux", "kunit.filter_glob=some_suite.some_case"), run.output
