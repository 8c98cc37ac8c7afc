# SPDX-License-Identifier: GPL-2.0
"""The demo: freed memory comes back, as a picture.

Imports base, kernel, guest and report; nothing imports it.
"""
