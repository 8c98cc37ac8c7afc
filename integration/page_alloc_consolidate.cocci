// SPDX-License-Identifier: GPL-2.0
// Target: mm/page_alloc.c
// Looks for: start_isolate_page_range() and undo_isolate_page_range() in alloc_contig_range_noprof() or alloc_contig_frozen_range_noprof()
// Places: 2
//
// While somebody takes memory by address, nothing is moved.

@begin@
identifier ret;
identifier taker =~ "^alloc_contig_.*range_noprof$";
@@
 taker(...)
 {
 <...
+page_reporting_begin_take();
 ret = start_isolate_page_range(...);
 ...>
 }

@end depends on begin@
identifier begin.ret, begin.taker;
@@
 taker(...)
 {
 <...
 undo_isolate_page_range(...);
+page_reporting_end_take();
 return ret;
 ...>
 }
