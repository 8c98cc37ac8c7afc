# SPDX-License-Identifier: GPL-2.0
"""The check of the direction of calls in the core."""

from __future__ import annotations

from pathlib import Path

from lab.check.layers import Layers, Source, check

LOW = "int low_value = 1;\nint low(int x)\n{\n\treturn static_helper(x);\n}\n"
HIGH = "static int mine;\nint high(void)\n{\n\treturn low(low_value);\n}\n"
LAYERS = Layers({"low": 0, "high": 1, "beside": 1})


def complaints(layers: Layers = LAYERS, **sources: str) -> list[str]:
    """Check files with such contents."""
    files = {"low": "", "high": "", "beside": "", **sources}
    return layers.complaints([Source(name, code) for name, code in files.items()])


def test_down_is_allowed() -> None:
    """Calls and variables of what lies below, and beside in one direction."""
    beside = "int beside(void)\n{\n\treturn high();\n}\n"
    assert not complaints(low=LOW, high=HIGH, beside=beside)


def test_up_is_not() -> None:
    """Neither a call nor a variable, nor what is called through a header."""
    for name, code in {
        "high": HIGH,
        "shared": "struct list_head shared;\n",
        "key": "DEFINE_STATIC_KEY_FALSE(key);\n",
        "inlined": "bool __inlined(void)\n{\n}\n",
    }.items():
        found = complaints(low=f"int low(void)\n{{\n\t{name};\n}}\n", high=code)
        assert found == [f"low: uses {name} of high, which lies above"]


def test_headers() -> None:
    """A file includes its own header, lower ones, and interfaces."""
    layers = Layers(LAYERS.heights, interfaces={"beside"})
    low, high = Source("low", ""), Source("high", "", frozenset({"low"}))
    beside = Source("beside", "")
    assert not layers.complaints([low, high, beside])
    low = Source("low", "", frozenset({"beside"}))
    assert not layers.complaints([low, high, beside])
    low = Source("low", "", frozenset({"high"}))
    found = layers.complaints([low, high, beside])
    assert found == ["low: uses high.h of high, which lies above"]


def test_no_circle_beside() -> None:
    """Two files of a layer do not call each other."""
    beside = "int beside(void)\n{\n\treturn high();\n}\n"
    high = "int high(void)\n{\n\treturn beside();\n}\n"
    assert len(complaints(high=high, beside=beside)) == 2


def test_exception() -> None:
    """What is excepted may lead up, and nothing else."""
    layers = Layers(LAYERS.heights, {("low", "high")})
    low = "int low(void)\n{\n\treturn high();\n}\n"
    assert not complaints(layers, low=low, high=HIGH)


def test_list_is_complete() -> None:
    """A file that is not listed is an error, as is one that is not there."""
    found = LAYERS.complaints([Source("low", ""), Source("new", "")])
    assert "new: is in no layer" in found
    assert "high: is listed and does not exist" in found


def test_comments_do_not_count(tmp_path: Path) -> None:
    """Nor do strings."""
    file = tmp_path / "low.c"
    file.write_text('/* high() */\nint low(void)\n{\n\treturn f("high"); // high\n}\n')
    assert "high" not in Source.read(file).uses()


def test_the_core() -> None:
    """The core itself keeps to its list."""
    assert not check()
