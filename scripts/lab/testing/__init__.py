# SPDX-License-Identifier: GPL-2.0
"""How groups of tests are run, and tests side by side.

Imports base.
"""
