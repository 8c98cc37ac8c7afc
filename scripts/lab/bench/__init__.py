# SPDX-License-Identifier: GPL-2.0
"""The benchmarks, a module or a package each; none of them imports another.

What they share is in modules beside them.  Imports base, kernel, guest, xen, report.
"""
