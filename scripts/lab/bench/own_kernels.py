# SPDX-License-Identifier: GPL-2.0
"""Kernels that only the benchmarks need, from the stock source."""

from __future__ import annotations

from collections.abc import Iterable

from lab.base import paths
from lab.kernel import kernels, rules
from lab.kernel.tree import PACKAGE_STAMP, link_copy, put

TREE = paths.BUILD / "stock250-src"
RULES = paths.ROOT / "tests" / "bench" / "stock250"

# With a shorter delay, and without page reporting.
STOCK250 = kernels.Kernel("stock250", TREE, "obj", ("guest.config",))
NOPR = kernels.Kernel(
    "nopr", paths.STOCK_TREE, "obj-nopr", ("guest.config", "none.config")
)

# With events for interrupts that go off and on.
IRQSOFF = kernels.Kernel(
    "irqsoff", paths.TREE, "obj-irqsoff", ("guest.config", "irqsoff.config")
)
STOCK_IRQSOFF = kernels.Kernel(
    "stock-irqsoff", paths.STOCK_TREE, "obj-irqsoff", IRQSOFF.fragments
)


def build(wanted: Iterable[str]) -> None:
    """Bring those of the kernels up to date that are wanted, by their names."""
    names = set(wanted)
    if STOCK250.name in names:
        with paths.locked("stock250-tree"):
            prepare()
        kernels.build(STOCK250)
    for kernel in (NOPR, IRQSOFF, STOCK_IRQSOFF):
        if kernel.name in names:
            kernels.build(kernel)


def prepare() -> None:
    """Copy the stock source as links and apply the rules of tests/bench."""
    version = (paths.STOCK_TREE / PACKAGE_STAMP).read_bytes()
    stamp = TREE / PACKAGE_STAMP
    if not stamp.exists() or stamp.read_bytes() != version:
        link_copy(paths.STOCK_TREE, TREE)
    for name, group in rules.by_target(rules.load(RULES, paths.SOURCE)).items():
        text = (paths.STOCK_TREE / name).read_text(encoding="utf-8")
        for rule in group:
            text = rule.apply(text)
        put(TREE / name, text.encode())
