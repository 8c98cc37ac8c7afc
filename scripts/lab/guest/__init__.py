# SPDX-License-Identifier: GPL-2.0
"""Guests under QEMU and on User Mode Linux, what is in them, the host around them.

Imports base and kernel.
"""
