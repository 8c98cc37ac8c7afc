# SPDX-License-Identifier: GPL-2.0
"""A machine that runs Xen, and its domains.

Imports base, kernel and guest.
"""
