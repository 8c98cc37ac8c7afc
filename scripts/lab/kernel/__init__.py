# SPDX-License-Identifier: GPL-2.0
"""The kernel tree: integrate it, build it, run its suites without a guest.

Imports base.
"""
