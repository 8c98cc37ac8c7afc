/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: what the rest of mm/ sees.
 *
 * The hook sits at the end of __free_one_page(), under zone->lock.  While no
 * backend is registered it is a no-op instruction; otherwise a free that did
 * not complete a block costs one load, compare and branch.
 *
 * Unbacked blocks, which the hypervisor has, are not in NR_FREE_PAGES.  An
 * allocation that finds a zone short has them restored: a no-op instruction
 * while no backend is registered that restores.  Those who show how much is
 * free add what is unbacked.
 */
#ifndef _MM_PAGE_REPORTING_HOOK_H
#define _MM_PAGE_REPORTING_HOOK_H

#include <linux/jump_label.h>
#include <linux/mmzone.h>
#include <linux/rwsem.h>
#include <linux/vmstat.h>

#include "../internal.h"
#include "../page_alloc.h"

/* For mm/page_alloc.c, which gets them through this header only. */
#include <linux/page-isolation.h>
#include <linux/pageblock-flags.h>

#ifdef CONFIG_PAGE_REPORTING
DECLARE_STATIC_KEY_FALSE(page_reporting_enabled);
extern unsigned int fpr_hook_order;

void __page_reporting_notify_free(struct zone *zone, unsigned long pfn,
				  unsigned int freed_order,
				  unsigned int merged_order);
void page_reporting_isolate(struct page *page, unsigned int order);
void __page_reporting_yield_range(unsigned long start_pfn,
				  unsigned long end_pfn);

/**
 * page_reporting_notify_free() - note that memory became free
 * @zone:		zone of the memory, with zone->lock held
 * @pfn:		first page frame as freed, before merging with buddies
 * @freed_order:	order as freed
 * @merged_order:	order after merging
 *
 * Context: Any, with interrupts off and zone->lock held.
 */
static inline void page_reporting_notify_free(struct zone *zone,
					      unsigned long pfn,
					      unsigned int freed_order,
					      unsigned int merged_order)
{
	if (!static_branch_unlikely(&page_reporting_enabled))
		return;
	if (merged_order < READ_ONCE(fpr_hook_order))
		return;
	__page_reporting_notify_free(zone, pfn, freed_order, merged_order);
}

/**
 * page_reporting_yield_range() - let go of memory that is wanted by address
 * @start_pfn:	first page frame
 * @end_pfn:	page frame behind the last one
 *
 * Waits for the batch that has memory of the range, for a limited time, and has
 * unbacked blocks restored.  What does not come back is missing on the free
 * lists.
 *
 * Context: Process context, may sleep.  The pageblocks are isolated, and of one
 * zone.
 */
static inline void page_reporting_yield_range(unsigned long start_pfn,
					      unsigned long end_pfn)
{
	if (static_branch_unlikely(&page_reporting_enabled))
		__page_reporting_yield_range(start_pfn, end_pfn);
}
#else /* CONFIG_PAGE_REPORTING */
static inline void page_reporting_notify_free(struct zone *zone,
					      unsigned long pfn,
					      unsigned int freed_order,
					      unsigned int merged_order)
{
}

static inline void page_reporting_yield_range(unsigned long start_pfn,
					      unsigned long end_pfn)
{
}
#endif /* CONFIG_PAGE_REPORTING */

#ifdef CONFIG_PAGE_REPORTING_CONSOLIDATE
extern struct rw_semaphore fpr_takers;

/**
 * page_reporting_begin_take() - nothing is to be moved for a while
 *
 * For those who isolate pageblocks and take what is in them: what is being
 * consolidated has pageblocks isolated as well, and free pages off their lists.
 * Waits for some milliseconds if that is so.  Ended by
 * page_reporting_end_take().
 *
 * Context: Process context, may sleep.
 */
static inline void page_reporting_begin_take(void)
{
	down_read(&fpr_takers);
}

/**
 * page_reporting_end_take() - memory may be moved again
 *
 * Context: Any.
 */
static inline void page_reporting_end_take(void)
{
	up_read(&fpr_takers);
}
#else /* CONFIG_PAGE_REPORTING_CONSOLIDATE */
static inline void page_reporting_begin_take(void)
{
}

static inline void page_reporting_end_take(void)
{
}
#endif /* CONFIG_PAGE_REPORTING_CONSOLIDATE */

#ifdef CONFIG_PAGE_REPORTING_RESTORE
DECLARE_STATIC_KEY_FALSE(page_reporting_restoring);

bool __page_reporting_restore(struct zone *zone, unsigned int order,
			      unsigned long reserve);

/**
 * page_reporting_restore() - get unbacked memory back
 * @zone:	zone in which an allocation found too little
 * @order:	order of the allocation
 * @alloc_flags: how it is made
 * @highest_zoneidx: highest zone that it may use
 *
 * Restores one block, so that the caller looks again whether that is enough.
 * What the zone reserves for allocations that cannot use higher zones is not
 * touched.
 *
 * Context: Any in which memory is allocated, with no lock of the allocator
 * held.
 * Return: whether there is more memory in @zone now.
 */
static inline bool page_reporting_restore(struct zone *zone,
					  unsigned int order,
					  unsigned int alloc_flags,
					  int highest_zoneidx)
{
	unsigned long reserve;

	if (!static_branch_unlikely(&page_reporting_restoring))
		return false;
	/* It may have interrupted somebody who has zone->lock. */
	if (alloc_flags & ALLOC_NOLOCK)
		return false;
	reserve = alloc_flags & ALLOC_NO_WATERMARKS ?
			0 : zone->lowmem_reserve[highest_zoneidx];
	/* It takes nothing smaller from memory of another migratetype. */
	if (alloc_flags & ALLOC_NOFRAGMENT)
		order = max_t(unsigned int, order, pageblock_order);
	return __page_reporting_restore(zone, order, reserve);
}

/**
 * page_reporting_unbacked() - unbacked memory of a zone
 * @zone:	zone to ask about
 *
 * Context: Any.
 * Return: the number of pages of @zone that nobody uses and that the hypervisor
 * has.  They are not in NR_FREE_PAGES, because they may not come back.
 */
static inline unsigned long page_reporting_unbacked(struct zone *zone)
{
	return zone_page_state(zone, NR_UNBACKED);
}

/**
 * page_reporting_unbacked_on() - unbacked memory of a node
 * @nid:	node to ask about, NUMA_NO_NODE for all of them
 *
 * To be added to NR_FREE_PAGES where that stands for what nobody uses, and not
 * for what an allocation can have.
 *
 * Context: Any.
 * Return: the sum of page_reporting_unbacked() over the zones of @nid.
 */
static inline unsigned long page_reporting_unbacked_on(int nid)
{
	if (nid == NUMA_NO_NODE)
		return global_zone_page_state(NR_UNBACKED);
	return sum_zone_node_page_state(nid, NR_UNBACKED);
}
#else /* CONFIG_PAGE_REPORTING_RESTORE */
static inline bool page_reporting_restore(struct zone *zone,
					  unsigned int order,
					  unsigned int alloc_flags,
					  int highest_zoneidx)
{
	return false;
}

static inline unsigned long page_reporting_unbacked(struct zone *zone)
{
	return 0;
}

static inline unsigned long page_reporting_unbacked_on(int nid)
{
	return 0;
}
#endif /* CONFIG_PAGE_REPORTING_RESTORE */
#endif /* _MM_PAGE_REPORTING_HOOK_H */
