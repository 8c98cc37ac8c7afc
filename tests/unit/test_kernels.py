# SPDX-License-Identifier: GPL-2.0
"""How the configuration of a kernel is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.base import paths
from lab.kernel import kernels
from lab.kernel.kernels import unmet

CONFIG = """CONFIG_SMP=y
CONFIG_NR_CPUS=16
# CONFIG_VT is not set
"""


def test_everything_met() -> None:
    """Set, set to a value, switched off, and unknown to this kernel."""
    asked = "CONFIG_SMP=y\nCONFIG_NR_CPUS=16\nCONFIG_VT=n\nCONFIG_GONE=n\n"
    assert not unmet(asked, CONFIG)


def test_what_is_missing_is_named() -> None:
    """A symbol without its dependency, a wrong value, one that stays on."""
    asked = "CONFIG_NUMA=y\nCONFIG_NR_CPUS=8\n# CONFIG_SMP is not set\n"
    expected = ["CONFIG_NUMA=y", "CONFIG_NR_CPUS=8", "CONFIG_SMP=n"]
    assert unmet(asked, CONFIG) == expected


def test_a_later_fragment_wins() -> None:
    """As it does in merge_config.sh."""
    assert not unmet("CONFIG_SMP=n\nCONFIG_SMP=y\n", CONFIG)


def test_the_image_has_the_kernel_that_was_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache that does not see what is included would give an older one."""
    made = tmp_path / "made"
    script = f'echo "$1 ${{CCACHE_DISABLE-cached}}" >>{made}'
    for name in ("ROOT", "BUILD", "LOGS"):
        monkeypatch.setattr(paths, name, tmp_path)
    monkeypatch.setattr(kernels, "configure", lambda _kernel: None)
    monkeypatch.setattr(
        kernels, "make_command",
        lambda _kernel, *targets: ["sh", "-c", script, "sh", " ".join(targets)],
    )  # fmt: skip
    kernels.build(kernels.Kernel("some", tmp_path / "tree", "obj", ()))
    assert made.read_text(encoding="utf-8").splitlines() == [
        "vmlinux modules cached", "bzImage 1",
    ]  # fmt: skip
