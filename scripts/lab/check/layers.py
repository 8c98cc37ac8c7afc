# SPDX-License-Identifier: GPL-2.0
"""The direction of calls in the core: scripts/layers.toml says who may call whom."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from lab.base import paths

LIST = paths.ROOT / "scripts" / "layers.toml"

# What a file offers to the others: definitions at the start of a line.
DEFINITIONS = (
    re.compile(r"^(?!static|return|else)[a-z][\w \t]*[ *]\*?(\w+)\(", re.MULTILINE),
    re.compile(
        r"^(?!static|extern|typedef|return)[a-z][\w \t*]*?[ *](\w+)"
        r"(?: __read_mostly)?(?:\[\w*\])? *(?:=|;)",
        re.MULTILINE,
    ),
    re.compile(r"^(?:DEFINE_\w+|LIST_HEAD)\((\w+)", re.MULTILINE),
)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
INCLUDE = re.compile(r'^#include "(\w+)\.h"', re.MULTILINE)
WORD = re.compile(r"\b[a-zA-Z_]\w*\b")


@dataclass(frozen=True)
class Source:
    """A file of the core, without comments and strings."""

    name: str
    code: str
    headers: frozenset[str] = frozenset()
    declares_only: bool = False

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a .c or .h file; both go by the name without that."""
        text = COMMENT.sub("", path.read_text(encoding="utf-8"))
        headers = frozenset(INCLUDE.findall(text)) - {path.stem}
        code = STRING.sub('""', text)
        return cls(path.stem, code, headers, path.suffix == ".h")

    def offers(self) -> set[str]:
        """Return the names that it defines for others.

        What begins with two underscores is called through a header, without them.
        """
        if self.declares_only:
            return set()
        found = {name for kind in DEFINITIONS for name in kind.findall(self.code)}
        return found | {name.removeprefix("__") for name in found}

    def uses(self) -> set[str]:
        """Return all words in it."""
        return set(WORD.findall(self.code))


@dataclass
class Layers:
    """How high each file lies, and which uses are excepted."""

    heights: dict[str, int]
    excepted: set[tuple[str, str]] = field(default_factory=set)
    interfaces: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, file: Path = LIST) -> tuple[Path, Layers]:
        """Return the directory that a list is for, and the list."""
        with open(file, "rb") as stream:
            listed = tomllib.load(stream)
        heights = {
            name: height
            for height, layer in enumerate(listed["layer"])
            for name in layer["files"]
        }
        excepted = {
            (name, exception["uses"])
            for exception in listed.get("exception", [])
            for name in exception["files"]
        }
        layers = cls(heights, excepted, set(listed.get("interfaces", [])))
        return paths.ROOT / listed["directory"], layers

    def unlisted(self, names: set[str]) -> list[str]:
        """Return a line for each file that is not listed, or not there."""
        listed = self.heights.keys()
        return [f"{name}: is in no layer" for name in sorted(names - listed)] + [
            f"{name}: is listed and does not exist" for name in sorted(listed - names)
        ]

    def complaints(self, sources: list[Source]) -> list[str]:
        """Return a line for each use that leads up, or in a circle."""
        found = self.unlisted({source.name for source in sources})
        if found:
            return found
        arrows = self.arrows(sources)
        for (user, owner), words in sorted(arrows.items()):
            shown = ", ".join(sorted(words))
            if self.heights[user] < self.heights[owner]:
                found.append(f"{user}: uses {shown} of {owner}, which lies above")
            elif (owner, user) in arrows and self.beside(user, owner):
                found.append(f"{user}: uses {shown} of {owner}, which uses it too")
        return found

    def beside(self, one: str, other: str) -> bool:
        """Are two files in the same layer?"""
        return self.heights[one] == self.heights[other]

    def arrows(self, sources: list[Source]) -> dict[tuple[str, str], set[str]]:
        """Return which names of which file each file uses, but for exceptions."""
        owners = {name: source.name for source in sources for name in source.offers()}
        arrows: dict[tuple[str, str], set[str]] = {}
        for source in sources:
            for header in source.headers & self.heights.keys() - self.interfaces:
                arrows.setdefault((source.name, header), set()).add(f"{header}.h")
            for word in source.uses() & owners.keys():
                if owners[word] == source.name or (source.name, word) in self.excepted:
                    continue
                arrows.setdefault((source.name, owners[word]), set()).add(word)
        return arrows


def check() -> list[str]:
    """Check the core."""
    directory, layers = Layers.load()
    return layers.complaints([Source.read(path) for path in directory.glob("*.[ch]")])
