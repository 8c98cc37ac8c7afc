# SPDX-License-Identifier: GPL-2.0
"""Tools that prepare the kernel tree, build kernels and run guests."""
