# SPDX-License-Identifier: GPL-2.0
"""What was measured: collected, compared, and written into the report.

Imports base, guest, report and bench.
"""
