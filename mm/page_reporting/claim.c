// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: unbacked pages that a balloon driver claims.
 *
 * A balloon would have to allocate memory to give it to the hypervisor.  What
 * is unbacked is there already: it goes from the lists (unbacked.c) to the
 * balloon.
 */
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/page_owner.h>
#include <linux/page_reporting.h>
#include <linux/pgalloc_tag.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <trace/events/page_reporting.h>

#include "../internal.h"
#include "backend.h"
#include "restore.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "unbacked.h"
#include "words.h"

/* How many of the first pages of an unbacked block does the hypervisor have? */
static unsigned long fpr_missing_pages(const struct page *page)
{
	unsigned long nr_pages = 1UL << fpr_unbacked_order(page);

	return nr_pages - min(page_private(page), nr_pages);
}

/* Halve a block that is on no list; the second half goes there. */
static void fpr_split_unbacked(struct zone *zone, struct page *page)
{
	unsigned int order = fpr_unbacked_order(page) - 1;
	unsigned long back = min(page_private(page), 1UL << order);
	struct page *second = page + (1UL << order);

	fpr_set_unbacked_order(second, order);
	set_page_private(second, back);
	fpr_set_unbacked_order(page, order);
	set_page_private(page, page_private(page) - back);
	fpr_link(zone, second);
}

/*
 * Take a block off its list that is with the hypervisor and has at most
 * 2^@order pages.  If there is none, it is made of a larger one, or of the
 * missing part of one.  A block of which nothing is missing is taken as it is.
 */
static struct page *fpr_claim_block(struct zone *zone, unsigned int order)
{
	struct fpr_unbacked *unbacked = fpr_unbacked_of(zone);
	struct page *page = fpr_search_down(unbacked, order + 1) ?:
			    fpr_search_up(unbacked, order + 1);
	unsigned long missing;

	lockdep_assert_held(&zone->lock);
	if (!page)
		return NULL;
	fpr_unlink(zone, page);
	missing = fpr_missing_pages(page);
	if (!missing)
		return page;
	order = min_t(unsigned int, order, ilog2(missing));
	while (fpr_unbacked_order(page) > order)
		fpr_split_unbacked(zone, page);
	return page;
}

/* What the tracker knows of a block is of no use to its new owner. */
static void fpr_forget_block(struct zone *zone, struct fpr_backend *backend,
			     struct page *page)
{
	struct fpr_range range = {
		.pfn = page_to_pfn(page), .nr_pages = 1UL << fpr_unbacked_order(page),
	};
	struct fpr_zone *fz = fpr_zone_get_locked(zone);

	if (fz)
		fpr_drop(fz, &range);
	fpr_count(&backend->counters, FPR_CLAIMED, range.nr_pages);
	trace_page_reporting_claim(zone, range.pfn, range.nr_pages);
}

/*
 * Claim a block of @prdev, and note that it goes.  One that is whole already is
 * restored instead, which costs nothing.
 */
static struct page *fpr_claim_missing(struct zone *zone,
				      struct page_reporting_dev_info *prdev,
				      unsigned int order)
{
	struct fpr_backend *backend;
	struct page *page;
	bool whole;
	int err = 0;

	do {
		page = NULL;
		rcu_read_lock();
		spin_lock_irq(&zone->lock);
		backend = fpr_unbacked_of(zone)->backend;
		if (backend && backend->prdev == prdev)
			page = fpr_claim_block(zone, order);
		whole = page && !fpr_missing_pages(page);
		if (page && !whole)
			fpr_forget_block(zone, backend, page);
		spin_unlock_irq(&zone->lock);
		if (whole)
			err = fpr_restore_block(zone, backend, page, false);
		rcu_read_unlock();
	} while (whole && !err);
	return err ? NULL : page;
}

/* Let the pages of a block look as if they had been allocated one by one. */
static void fpr_hand_over(struct page *page, unsigned int order, gfp_t gfp,
			  struct list_head *pages)
{
	unsigned long i;

	ClearPagePrivate(page);
	fpr_set_unbacked_order(page, 0);
	kasan_unpoison_pages(page, order, false);
	set_page_owner(page, order, gfp);
	split_page_owner(page, order, 0);
	for (i = 0; i < 1UL << order; i++) {
		set_page_refcounted(page + i);
		clear_page_tag_ref(page + i);
		list_add_tail(&page[i].lru, pages);
	}
}

/**
 * page_reporting_claim() - take over unbacked pages
 * @prdev:	backend that reported them
 * @gfp:	says in which zones the caller could have allocated them
 * @max_pages:	number of pages to claim at most
 * @pages:	list to add them to, linked through page->lru
 *
 * For a balloon driver that would have to allocate memory to give it to the
 * hypervisor, which has unbacked pages already.  They are the caller's as if
 * each had been allocated by itself, with a reference count of 1, but
 * PageOffline and with nothing behind them.  They are not restored any more.
 *
 * The pages count as managed; adjust_managed_page_count() changes that.  A
 * caller that has brought a page back clears PageOffline and frees it with
 * free_reserved_page() or __free_page().
 *
 * Of a block that is back in part only those pages are claimed that are not.
 *
 * Context: Process context, may sleep.
 * Return: The number of pages that were added to @pages.  0 if the backend
 * has nothing unbacked in these zones, or is not registered.
 */
unsigned long page_reporting_claim(struct page_reporting_dev_info *prdev,
				   gfp_t gfp, unsigned long max_pages,
				   struct list_head *pages)
{
	unsigned long claimed = 0;
	struct zone *zone;

	if (!READ_ONCE(fpr_unbacked_table))
		return 0;
	for_each_populated_zone(zone) {
		if (zone_idx(zone) > gfp_zone(gfp))
			continue;
		while (claimed < max_pages) {
			unsigned int order = min_t(unsigned int, MAX_PAGE_ORDER,
						   ilog2(max_pages - claimed));
			struct page *page = fpr_claim_missing(zone, prdev,
							      order);

			if (!page)
				break;
			order = fpr_unbacked_order(page);
			fpr_hand_over(page, order, gfp, pages);
			claimed += 1UL << order;
			cond_resched();
		}
	}
	return claimed;
}
EXPORT_SYMBOL_GPL(page_reporting_claim);
