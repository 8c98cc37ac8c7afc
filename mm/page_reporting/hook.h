/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: what mm/page_alloc.c sees.
 *
 * The one hook sits at the end of __free_one_page(), under zone->lock.  While
 * no backend is registered it is a no-op instruction; otherwise a free that
 * did not complete a block costs one load, compare and branch.
 */
#ifndef _MM_PAGE_REPORTING_HOOK_H
#define _MM_PAGE_REPORTING_HOOK_H

#include <linux/jump_label.h>
#include <linux/mmzone.h>

/* For mm/page_alloc.c, which gets them through this header only. */
#include <linux/page-isolation.h>
#include <linux/pageblock-flags.h>

#ifdef CONFIG_PAGE_REPORTING
DECLARE_STATIC_KEY_FALSE(page_reporting_enabled);
extern unsigned int fpr_hook_order;

void __page_reporting_notify_free(struct zone *zone, unsigned long pfn,
				  unsigned int freed_order,
				  unsigned int merged_order);

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
#else /* CONFIG_PAGE_REPORTING */
static inline void page_reporting_notify_free(struct zone *zone,
					      unsigned long pfn,
					      unsigned int freed_order,
					      unsigned int merged_order)
{
}
#endif /* CONFIG_PAGE_REPORTING */
#endif /* _MM_PAGE_REPORTING_HOOK_H */
