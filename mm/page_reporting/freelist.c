// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the free lists of the allocator.
 *
 * Finds the free list entry of a block, says what must be left alone there,
 * isolates it, and puts back what was isolated.  Callers hold zone->lock.
 */
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/page_ref.h>

#include "../internal.h"
#include "backend.h"
#include "freelist.h"
#include "hook.h"
#include "tracker.h"
#include "words.h"

/* The free list entry that covers the block at @pfn, or NULL. */
struct page *fpr_find_buddy(const struct fpr_zone *fz, unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);
	unsigned int order;

	lockdep_assert_held(&fz->zone->lock);
	if (!page || page_zone(page) != fz->zone)
		return NULL;
	for (order = fz->order; order <= MAX_PAGE_ORDER; order++) {
		struct page *head = page - (pfn & ((1UL << order) - 1));

		if (PageBuddy(head) && page_zone(head) == fz->zone &&
		    buddy_order(head) >= order)
			return head;
	}
	return NULL;
}

/* Somebody isolated the pageblock and is about to take what is in it. */
static bool fpr_in_isolated_pageblock(struct page *page)
{
	return is_migrate_isolate_page(page);
}

/* The pageblock is the last resort of high-order atomic allocations. */
static bool fpr_in_highatomic_pageblock(struct page *page)
{
	return get_pageblock_migratetype(page) == MIGRATE_HIGHATOMIC;
}

bool fpr_must_defer(const struct fpr_zone *fz, struct page *page)
{
	/* The owners of contiguous memory areas take them by address. */
	bool spare_cma = fz->backend->restores;

	return fpr_in_isolated_pageblock(page) ||
	       fpr_in_highatomic_pageblock(page) ||
	       (spare_cma && is_migrate_cma_page(page));
}

/* Isolation splits free list entries that are larger than a pageblock. */
bool fpr_split_by_isolation(const struct fpr_zone *fz, unsigned long pfn)
{
	unsigned long end = pfn + fpr_block_pages(fz);

	if (fz->order <= pageblock_order)
		return false;
	for (; pfn < end; pfn += pageblock_nr_pages) {
		/* Zones begin and end within blocks, not at their borders. */
		unsigned long first = max(pfn, fz->zone->zone_start_pfn);
		struct page *page = pfn_to_online_page(first);

		if (page && zone_spans_pfn(fz->zone, first) &&
		    fpr_in_isolated_pageblock(page))
			return true;
	}
	return false;
}

/*
 * Free pages of @zone that not every allocation may use, though they may be
 * reported: those of CMA and high-atomic pageblocks.
 */
unsigned long fpr_unusable_pages(struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_CMA_PAGES) +
	       READ_ONCE(zone->nr_free_highatomic);
}

/*
 * Take a free list entry off its list.  Returns false if the zone is so short
 * of memory that it could not be allocated either.
 */
bool fpr_isolate(struct page *buddy, unsigned int order)
{
	struct zone *zone = page_zone(buddy);

	if (!zone_watermark_ok(zone, 0, min_wmark_pages(zone) + (1UL << order),
			       0, ALLOC_CMA))
		return false;
	page_reporting_isolate(buddy, order);
	return true;
}

/* The first hardware-poisoned page of a range, or its end. */
static unsigned long fpr_find_poison(unsigned long pfn, unsigned long end)
{
	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return end;
	while (pfn < end && !PageHWPoison(pfn_to_page(pfn)))
		pfn++;
	return pfn;
}

/* In pieces of a pageblock at most: of two, the migratetypes may differ. */
static void fpr_putback_healthy(struct fpr_range rest)
{
	while (rest.nr_pages) {
		unsigned long piece = min(fpr_aligned_pages(&rest),
					  pageblock_nr_pages);
		struct page *page = pfn_to_page(rest.pfn);

		__putback_isolated_page(page, ilog2(piece),
					get_pageblock_migratetype(page));
		rest.pfn += piece;
		rest.nr_pages -= piece;
	}
}

/*
 * Put what was isolated back, but for the pages that memory_failure() has
 * marked meanwhile: it does not find free pages that are isolated.  They stay
 * out of the allocator, with a reference as if it had found them.  A page that
 * it marks later is found free.
 */
void fpr_putback(const struct fpr_range *range)
{
	unsigned long pfn = range->pfn, end = pfn + range->nr_pages;

	while (pfn < end) {
		unsigned long poison = fpr_find_poison(pfn, end);

		fpr_putback_healthy((struct fpr_range){ pfn, poison - pfn });
		if (poison < end)
			page_ref_inc(pfn_to_page(poison));
		pfn = poison + 1;
	}
}
