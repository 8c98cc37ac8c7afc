# SPDX-License-Identifier: GPL-2.0
"""What looks for mistakes without running anything.

Imports base and kernel.
"""
