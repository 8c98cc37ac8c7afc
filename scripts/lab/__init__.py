# SPDX-License-Identifier: GPL-2.0
"""Tools that prepare the kernel tree, build kernels and run guests.

On top is __main__, which knows all commands; scripts/imports.toml says which of the
packages below it imports which.
"""
