# SPDX-License-Identifier: GPL-2.0
"""How the configuration of a kernel is checked."""

from lab.kernels import unmet

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
