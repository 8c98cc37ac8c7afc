# SPDX-License-Identifier: GPL-2.0
"""What knows neither kernels nor guests: paths, versions, packages, what to print.

Imports no other package of the harness.
"""
