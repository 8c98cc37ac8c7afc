# SPDX-License-Identifier: GPL-2.0
"""A guest in which everything that concerns free memory happens at random."""
