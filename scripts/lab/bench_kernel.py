# SPDX-License-Identifier: GPL-2.0
"""The stock kernel with a shorter delay, which only the benchmarks need."""

from __future__ import annotations

from lab import kernels, paths, rules
from lab.tree import PACKAGE_STAMP, link_copy, put

TREE = paths.BUILD / "stock250-src"
KERNEL = kernels.Kernel("stock250", TREE, "obj", ("guest.config",))
RULES = paths.ROOT / "tests" / "bench" / "stock250"


def build() -> None:
    """Bring build/stock250 up to date."""
    with paths.locked("stock250-tree"):
        prepare()
    kernels.build(KERNEL)


def prepare() -> None:
    """Copy the stock source as links and apply the rules of tests/bench."""
    version = (paths.STOCK_TREE / PACKAGE_STAMP).read_bytes()
    stamp = TREE / PACKAGE_STAMP
    if not stamp.exists() or stamp.read_bytes() != version:
        link_copy(paths.STOCK_TREE, TREE)
    for name, group in rules.by_target(rules.load(RULES)).items():
        text = (paths.STOCK_TREE / name).read_text(encoding="utf-8")
        for rule in group:
            text = rule.apply(text)
        put(TREE / name, text.encode())
