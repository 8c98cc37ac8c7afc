// SPDX-License-Identifier: GPL-2.0
// Kernels: 6.12
// Target: mm/page_alloc.c
// Looks for: split_large_buddy() in move_freepages_block_isolate()
// Places: 2
//
// Splitting what is on the free lists for isolation frees nothing.

@@
expression list[4] where;
@@
 move_freepages_block_isolate(...)
 {
 <...
-split_large_buddy(where, FPI_NONE)
+split_large_buddy(where, FPI_SKIP_REPORT_NOTIFY)
 ...>
 }
