// SPDX-License-Identifier: GPL-2.0
// Target: mm/page_alloc.c
// Looks for: cond_accept_memory() in get_page_from_freelist() and alloc_pages_bulk_noprof()
// Places: 3
//
// Unbacked blocks are restored where unaccepted memory would be accepted.

@wanted@
identifier zone, alloc_flags, ac;
expression order;
@@
 get_page_from_freelist(..., int alloc_flags, const struct alloc_context *ac)
 {
 <...
 if (cond_accept_memory(zone, order, ...))
	goto try_this_zone;
+ if (page_reporting_restore(zone, order, alloc_flags, ac->highest_zoneidx))
+	goto try_this_zone;
 ...>
 }

@bulk@
identifier zone, alloc_flags, ac;
expression order, flags;
@@
 alloc_pages_bulk_noprof(...)
 {
	...
	struct alloc_context ac;
	...
	unsigned int alloc_flags = flags;
 <...
 if (cond_accept_memory(zone, order, ...))
	goto retry_this_zone;
+ if (page_reporting_restore(zone, order, alloc_flags, ac.highest_zoneidx))
+	goto retry_this_zone;
 ...>
 }
