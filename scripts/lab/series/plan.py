# SPDX-License-Identifier: GPL-2.0
"""What scripts/series.toml says: which patch brings which part of our changes."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.base import paths

PLAN = paths.ROOT / "scripts" / "series.toml"

COVER_KEYS = {"subject", "body"}
PATCH_KEYS = {"subject", "body", "files", "rules", "kconfig", "hunks"}
HUNK_KEYS = {"file", "match", "before"}


class SeriesError(Exception):
    """The series cannot be written."""


def compiled(pattern: str, where: str) -> re.Pattern[str]:
    """Compile a pattern of the plan."""
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise SeriesError(
            f"{where}: {pattern!r} is no regular expression: {error}"
        ) from error


@dataclass(frozen=True)
class Hunk:
    """A part of a file that comes later than the file itself.

    Until then @before stands in its place.
    """

    file: str
    match: str
    before: str = ""

    def undo(self, text: str, subject: str) -> str:
        """Return the text of the file as it is without this part."""
        where = f"series.toml [{subject}]"
        found = list(compiled(self.match, where).finditer(text))
        if len(found) != 1:
            raise SeriesError(
                f"{where}: a hunk of {self.file} matches {len(found)} times, must"
                f" match exactly once\n  looked for: {self.match}"
            )
        start, end = found[0].span()
        return text[:start] + self.before + text[end:]


@dataclass(frozen=True)
class Patch:
    """One patch of the series.

    @files and @rules are patterns, on the paths in the kernel tree and on the
    names of integration rules; @kconfig are symbols of our own Kconfig.
    """

    subject: str
    body: str
    files: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    kconfig: list[str] = field(default_factory=list)
    hunks: list[Hunk] = field(default_factory=list)

    def wants(self, name: str) -> bool:
        """Tell whether a file belongs to this patch."""
        return any(re.match(pattern, name) for pattern in self.files)

    def has_rule(self, name: str) -> bool:
        """Tell whether a rule belongs to this patch."""
        return any(re.match(pattern, name) for pattern in self.rules)

    @property
    def message(self) -> str:
        """The message of the commit."""
        return f"{self.subject}\n\n{self.body.strip()}"


def check_keys(entry: dict[str, Any], known: set[str], what: str) -> None:
    """Refuse a misspelt key."""
    unknown = sorted(set(entry) - known)
    if unknown:
        raise SeriesError(f"{what}: unknown keys {unknown}, known are {sorted(known)}")


def parse_hunk(entry: dict[str, Any], subject: str) -> Hunk:
    """Read a hunk of the plan."""
    what = f"series.toml [{subject}]: a hunk"
    check_keys(entry, HUNK_KEYS, what)
    if "file" not in entry or "match" not in entry:
        raise SeriesError(f"{what}: needs file and match")
    compiled(entry["match"], what)
    return Hunk(**entry)


def parse_patch(entry: dict[str, Any]) -> Patch:
    """Read a patch of the plan."""
    subject = entry.get("subject", "a patch without subject")
    what = f"series.toml [{subject}]"
    check_keys(entry, PATCH_KEYS, what)
    if "subject" not in entry or "body" not in entry:
        raise SeriesError(f"{what}: needs subject and body")
    for pattern in [*entry.get("files", []), *entry.get("rules", [])]:
        compiled(pattern, what)
    hunks = [parse_hunk(hunk, subject) for hunk in entry.get("hunks", [])]
    return replace(Patch(**entry), hunks=hunks)


def read(plan: Path) -> dict[str, Any]:
    """Read the file."""
    try:
        return tomllib.loads(plan.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SeriesError(f"{plan.name}: {error}") from error


def load_cover(plan: Path = PLAN) -> Patch:
    """Read what is said of the series as a whole: a patch without a change."""
    entry = read(plan).get("cover", {})
    what = f"{plan.name} [cover]"
    check_keys(entry, COVER_KEYS, what)
    if entry.keys() != COVER_KEYS:
        raise SeriesError(f"{what}: needs subject and body")
    return Patch(**entry)


def load(plan: Path = PLAN) -> list[Patch]:
    """Read the patches of the plan."""
    table = read(plan)
    patches = [parse_patch(entry) for entry in table.get("patch", [])]
    if not patches:
        raise SeriesError(f"{plan.name}: has no patch")
    return patches


def owners(
    names: Iterable[str],
    patches: list[Patch],
    what: str,
    wants: Callable[[Patch, str], bool],
) -> dict[str, int]:
    """Return the number of the one patch that wants each name."""
    found: dict[str, int] = {}
    for name in names:
        wanted = [i for i, patch in enumerate(patches) if wants(patch, name)]
        if not wanted:
            raise SeriesError(f"{name}: no patch of scripts/series.toml wants {what}")
        if len(wanted) > 1:
            subjects = " and ".join(f"[{patches[i].subject}]" for i in wanted)
            raise SeriesError(f"{name}: {subjects} of scripts/series.toml want {what}")
        found[name] = wanted[0]
    return found


def file_owners(names: Iterable[str], patches: list[Patch]) -> dict[str, int]:
    """Return the number of the patch that each file comes with."""
    return owners(names, patches, "this file", Patch.wants)


def rule_owners(names: Iterable[str], patches: list[Patch]) -> dict[str, int]:
    """Return the number of the patch that each integration rule comes with."""
    return owners(names, patches, "this rule", Patch.has_rule)


def symbol_owners(symbols: Iterable[str], patches: list[Patch]) -> dict[str, int]:
    """Return the number of the patch that each symbol of our Kconfig comes with."""
    return owners(
        symbols, patches, "this symbol", lambda patch, name: name in patch.kconfig
    )
