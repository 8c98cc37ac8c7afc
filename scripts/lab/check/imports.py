# SPDX-License-Identifier: GPL-2.0
"""The direction of imports in the harness: scripts/imports.toml has the packages."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from lab.base import paths

LIST = paths.ROOT / "scripts" / "imports.toml"

# What each module imports, by their names in the harness.
Modules = dict[str, set[str]]


def imported(source: str, module: str) -> set[str]:
    """Return the names that the source of a module imports, also within functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # a dot is the package that the module is in, another one that above
            above = module.split(".")[: -node.level] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            # of a package it may be a module, of a module anything
            found |= {f"{start}.{alias.name}" for alias in node.names}
    return found


def read(directory: Path) -> Modules:
    """Return the modules of a directory, and which of these each one imports."""
    files = {
        ".".join(path.relative_to(directory).with_suffix("").parts): path
        for path in directory.rglob("*.py")
    }
    modules: Modules = {}
    for name, path in files.items():
        source = path.read_text(encoding="utf-8")
        words = imported(source, f"{directory.name}.{name}")
        owners = {owner(word, directory.name, files) for word in words}
        modules[name] = owners - {"", name}
    return modules


def owner(name: str, harness: str, modules: Collection[str]) -> str:
    """Return the module that a name is, or is in; none if it is a package."""
    if not name.startswith(f"{harness}."):
        return ""
    inside = name.removeprefix(f"{harness}.")
    above, _, _ = inside.rpartition(".")
    return next((each for each in (inside, above) if each in modules), "")


@dataclass
class Directions:
    """Which packages each package may import, and what has to stay apart."""

    allowed: dict[str, set[str]]
    apart: list[list[str]] = field(default_factory=list)

    @classmethod
    def load(cls, file: Path = LIST) -> tuple[Path, Directions]:
        """Return the directory that a list is for, and the list."""
        with open(file, "rb") as stream:
            listed = tomllib.load(stream)
        allowed = {name: set(others) for name, others in listed["packages"].items()}
        apart = list(listed.get("apart", {}).values())
        return paths.ROOT / listed["directory"], cls(allowed, apart)

    def complaints(self, modules: Modules) -> list[str]:
        """Return a line for each import that is not allowed, and for a circle."""
        packages = {name.partition(".")[0] for name in modules if "." in name}
        listed = self.allowed.keys()
        found = [f"{name}: is not listed" for name in sorted(packages - listed)]
        for name in sorted(listed - packages):
            found.append(f"{name}: is listed and does not exist")
        for module, others in sorted(modules.items()):
            for other in sorted(others):
                if not self.permits(module, other):
                    found.append(f"{module}: imports {other}, which it may not")
        return found + circles(self.allowed) + circles(modules)

    def permits(self, module: str, other: str) -> bool:
        """May a module import another one?"""
        if "." not in other:
            # what is in no package is on top, and imported by nobody
            return False
        one, two = module.partition(".")[0], other.partition(".")[0]
        if "." in module and one != two and two not in self.allowed.get(one, set()):
            return False
        return not any(
            len({member(module, group), member(other, group)} - {""}) > 1
            for group in self.apart
        )


def member(module: str, group: list[str]) -> str:
    """Return which one of a group a module is, or is in."""
    return next((name for name in group if f"{module}.".startswith(f"{name}.")), "")


def circles(arrows: Modules) -> list[str]:
    """Return a line if modules import each other."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return [f"a circle: {' < '.join(error.args[1])}"]
    return []


def check() -> list[str]:
    """Check the harness."""
    directory, directions = Directions.load()
    return directions.complaints(read(directory))
