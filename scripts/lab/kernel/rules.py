# SPDX-License-Identifier: GPL-2.0
"""The integration rules: how existing kernel files are changed.

A rule is either a Coccinelle semantic patch (integration/*.cocci) or an entry
of integration/edits.toml.  Every rule names one target file and must match;
a rule that does not is an error, never a warning, because a kernel with half
of its integration would build and misbehave.

A rule that not every kernel needs names those that it is for.
"""

import difflib
import hashlib
import re
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.base import paths


class RuleError(Exception):
    """A rule is malformed or does not match its target."""


@dataclass(frozen=True)
class Rule:
    """What both kinds of rules have in common; no @kernels stands for all."""

    name: str
    target: str
    looks_for: str
    text: str
    kernels: tuple[str, ...]

    def digest(self) -> str:
        """Identify the rule's content, to notice when it changes."""
        return hashlib.sha256(f"{self.target}\0{self.text}".encode()).hexdigest()

    def apply(self, source: str) -> str:
        """Return the changed text of the target."""
        raise NotImplementedError

    def fail(self, why: str) -> RuleError:
        """Build the error that stops the build."""
        return RuleError(
            f"{self.name}: {why}\n"
            f"  target:     {self.target}\n"
            f"  looked for: {self.looks_for}"
        )


def count_changes(old: str, new: str) -> int:
    """Count the separate places in which two texts differ."""
    matcher = difflib.SequenceMatcher(
        None, old.splitlines(), new.splitlines(), autojunk=False
    )
    return sum(tag != "equal" for tag, *_ in matcher.get_opcodes())


@dataclass(frozen=True)
class SemanticPatch(Rule):
    """A .cocci file.

    @places is the number of separate places that it changes: a patch of
    several rules could otherwise match in part, unnoticed.
    """

    places: int

    def apply(self, source: str) -> str:
        result = self._spatch(source)
        if result == source:
            raise self.fail("matches nowhere")
        changed = count_changes(source, result)
        if changed != self.places:
            raise self.fail(
                f"changes {changed} places, '// Places:' allows exactly {self.places}"
            )
        return result

    def _spatch(self, source: str) -> str:
        with tempfile.TemporaryDirectory() as scratch:
            patch = Path(scratch) / "rule.cocci"
            patch.write_text(self.text, encoding="utf-8")
            # spatch treats a header by its name, so the copy keeps it
            copy = Path(scratch) / Path(self.target).name
            copy.write_text(source, encoding="utf-8")
            run = subprocess.run(
                ["spatch", "--very-quiet", "--in-place", "--max-width", "80",
                 "--sp-file", patch, copy],
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                raise self.fail(f"spatch fails:\n{run.stdout}{run.stderr}".rstrip())
            return copy.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Edit(Rule):
    """An entry of edits.toml; inserted text goes above or below whole lines."""

    action: str
    new: str

    def apply(self, source: str) -> str:
        found = list(re.finditer(self.looks_for, source, re.MULTILINE))
        if len(found) != 1:
            raise self.fail(f"matches {len(found)} times, must match exactly once")
        start, end = found[0].span()
        if self.action == "insert_before":
            start = end = source.rfind("\n", 0, start) + 1
        elif self.action == "insert_after":
            newline = source.find("\n", max(start, end - 1))
            start = end = len(source) if newline < 0 else newline + 1
        return source[:start] + self.new + source[end:]


def _header(path: Path, text: str, key: str) -> str:
    """Read a `// Key: value` comment of a .cocci file."""
    found = re.search(rf"^// {key}:\s*(.+)$", text, re.MULTILINE)
    if not found:
        raise RuleError(f"{path.name}: has no comment line '// {key}: ...'")
    return found[1].strip()


def _kernels(name: str, named: list[str]) -> tuple[str, ...]:
    """Check the kernels that a rule is for."""
    unknown = sorted(set(named) - set(paths.SOURCES))
    if unknown:
        raise RuleError(f"{name}: names kernels {unknown}, known are {paths.SOURCES}")
    return tuple(named)


def _load_cocci(path: Path) -> SemanticPatch:
    text = path.read_text(encoding="utf-8")
    places = _header(path, text, "Places")
    if not places.isdigit() or int(places) < 1:
        raise RuleError(f"{path.name}: '// Places:' is '{places}', not 1 or more")
    kernels = re.search(r"^// Kernels:(.*)$", text, re.MULTILINE)
    return SemanticPatch(
        name=path.name,
        target=_header(path, text, "Target"),
        looks_for=_header(path, text, "Looks for"),
        text=text,
        kernels=_kernels(path.name, kernels[1].split() if kernels else []),
        places=int(places),
    )


ACTIONS = ("insert_after", "insert_before", "replace")
KEYS = {"name", "file", "match", "kernels", *ACTIONS}


def _load_edit(entry: dict[str, Any]) -> Edit:
    name = f"edits.toml [{entry.get('name', 'an entry without name')}]"
    unknown = sorted(set(entry) - KEYS)
    if unknown:
        raise RuleError(f"{name}: has unknown keys {unknown}, known are {sorted(KEYS)}")
    actions = [action for action in ACTIONS if action in entry]
    if len(actions) != 1 or not all(key in entry for key in ("name", "file", "match")):
        raise RuleError(f"{name}: needs name, file, match and one of {ACTIONS}")
    try:
        re.compile(entry["match"])
    except re.error as error:
        raise RuleError(f"{name}: match is no regular expression: {error}") from error
    action = actions[0]
    new = entry[action]
    if action != "replace" and not new.endswith("\n"):
        new += "\n"
    return Edit(
        name=name,
        target=entry["file"],
        looks_for=entry["match"],
        text=repr(sorted(entry.items())),
        kernels=_kernels(name, entry.get("kernels", [])),
        action=action,
        new=new,
    )


def load(folder: Path, source: str) -> list[Rule]:
    """Read the rules for a kernel: semantic patches in name order, then the edits."""
    rules: list[Rule] = [_load_cocci(path) for path in sorted(folder.glob("*.cocci"))]
    edits = folder / "edits.toml"
    if edits.exists():
        try:
            table = tomllib.loads(edits.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise RuleError(f"edits.toml: {error}") from error
        rules += [_load_edit(entry) for entry in table.get("edit", [])]
    return [rule for rule in rules if not rule.kernels or source in rule.kernels]


def by_target(rules: list[Rule]) -> dict[str, list[Rule]]:
    """Group rules by the file they change, in the order they apply."""
    groups: dict[str, list[Rule]] = {}
    for rule in rules:
        groups.setdefault(rule.target, []).append(rule)
    return groups
