# SPDX-License-Identifier: GPL-2.0
"""What a report is, and how it looks; it knows no benchmark.

Imports base.
"""
