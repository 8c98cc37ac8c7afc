# SPDX-License-Identifier: GPL-2.0
"""The kernel tree as it is after each patch of the series.

After patch k it is the stock kernel with the files, the integration rules and
the symbols of the patches up to k, and without the hunks of later ones.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lab.base import paths
from lab.kernel import rules, tree
from lab.kernel.tree import REMOVED, Integration
from lab.series import plan, trim
from lab.series.plan import Patch, SeriesError

CORE = "mm/page_reporting/"
MAKEFILE = f"{CORE}Makefile"
KCONFIG = f"{CORE}Kconfig"
INTERNALS = f"{CORE}tests/internals.h"
KUNITCONFIGS = (f"{CORE}tests/.kunitconfig", f"{CORE}tests/small.kunitconfig")

# The tree of a stage, which the next one takes over.
STAGE_TREE = paths.BUILD / "linux-stage"

STAMP = ".lab-stage"

# The result of a rule, by the text that it was applied to: spatch takes seconds.
APPLIED: dict[tuple[str, str], str] = {}


def apply(rule: rules.Rule, text: str) -> str:
    """Apply a rule, or remember what it comes to."""
    key = rule.digest(), tree.sha(text.encode())
    if key not in APPLIED:
        APPLIED[key] = rule.apply(text)
    return APPLIED[key]


def applied(group: list[rules.Rule], text: str) -> str:
    """Apply rules one after the other."""
    for rule in group:
        text = apply(rule, text)
    return text


@dataclass
class Stages:
    """What each file is after each patch; a stage is the number of a patch."""

    patches: list[Patch]
    project: Path = paths.ROOT
    stock: Path = paths.STOCK_TREE
    overlay: dict[str, Path] = field(init=False)
    targets: dict[str, list[rules.Rule]] = field(init=False)
    files: dict[str, int] = field(init=False)
    rules: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        integration = Integration(self.project, self.stock, self.stock)
        self.overlay = integration.overlay_files()
        self.targets = integration.load_rules()
        ours = sorted({*self.overlay, *REMOVED})
        found = [rule.name for group in self.targets.values() for rule in group]
        self.files = plan.file_owners(ours, self.patches)
        self.rules = plan.rule_owners(found, self.patches)
        self._check_patterns()
        self._check_hunks()

    @cached_property
    def names(self) -> list[str]:
        """Every file that the series adds, changes or removes."""
        return sorted({*self.overlay, *self.targets, *REMOVED})

    @cached_property
    def symbols(self) -> dict[str, int]:
        """The patch of every symbol of our Kconfig."""
        if KCONFIG not in self.overlay:
            return {}
        text = self.overlay[KCONFIG].read_text(encoding="utf-8")
        defined = trim.kconfig_symbols(text)
        for patch in self.patches:
            for symbol in patch.kconfig:
                if symbol not in defined:
                    raise SeriesError(
                        f"series.toml [{patch.subject}]: {KCONFIG} has no {symbol}"
                    )
        return plan.symbol_owners(defined, self.patches)

    @property
    def last(self) -> int:
        """The stage that is the integrated tree."""
        return len(self.patches) - 1

    def missing_symbols(self, stage: int) -> set[str]:
        """Return the symbols of our Kconfig that are not there yet."""
        return {symbol for symbol, first in self.symbols.items() if first > stage}

    def exists(self, name: str, stage: int) -> bool:
        """Tell whether a file of ours is there."""
        return name in self.overlay and self.files[name] <= stage

    def content(self, name: str, stage: int) -> bytes | None:
        """Return what a file is after a patch, None if it does not exist."""
        ours = self.exists(name, stage)
        if not ours and self.files.get(name, stage + 1) <= stage:
            return None  # removed
        path = self.overlay[name] if ours else self.stock / name
        if not path.is_file():
            return None
        data = path.read_bytes()
        group = [r for r in self.targets.get(name, []) if self.rules[r.name] <= stage]
        if group:
            data = applied(group, data.decode()).encode()
        return self._early(name, data, stage) if ours or group else data

    def lay(self, stage: int, target: Path) -> list[str]:
        """Make a tree that of a stage; return the names of what changed."""
        return [name for name in self.names if self.put(name, stage, target)]

    def put(self, name: str, stage: int, target: Path) -> bool:
        """Make a file of a tree that of a stage; return whether it changed."""
        data = self.content(name, stage)
        path = target / name
        if data is not None:
            return tree.put(path, data)
        there = path.is_file()
        path.unlink(missing_ok=True)
        return there

    def differences(self, stage: int) -> list[str]:
        """Return the names of the files that a patch adds, changes or removes."""
        return [
            name
            for name in self.names
            if self.content(name, stage) != self.content(name, stage - 1)
        ]

    def _early(self, name: str, data: bytes, stage: int) -> bytes:
        """Return a file without what comes later."""
        if stage >= self.last:
            return data

        def exists(other: str) -> bool:
            return self.exists(trim.beside(name, other), stage)

        missing = self.missing_symbols(stage)
        if name == MAKEFILE:
            data = trim.makefile(data.decode(), exists).encode()
        elif name == KCONFIG:
            data = trim.kconfig(data.decode(), missing).encode()
        elif name == INTERNALS:
            data = trim.includes(data.decode(), exists).encode()
        elif name in KUNITCONFIGS:
            data = trim.settings(data.decode(), missing).encode()
        if name in self._hunk_files:
            data = self._undo(name, data.decode(), stage).encode()
        return data

    @cached_property
    def _hunk_files(self) -> set[str]:
        return {hunk.file for patch in self.patches for hunk in patch.hunks}

    def _undo(self, name: str, text: str, stage: int) -> str:
        """Take out the hunks of later patches, the latest first."""
        for patch in reversed(self.patches[stage + 1 :]):
            for hunk in patch.hunks:
                if hunk.file == name:
                    text = hunk.undo(text, patch.subject)
        return text

    def _check_patterns(self) -> None:
        """Refuse patterns that are there for nothing."""
        for number, patch in enumerate(self.patches):
            if number not in {*self.files.values(), *self.rules.values()}:
                raise SeriesError(
                    f"series.toml [{patch.subject}]: has no file and no rule"
                )

    def _check_hunks(self) -> None:
        """Refuse hunks of what the patch before does not have."""
        for number, patch in enumerate(self.patches):
            for hunk in patch.hunks:
                where = f"series.toml [{patch.subject}]: a hunk of {hunk.file}"
                first = self._first(hunk.file)
                if first is None:
                    raise SeriesError(f"{where}: nothing of ours is in this file")
                if first >= number:
                    subject = self.patches[first].subject
                    raise SeriesError(
                        f"{where}: comes too early, we change the file in [{subject}]"
                    )

    def _first(self, name: str) -> int | None:
        """Return the first patch that changes a file, but for removing it."""
        if name in self.overlay:
            return self.files[name]
        numbers = [self.rules[rule.name] for rule in self.targets.get(name, [])]
        return min(numbers, default=None)


def prepare(stages: Stages, stage: int) -> Path:
    """Make STAGE_TREE the tree of a stage; objects of another one stay."""
    version = (paths.STOCK_TREE / tree.PACKAGE_STAMP).read_text(encoding="utf-8")
    stamp = STAGE_TREE / tree.PACKAGE_STAMP
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != version:
        shutil.rmtree(STAGE_TREE, ignore_errors=True)
        tree.link_copy(paths.STOCK_TREE, STAGE_TREE)
    laid = STAGE_TREE / STAMP
    known = laid.read_text(encoding="utf-8").split() if laid.exists() else []
    # First: what is changed here and not listed must not be forgotten.
    tree.put(laid, "\n".join(sorted({*known, *stages.names})).encode())
    for name in sorted(set(known) - set(stages.names)):
        stages.put(name, stage, STAGE_TREE)
    stages.lay(stage, STAGE_TREE)
    return STAGE_TREE
