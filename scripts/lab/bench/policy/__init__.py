# SPDX-License-Identifier: GPL-2.0
"""The benchmark of when memory is reported: a module for each kind of step.

Imports what bench may, and what the benchmarks share.
"""
