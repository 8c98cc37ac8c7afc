# SPDX-License-Identifier: GPL-2.0
"""Lists of files and symbols as they are while some of these are not there yet.

What lists nothing that is missing stays as it is, to the letter.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import PurePosixPath

WIDTH = 80
TAB = 8

# An assignment of what a composite object is made of, with the lines that continue
# it.  The composite itself has no source.
OBJECTS = re.compile(
    r"^(?P<start>(?!obj-)[\w$()-]+ *[:+]?= *)"
    r"(?P<objects>(?:[\w/-]+\.o(?:[ \t]+|[ \t]*\\\n[ \t]*|(?=\n)))+)\n",
    re.MULTILINE,
)
BLOCK = re.compile(r"^config (?P<symbol>\w+)\n(?:(?:[ \t].*)?\n)*", re.MULTILINE)
INCLUDE = re.compile(r'^#include "(?P<header>\.\./\w+\.h)"\n', re.MULTILINE)
SETTING = re.compile(r"^(?:# )?CONFIG_(?P<symbol>\w+)[= ]", re.MULTILINE)


def makefile(text: str, exists: Callable[[str], bool]) -> str:
    """Drop the objects of which the source does not exist."""

    def assignment(match: re.Match[str]) -> str:
        names = match["objects"].replace("\\\n", " ").split()
        kept = [name for name in names if exists(name.removesuffix(".o") + ".c")]
        if kept == names:
            return match[0]
        return wrapped(match["start"], kept) if kept else ""

    return OBJECTS.sub(assignment, text)


def wrapped(start: str, names: list[str]) -> str:
    """Lay out an assignment; lines that continue it begin with a tab."""
    lines = textwrap.wrap(
        start + " ".join(names),
        width=WIDTH - len(" \\"),
        subsequent_indent=" " * TAB,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return " \\\n".join(lines).replace("\n" + " " * TAB, "\n\t") + "\n"


def kconfig_symbols(text: str) -> list[str]:
    """Return the symbols that a Kconfig file defines."""
    return [match["symbol"] for match in BLOCK.finditer(text)]


def kconfig(text: str, missing: set[str]) -> str:
    """Drop symbols with all that is said of them."""
    kept = BLOCK.sub(lambda m: "" if m["symbol"] in missing else m[0], text)
    return kept if kept == text else kept.rstrip("\n") + "\n"


def includes(text: str, exists: Callable[[str], bool]) -> str:
    """Drop includes of headers in the parent directory that do not exist."""

    def include(match: re.Match[str]) -> str:
        return match[0] if exists(match["header"]) else ""

    return INCLUDE.sub(include, text)


def settings(text: str, missing: set[str]) -> str:
    """Drop the lines of a configuration fragment that set missing symbols.

    A paragraph goes with its comment when nothing is left of it.
    """
    kept = []
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines(keepends=True)
        left = [line for line in lines if not sets(line, missing)]
        if left == lines or any(SETTING.match(line) for line in left):
            kept.append("".join(left) if left == lines else "".join(left).rstrip("\n"))
    trimmed = "\n\n".join(kept)
    return trimmed if trimmed == text else trimmed.rstrip("\n") + "\n"


def sets(line: str, symbols: set[str]) -> bool:
    """Tell whether a line of a configuration sets one of some symbols."""
    found = SETTING.match(line)
    return found is not None and found["symbol"] in symbols


def beside(file: str, name: str) -> str:
    """Return the path of what @file calls @name, relative to where it is."""
    folder = PurePosixPath(file).parent
    while name.startswith("../"):
        folder, name = folder.parent, name.removeprefix("../")
    return str(folder / name)
