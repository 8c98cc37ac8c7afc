/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: what has another name or form in Linux 6.12.  The Kbuild
 * file has it included ahead of everything else, so it includes nothing itself.
 */
#ifndef _MM_PAGE_REPORTING_COMPAT_H
#define _MM_PAGE_REPORTING_COMPAT_H

#define timer_container_of	from_timer
#define __folio_index		index
#define page_has_movable_ops	__PageMovable

#define post_alloc_hook(page, order, gfp, ...) \
	post_alloc_hook(page, order, gfp)

#define PB_ISOLATE_MODE_OTHER	MIGRATE_MOVABLE, 0, GFP_KERNEL

/* For the tests only: */

#define EMPTY_VMA_FLAGS		0

#define alloc_pages_bulk	alloc_pages_bulk_array

/* There are no such allocations, so this is none. */
#define ALLOC_NOLOCK		0

#define init_pageblock_migratetype(page, type, isolate) \
	set_pageblock_migratetype(page, type)

#endif /* _MM_PAGE_REPORTING_COMPAT_H */
