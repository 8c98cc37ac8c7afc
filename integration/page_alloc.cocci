// SPDX-License-Identifier: GPL-2.0
// Target: mm/page_alloc.c
// Looks for: the include of page_reporting.h, the call of page_reporting_notify_free() in __free_one_page(), page_reported() in __del_page_from_free_list(), start_isolate_page_range() in alloc_contig_range_noprof() or alloc_contig_frozen_range_noprof()
// Places: 5
//
// The hook learns which memory was freed, not only how far it merged.  What
// was reported is remembered outside of struct page, so PageReported goes.
//
// Who takes memory by address waits for the batch that has some of it.

@include@
@@
- #include "page_reporting.h"
+ #include "page_reporting/hook.h"

@hook depends on include@
identifier page, pfn, zone, order, migratetype, flags, capc, buddy;
expression capture;
@@
 __free_one_page(struct page *page, unsigned long pfn, struct zone *zone,
		 unsigned int order, int migratetype, fpi_t flags)
 {
	struct capture_control *capc = capture;
	unsigned long buddy = 0;
+	const unsigned long freed_pfn = pfn;
+	const unsigned int freed_order = order;
	...
 }

@call depends on hook@
identifier hook.zone, hook.order;
@@
- page_reporting_notify_free(order)
+ page_reporting_notify_free(zone, freed_pfn, freed_order, order)

@flag depends on call@
expression page;
@@
- if (page_reported(page))
-	__ClearPageReported(page);

@contig depends on flag@
identifier ret, start, end;
identifier contig =~ "^alloc_contig_.*range_noprof$";
@@
 contig(...)
 {
 <...
 ret = start_isolate_page_range(start, end, ...);
 if (ret)
	goto done;
+ page_reporting_yield_range(start, end);
 ...>
 }
