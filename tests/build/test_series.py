# SPDX-License-Identifier: GPL-2.0
"""The patches of `make series`: they apply, and after each the kernel builds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lab.base import paths
from lab.check.static import uml_targets
from lab.kernel import kernels, kunit
from lab.series import plan, stages, trim, writer
from lab.series.stages import CORE, STAGE_TREE, Stages

PATCHES = plan.load()
STAGES = Stages(PATCHES)

# As `make check` compiles what is integrated.
PARTS = ("guest", "kunit", "bench", "check")
FRAGMENTS = tuple(f"{part}.config" for part in PARTS)
FRAGMENT = paths.BUILD / "stage.config"
COMPILED = kernels.Kernel("stage", STAGE_TREE, "obj", (str(FRAGMENT),))
COMPILED_UML = kernels.Kernel(
    "stage-uml", STAGE_TREE, "obj-uml", ("uml.config",), arch="um"
)
UML = kernels.Kernel("stage-kunit", STAGE_TREE, "obj-kunit", (), arch="um")

# Where a changed source is an object of the kernel.
SOURCES = ("mm/", "drivers/", "fs/", "kernel/")

# To build all of them takes some time, and to run the KUnit suites of the first and of
# one in the middle; `make kunit` runs those of the last.  What brings much of the
# core is always built.
BUILT = (0, 8)
SUITES = (0, 6)


def long_but(stages: Iterable[int]) -> list[Any]:
    """Return all stages; others than these are only built by `make series-test`."""
    short = set(stages)
    return [
        pytest.param(stage, marks=() if stage in short else pytest.mark.long)
        for stage in range(len(PATCHES))
    ]


def label(stage: int) -> str:
    """Name a stage in the list of tests."""
    return f"{stage + 1:02}"


def users(header: str, stage: int) -> set[str]:
    """Name the sources among what we change that include a header."""
    included = f"<{header.removeprefix('include/')}>".encode()
    return {
        name
        for name in STAGES.names
        if name.endswith(".c") and included in (STAGES.content(name, stage) or b"")
    }


def touched_by(stage: int) -> set[str]:
    """Name the files that a patch adds or changes."""
    return {
        name
        for name in STAGES.differences(stage)
        if STAGES.content(name, stage) is not None
    }


def objects(stage: int) -> list[str]:
    """Name what has to be made to compile all that a patch touches."""
    touched = touched_by(stage)
    for name in sorted(touched):
        if name.startswith("include/"):
            touched |= users(name, stage)
    core = {CORE for name in touched if name.startswith(CORE)}
    others = {
        name.removesuffix(".c") + ".o"
        for name in touched
        if name.startswith(SOURCES) and name.endswith(".c")
        if not name.startswith(CORE)
    }
    return sorted(core | others)


def fragment(stage: int) -> str:
    """Return the configuration of a stage: all that is ours, as far as it is there."""
    asked = kernels.fragments_text(replace(COMPILED, fragments=FRAGMENTS))
    ours = "\n".join(f"CONFIG_{symbol}=y" for symbol in STAGES.symbols)
    return trim.settings(f"{asked}\n\n{ours}\n", STAGES.missing_symbols(stage))


def test_series_applies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them apply in their order, and nothing is missing then."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "2")
    for number, (key, value) in enumerate(
        {"user.name": "Nobody", "user.email": "nobody@example.org"}.items()
    ):
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{number}", key)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{number}", value)
    monkeypatch.setattr(writer, "OUTPUT", tmp_path / "series")
    written = writer.write(STAGES)
    names = STAGES.names
    repository = tmp_path / "linux"
    repository.mkdir()
    writer.git(repository, "init", "--quiet")
    writer.copy(names, paths.STOCK_TREE, repository)
    writer.commit(repository, "the stock kernel")
    assert len(written) == len(PATCHES)
    patches = [str(writer.OUTPUT / name) for name in written]
    writer.git(repository, "am", "--quiet", *patches)
    for name in names:
        ours, applied = paths.TREE / name, repository / name
        assert applied.is_file() == ours.is_file(), name
        if ours.is_file():
            assert applied.read_bytes() == ours.read_bytes(), name


def compile_all(kernel: kernels.Kernel, names: list[str]) -> None:
    """Compile objects of a stage; a warning is an error."""
    kernels.configure(kernel)
    command = kernels.make_command(kernel, "W=1", "KCFLAGS=-Werror", *names)
    kernels.run(command, kernel.tree, kernel.log)


@pytest.mark.parametrize("stage", long_but(BUILT), ids=label)
def test_stage_compiles(stage: int) -> None:
    """What a patch touches compiles without a warning, with later ones missing."""
    targets = {
        COMPILED: objects(stage),
        COMPILED_UML: uml_targets(sorted(touched_by(stage))),
    }
    if not any(targets.values()):
        assert stage == STAGES.last, "only the documents are not compiled"
        return
    with paths.locked("stage"):
        stages.prepare(STAGES, stage)
        FRAGMENT.write_text(fragment(stage), encoding="utf-8")
        for kernel, names in targets.items():
            if names:
                compile_all(kernel, names)


@pytest.mark.long
@pytest.mark.parametrize("stage", SUITES, ids=label)
def test_suites_of_stage(stage: int) -> None:
    """The KUnit suites that are there after a patch pass."""
    with paths.locked("stage"):
        stages.prepare(STAGES, stage)
        seen = kunit.run(UML, kunit.KUNITCONFIG, [])
    assert set(seen) == {"PASS"}
