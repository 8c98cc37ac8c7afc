# SPDX-License-Identifier: GPL-2.0
"""Our changes to the kernel as patches.

Imports base and kernel.
"""
