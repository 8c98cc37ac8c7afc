// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the free lists of the allocator.
 *
 * Finds the free list entry of a block, says what must be left alone there, and
 * puts back what was isolated.  Callers hold zone->lock.
 */
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/page_ref.h>

#include "../internal.h"
#include "hook.h"
#include "internal.h"

/* The free list entry that covers the block at @pfn, or NULL. */
struct page *fpr_find_buddy(const struct fpr_zone *fz,
				   unsigned long pfn)
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
	return is_migrate_highatomic(get_pageblock_migratetype(page));
}

bool fpr_must_defer(const struct fpr_zone *fz, struct page *page)
{
	bool holds = fz->backend->holds;

	return fpr_in_isolated_pageblock(page) ||
	       fpr_in_highatomic_pageblock(page) ||
	       (holds && is_migrate_cma_page(page));
}

/* Isolation splits free list entries that are larger than a pageblock. */
bool fpr_split_by_isolation(const struct fpr_zone *fz,
				   unsigned long pfn)
{
	unsigned long end = pfn + fpr_block_pages(fz);

	if (fz->order <= pageblock_order)
		return false;
	for (; pfn < end; pfn += pageblock_nr_pages) {
		struct page *page = pfn_to_online_page(pfn);

		if (page && fpr_in_isolated_pageblock(page))
			return true;
	}
	return false;
}

/*
 * Put what was isolated back page by page, but for those that memory_failure()
 * has marked meanwhile: it does not find free pages that are isolated.  They
 * stay out of the allocator, with a reference as if it had found them.
 */
void fpr_put_back_healthy(const struct fpr_range *range)
{
	unsigned long pfn;

	for (pfn = range->pfn; pfn < range->pfn + range->nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (PageHWPoison(page))
			page_ref_inc(page);
		else
			__putback_isolated_page(page, 0,
						get_pageblock_migratetype(page));
	}
}

/*
 * Put what was isolated back, in pieces of a pageblock at most: the pageblocks
 * of a larger one may have come to differ in their migratetype meanwhile.
 */
void fpr_put_back(const struct fpr_range *range)
{
	struct fpr_range rest = *range;

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
