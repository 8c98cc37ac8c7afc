# SPDX-License-Identifier: GPL-2.0
"""The host that several guests share, and who is compared on it."""

from lab.guest.variants import NONE, OURS, STOCK

VARIANTS = (OURS, STOCK, NONE)
HOST_MIB = 15360
SWAP_MIB = 4096
# Equal pages of guests must not become one.
UNMERGED = ("-machine", "mem-merge=off")
