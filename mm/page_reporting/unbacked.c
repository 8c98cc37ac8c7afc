// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: blocks that the hypervisor has until they are restored.
 *
 * A backend with a restore callback is one whose hypervisor does not fault
 * memory back in.  What it reported is unbacked: off the free lists, on a list
 * of the zone, all its pages PageOffline.  It may not come back, so nothing may
 * count on it: it is not in NR_FREE_PAGES but in NR_UNBACKED, which only those
 * who show how much memory is free add.
 *
 * A block is restored as a whole or stays unbacked, so that no hole ever
 * reaches the allocator.  Here the worker makes blocks unbacked; restore.c and
 * claim.c take them off the lists.
 *
 * zone->lock protects the lists and what is on them.  While a block is being
 * restored it is on no list and belongs to whoever took it off.
 */
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "backend.h"
#include "batch.h"
#include "freelist.h"
#include "tunables.h"
#include "unbacked.h"
#include "words.h"

/* For every zone of every node, allocated with the first such backend. */
struct fpr_unbacked *fpr_unbacked_table __read_mostly;

/* Pages that could not be restored when their backend was unregistered. */
atomic_long_t fpr_lost;

static unsigned int fpr_unbacked_slots(void)
{
	return nr_node_ids * MAX_NR_ZONES;
}

struct fpr_unbacked *fpr_unbacked_of(struct zone *zone)
{
	struct fpr_unbacked *table = READ_ONCE(fpr_unbacked_table);

	return table + zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone);
}

/* The unbacked pages of @zone: exact, as NR_UNBACKED need not be. */
unsigned long fpr_unbacked_in(struct zone *zone)
{
	if (!READ_ONCE(fpr_unbacked_table))
		return 0;
	return READ_ONCE(fpr_unbacked_of(zone)->nr_pages);
}

/* Those in the zones of @backend, or in all if that is NULL. */
unsigned long fpr_unbacked_pages(const struct fpr_backend *backend)
{
	unsigned long pages = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		if (!backend || node_isset(zone_to_nid(zone), backend->nodes))
			pages += fpr_unbacked_in(zone);
	return pages;
}

/* === The lists === */

/* Does an unbacked block begin with @page? */
bool fpr_is_unbacked_block(struct page *page)
{
	return fpr_is_unbacked(page) && PagePrivate(page);
}

static void fpr_account_unbacked(struct zone *zone, unsigned int order,
				 int sign)
{
	struct fpr_unbacked *unbacked = fpr_unbacked_of(zone);
	long nr_pages = sign * (1L << order);

	unbacked->nr_blocks[order] += sign;
	WRITE_ONCE(unbacked->nr_pages, unbacked->nr_pages + nr_pages);
	__mod_zone_page_state(zone, NR_UNBACKED, nr_pages);
}

/* Put the block that begins with @page on its list. */
void fpr_link(struct zone *zone, struct page *page)
{
	lockdep_assert_held(&zone->lock);
	SetPagePrivate(page);
	list_add(&page->lru, &fpr_unbacked_of(zone)->blocks[fpr_unbacked_order(page)]);
	fpr_account_unbacked(zone, fpr_unbacked_order(page), 1);
}

/* Take it off: from now on it is the caller's. */
void fpr_unlink(struct zone *zone, struct page *page)
{
	lockdep_assert_held(&zone->lock);
	list_del_init(&page->lru);
	fpr_account_unbacked(zone, fpr_unbacked_order(page), -1);
}

struct page *fpr_first_block(struct fpr_unbacked *unbacked, unsigned int order)
{
	return list_first_entry_or_null(&unbacked->blocks[order], struct page,
					lru);
}

struct page *fpr_search_up(struct fpr_unbacked *unbacked, unsigned int order)
{
	struct page *page = NULL;

	for (; !page && order < NR_PAGE_ORDERS; order++)
		page = fpr_first_block(unbacked, order);
	return page;
}

struct page *fpr_search_down(struct fpr_unbacked *unbacked, unsigned int order)
{
	struct page *page = NULL;

	while (!page && order--)
		page = fpr_first_block(unbacked, order);
	return page;
}

/*
 * The smallest block of at least @order, or NULL.  After a failure it is one
 * of the next order that has any, so that all have their turn.
 */
struct page *fpr_find_larger(struct fpr_unbacked *unbacked, unsigned int order)
{
	return fpr_search_up(unbacked, max(order, unbacked->next)) ?:
	       fpr_search_up(unbacked, order);
}

/* The largest block of less than @order, or NULL, with the same exception. */
struct page *fpr_find_smaller(struct fpr_unbacked *unbacked, unsigned int order)
{
	struct page *page = NULL;

	if (unbacked->next)
		page = fpr_search_down(unbacked,
				       min(order, unbacked->next - 1));
	return page ?: fpr_search_down(unbacked, order);
}

/* === Pages that must not be looked at === */

/*
 * Whoever used the pages last may have left something in page->private, which
 * is the backend's from here on.
 */
static void fpr_set_offline(const struct fpr_range *entry)
{
	unsigned long pfn;

	for (pfn = entry->pfn; pfn < entry->pfn + entry->nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		set_page_private(page, 0);
		__SetPageOffline(page);
	}
}

/* What the allocator expects to find in free memory, whatever is there. */
static void fpr_prepare_contents(const struct fpr_range *block)
{
	unsigned long pfn;

	if (want_init_on_free()) {
		/* KASAN regards the pages as freed. */
		kasan_disable_current();
		for (pfn = block->pfn; pfn < block->pfn + block->nr_pages;
		     pfn++)
			clear_highpage_kasan_tagged(pfn_to_page(pfn));
		kasan_enable_current();
	}
	kernel_poison_pages(pfn_to_page(block->pfn), block->nr_pages);
}

/* They were not given away, or are whole again, with any contents. */
void fpr_clear_offline(const struct fpr_range *entry)
{
	unsigned long pfn;

	fpr_prepare_contents(entry);
	for (pfn = entry->pfn; pfn < entry->pfn + entry->nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		set_page_private(page, 0);
		__ClearPageOffline(page);
	}
}

/* === A batch === */

/* How many pages may be unbacked for @backend at most? */
unsigned long fpr_unbacked_limit(const struct fpr_backend *backend)
{
	unsigned int kb = READ_ONCE(fpr_tunables.unbacked_max_kb);
	unsigned long limit = kb >> (PAGE_SHIFT - 10);

	if (kb == FPR_NO_LIMIT)
		limit = ULONG_MAX;
	return min(limit, READ_ONCE(backend->unbacked_max));
}

/* So many pages more may be isolated, because they may become unbacked. */
unsigned long fpr_unbacked_room(const struct fpr_backend *backend)
{
	unsigned long limit, pages;

	if (!backend->restores)
		return ULONG_MAX;
	limit = fpr_unbacked_limit(backend);
	pages = fpr_unbacked_pages(backend);
	return limit > pages ? limit - pages : 0;
}

/* What a zone keeps of its memory, beyond its watermarks, in pages. */
unsigned long fpr_unbacked_reserve(const struct fpr_backend *backend,
				   struct zone *zone)
{
	unsigned int percent = READ_ONCE(fpr_tunables.unbacked_reserve_percent);

	if (!backend->restores)
		return 0;
	return zone_managed_pages(zone) / 100 * percent;
}

/*
 * The batch is about to be given away: nobody may look at its pages any more,
 * which are isolated.
 */
void fpr_unbacked_begin(struct fpr_backend *backend)
{
	const struct fpr_batch *batch = &backend->batch;
	unsigned int i;

	if (!backend->restores)
		return;
	page_offline_begin();
	for (i = 0; i < batch->nr_entries; i++)
		fpr_set_offline(&batch->entries[i]);
	page_offline_end();
}

/* What the backend may have touched and not given away is free memory again. */
void fpr_unbacked_end(struct fpr_backend *backend, int err)
{
	const struct fpr_batch *batch = &backend->batch;
	unsigned int i;

	if (!backend->restores)
		return;
	for (i = 0; i < batch->nr_entries; i++)
		if (!fpr_entry_reported(batch, i, err))
			fpr_clear_offline(&batch->entries[i]);
}

/* An entry that was reported is an unbacked block. */
static void fpr_add_unbacked(struct zone *zone, const struct fpr_range *entry)
{
	struct page *page = pfn_to_page(entry->pfn);

	fpr_set_unbacked_order(page, ilog2(entry->nr_pages));
	fpr_link(zone, page);
}

static void fpr_putback_part(unsigned long pfn, unsigned long end)
{
	struct fpr_range part = { .pfn = pfn, .nr_pages = end - pfn };

	fpr_putback(&part);
}

/*
 * Of a range that was isolated, the reported entries become unbacked and the
 * rest returns.  The entries are in the order in which their memory was
 * isolated, *@at is the first one left.
 */
void fpr_return_unbacked(struct zone *zone, const struct fpr_batch *batch,
			 const struct fpr_range *range, unsigned int *at,
			 int err)
{
	const struct fpr_range *entry = batch->entries;
	unsigned long end = range->pfn + range->nr_pages;
	unsigned long pfn = range->pfn;

	/* No entry spans two ranges, for none are merged. */
	for (; *at < batch->nr_entries && entry[*at].pfn < end &&
	     entry[*at].pfn >= pfn; ++*at) {
		if (!fpr_entry_reported(batch, *at, err))
			continue;
		fpr_putback_part(pfn, entry[*at].pfn);
		fpr_add_unbacked(zone, &entry[*at]);
		pfn = entry[*at].pfn + entry[*at].nr_pages;
	}
	fpr_putback_part(pfn, end);
}

/* === Backends come and go === */

/* Called before anything is reported through the backend. */
int fpr_unbacked_attach(struct fpr_backend *backend)
{
	struct fpr_unbacked *table = fpr_unbacked_table;
	unsigned int i, order;

	lockdep_assert_held(&fpr_mutex);
	if (!backend->restores)
		return 0;
	if (!table) {
		table = kvcalloc(fpr_unbacked_slots(), sizeof(*table),
				 GFP_KERNEL);
		if (!table)
			return -ENOMEM;
		for (i = 0; i < fpr_unbacked_slots(); i++)
			for (order = 0; order < NR_PAGE_ORDERS; order++)
				INIT_LIST_HEAD(&table[i].blocks[order]);
		/* Pairs with the READ_ONCE() of lockless readers. */
		smp_store_release(&fpr_unbacked_table, table);
	}
	for (i = 0; i < fpr_unbacked_slots(); i++)
		if (node_isset(i / MAX_NR_ZONES, backend->nodes))
			WRITE_ONCE(table[i].backend, backend);
	return 0;
}

/* What nobody can restore any more is no longer memory of this system. */
static unsigned long fpr_abandon(struct zone *zone)
{
	struct fpr_unbacked *unbacked = fpr_unbacked_of(zone);
	unsigned long pages = 0;
	struct page *page;

	spin_lock_irq(&zone->lock);
	WRITE_ONCE(unbacked->backend, NULL);
	while ((page = fpr_find_larger(unbacked, 0))) {
		long nr_pages = 1L << fpr_unbacked_order(page);

		fpr_unlink(zone, page);
		adjust_managed_page_count(page, -nr_pages);
		pages += nr_pages;
	}
	spin_unlock_irq(&zone->lock);
	return pages;
}

/* Give up all that is unbacked for @backend.  Returns how many pages. */
unsigned long fpr_unbacked_abandon(struct fpr_backend *backend)
{
	unsigned long lost = 0;
	struct zone *zone;

	for_each_zone(zone)
		if (node_isset(zone_to_nid(zone), backend->nodes))
			lost += fpr_abandon(zone);
	return lost;
}

/* Also on nodes that have gone offline, which may come back. */
void fpr_unbacked_forget(const struct fpr_backend *backend)
{
	unsigned int i;

	for (i = 0; i < fpr_unbacked_slots(); i++)
		if (fpr_unbacked_table[i].backend == backend)
			WRITE_ONCE(fpr_unbacked_table[i].backend, NULL);
}
