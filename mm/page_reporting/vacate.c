// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: moving what is in use out of a block.
 *
 * The block is isolated, so that nobody allocates in it meanwhile, and the
 * migration of the kernel moves what is there to free fragments of other
 * blocks.  These are taken off the free lists by address, because the lists
 * would offer those of blocks that are to be emptied next, or whole blocks that
 * the hypervisor has.
 *
 * The worker of a backend calls this, with memory hotplug held off.  No lock is
 * held while a page is moved.
 */
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-isolation.h>
#include <linux/page_ref.h>
#include <linux/pageblock-flags.h>
#include <linux/spinlock.h>

#include "../internal.h"
#include "density.h"
#include "freelist.h"
#include "hook.h"
#include "table.h"
#include "tracker.h"
#include "vacate.h"
#include "words.h"

/*
 * Free list entries that are taken at a time, and struct pages that are looked
 * at for them, under zone->lock: some ten microseconds.
 */
#define FPR_ROOM_ENTRIES	32
#define FPR_ROOM_PAGES		256

/* Begin to fill at the end of the zone; to empty is begun at its start. */
static void fpr_first_target(struct fpr_mover *mover)
{
	mover->target = round_down(zone_end_pfn(mover->zone),
				   fpr_mover_pages(mover));
}

void fpr_mover_init(struct fpr_mover *mover, struct zone *zone,
		    unsigned int order)
{
	unsigned int i;

	*mover = (struct fpr_mover){
		.zone = zone,
		.order = max(order, pageblock_order),
	};
	mover->source = round_up(zone->zone_start_pfn, fpr_mover_pages(mover));
	fpr_first_target(mover);
	for (i = 0; i < NR_PAGE_ORDERS; i++)
		INIT_LIST_HEAD(&mover->room[i]);
}

/* === What is in a block === */

/* Is it pinned?  A page of a file that is pinned shows when it is moved. */
static bool fpr_is_pinned(const struct folio *folio)
{
	return folio_test_anon(folio) && !folio_test_swapcache(folio) &&
	       !folio_test_large(folio) &&
	       folio_ref_count(folio) > folio_mapcount(folio) + 1;
}

/*
 * Count a page, or all that belong to it.  Returns how many these are.  Nobody
 * holds what is looked at, so anything that is read may be out of date.
 */
static unsigned long fpr_count_page(struct page *page, struct fpr_fill *fill)
{
	struct folio *folio = (struct folio *)page;
	unsigned int order = 0;

	if (PageBuddy(page)) {
		order = min_t(unsigned int, buddy_order_unsafe(page),
			      MAX_PAGE_ORDER);
		fill->free += 1UL << order;
	} else if (PageTail(page)) {
		fill->fixed = true;
	} else if (folio_test_lru(folio) && !folio_test_unevictable(folio) &&
		   !fpr_is_pinned(folio)) {
		order = min_t(unsigned int, folio_order(folio), MAX_PAGE_ORDER);
		fill->used += 1UL << order;
	} else if (page_ref_count(page) || PageReserved(page)) {
		fill->fixed = true;
	}
	return 1UL << order;
}

/*
 * See what is in the block at @pfn.  Returns false if it is not for movable
 * memory, or not all of it is there.
 */
bool fpr_survey_block(const struct fpr_mover *mover, unsigned long pfn,
		      struct fpr_fill *fill)
{
	unsigned long end = pfn + fpr_mover_pages(mover);
	unsigned long block, at = pfn;

	*fill = (struct fpr_fill){};
	if (pfn < mover->zone->zone_start_pfn || end > zone_end_pfn(mover->zone))
		return false;
	for (block = pfn; block < end; block += pageblock_nr_pages) {
		struct page *page =
			pageblock_pfn_to_page(block, block + pageblock_nr_pages,
					      mover->zone);

		if (!page || get_pageblock_migratetype(page) != MIGRATE_MOVABLE)
			return false;
	}
	while (at < end)
		at += fpr_count_page(pfn_to_page(at), fill);
	return true;
}

/* === Room to move to === */

/* What is reported in pieces is with the hypervisor. */
static bool fpr_is_reported_piece(struct fpr_zone *fz, unsigned long pfn,
				  unsigned int order)
{
	struct fpr_zone *pieces = fpr_tracker_of(fz, true);

	return pieces && order >= pieces->order && fpr_is_reported(pieces, pfn);
}

/* Take free list entries of the block that is being filled. */
static void fpr_take_entries(struct fpr_mover *mover)
{
	unsigned long end = min(mover->target + fpr_mover_pages(mover),
				mover->at + FPR_ROOM_PAGES);
	struct zone *zone = mover->zone;
	struct fpr_zone *fz;

	spin_lock_irq(&zone->lock);
	fz = fpr_zone_get_locked(zone);
	while (mover->at < end && mover->nr_room < FPR_ROOM_ENTRIES) {
		struct page *page = pfn_to_page(mover->at);
		unsigned int order;

		if (!PageBuddy(page)) {
			mover->at++;
			continue;
		}
		order = buddy_order(page);
		mover->at += 1UL << order;
		if (order >= mover->order || is_migrate_isolate_page(page) ||
		    fpr_is_reported_piece(fz, page_to_pfn(page), order))
			continue;
		if (!__isolate_free_page(page, order)) {
			/* The zone has become short of memory. */
			mover->full = true;
			break;
		}
		list_add_tail(&page->lru, &mover->room[order]);
		mover->nr_room++;
	}
	spin_unlock_irq(&zone->lock);
}

/*
 * Is the block @mover->target one to be filled?  Those of the class that is
 * split come last: more of them can be emptied the more room others have.
 */
static bool fpr_is_target(const struct fpr_mover *mover)
{
	bool above = mover->second && mover->target > mover->source;
	struct fpr_fill fill;

	return fpr_survey_block(mover, mover->target, &fill) &&
	       fpr_to_fill(&mover->plan, &fill, fpr_mover_pages(mover), above);
}

/* Go down to the next block that is to be filled.  Returns false for none. */
static bool fpr_next_target(struct fpr_mover *mover)
{
	unsigned long pages = fpr_mover_pages(mover);
	unsigned long start = mover->zone->zone_start_pfn;

	while (mover->target >= start + pages) {
		mover->target -= pages;
		if (fpr_is_target(mover)) {
			mover->at = mover->target;
			mover->filling = true;
			return true;
		}
		cond_resched();
	}
	return false;
}

/* Go on to the next block, from the end once more.  Returns false for none. */
static bool fpr_go_on(struct fpr_mover *mover)
{
	mover->filling = false;
	if (fpr_next_target(mover))
		return true;
	if (!mover->second) {
		mover->second = true;
		fpr_first_target(mover);
		if (fpr_next_target(mover))
			return true;
	}
	mover->full = true;
	return false;
}

/* Take some more.  Returns false if there is none, or enough of another size. */
static bool fpr_find_room(struct fpr_mover *mover)
{
	unsigned int before = mover->nr_room;

	while (mover->nr_room == before) {
		if (mover->full || before >= FPR_ROOM_ENTRIES)
			return false;
		if (mover->at >= mover->target + fpr_mover_pages(mover))
			mover->filling = false;
		if (!mover->filling && !fpr_go_on(mover))
			return false;
		fpr_take_entries(mover);
	}
	return true;
}

/* The smallest entry that has 2^@order pages, or NULL. */
static struct page *fpr_pick_entry(struct fpr_mover *mover, unsigned int order)
{
	for (; order < mover->order; order++) {
		struct page *page =
			list_first_entry_or_null(&mover->room[order],
						 struct page, lru);

		if (!page)
			continue;
		list_del(&page->lru);
		mover->nr_room--;
		set_page_private(page, order);
		return page;
	}
	return NULL;
}

/* Cut an entry down to 2^@order pages; the rest is room as before. */
static void fpr_cut_entry(struct fpr_mover *mover, struct page *page,
			  unsigned int from, unsigned int order)
{
	while (from > order) {
		from--;
		list_add(&page[1UL << from].lru, &mover->room[from]);
		mover->nr_room++;
	}
}

/* A new place for @src, for migrate_pages(). */
static struct folio *fpr_new_place(struct folio *src, unsigned long data)
{
	struct fpr_mover *mover = (struct fpr_mover *)data;
	unsigned int order = folio_order(src);
	struct page *page;

	do {
		page = fpr_pick_entry(mover, order);
	} while (!page && fpr_find_room(mover));
	if (!page)
		return NULL;
	fpr_cut_entry(mover, page, page_private(page), order);
	post_alloc_hook(page, order, __GFP_MOVABLE, ALLOC_DEFAULT);
	set_page_refcounted(page);
	if (order)
		prep_compound_page(page, order);
	return page_rmappable_folio(page);
}

static void fpr_unused_place(struct folio *dst, unsigned long data)
{
	folio_put(dst);
}

/*
 * Return the room that was not needed, before the caller lets memory hotplug go
 * on.  The block that is being filled is looked at anew after that.
 */
void fpr_return_room(struct fpr_mover *mover)
{
	struct page *page, *next;
	unsigned int order;

	if (mover->filling)
		mover->target += fpr_mover_pages(mover);
	mover->filling = false;
	if (!mover->nr_room)
		return;
	spin_lock_irq(&mover->zone->lock);
	for (order = 0; order < mover->order; order++)
		list_for_each_entry_safe(page, next, &mover->room[order], lru) {
			struct fpr_range entry = {
				.pfn = page_to_pfn(page),
				.nr_pages = 1UL << order,
			};

			list_del(&page->lru);
			fpr_putback(&entry);
		}
	spin_unlock_irq(&mover->zone->lock);
	mover->nr_room = 0;
}

/* === Emptying a block === */

static bool fpr_is_whole(const struct fpr_mover *mover)
{
	struct page *page = pfn_to_page(mover->source);
	struct zone *zone = mover->zone;
	bool whole;

	spin_lock_irq(&zone->lock);
	whole = PageBuddy(page) && buddy_order(page) >= mover->order;
	spin_unlock_irq(&zone->lock);
	return whole;
}

/*
 * Move what is there.  Nothing that would have to be waited for: a page that is
 * locked or being written is in use.  Returns false if something stays.
 */
static bool fpr_move_out(struct fpr_mover *mover)
{
	unsigned long end = mover->source + fpr_mover_pages(mover);
	struct compact_control cc = {
		.zone = mover->zone,
		.order = -1,
		.gfp_mask = GFP_KERNEL,
		.mode = MIGRATE_ASYNC,
		.migrate_pfn = mover->source,
		.ignore_skip_hint = true,
		.no_set_skip_hint = true,
		.migratepages = LIST_HEAD_INIT(cc.migratepages),
	};

	while (cc.migrate_pfn < end) {
		unsigned int moved = 0;
		int err;

		cc.nr_migratepages = 0;
		err = isolate_migratepages_range(&cc, cc.migrate_pfn, end);
		if (!list_empty(&cc.migratepages)) {
			int left = migrate_pages(&cc.migratepages,
						 fpr_new_place,
						 fpr_unused_place,
						 (unsigned long)mover,
						 MIGRATE_ASYNC, MR_COMPACTION,
						 &moved);

			err = err ?: left;
		}
		mover->moved += moved;
		if (err) {
			putback_movable_pages(&cc.migratepages);
			return false;
		}
	}
	return true;
}

/*
 * Empty the block @mover->source.  Returns whether it is whole now: it is
 * pending then, as all that becomes free.
 */
bool fpr_vacate(struct fpr_mover *mover)
{
	unsigned long pfn = mover->source;
	unsigned long end = pfn + fpr_mover_pages(mover);
	bool whole = false;

	/* Somebody else has isolated it, or something in it cannot be moved. */
	if (start_isolate_page_range(pfn, end, PB_ISOLATE_MODE_OTHER))
		return false;
	if (fpr_move_out(mover)) {
		/* What was freed before is in the lists of a CPU, perhaps. */
		if (!fpr_is_whole(mover))
			drain_all_pages(mover->zone);
		whole = fpr_is_whole(mover);
	}
	undo_isolate_page_range(pfn, end);
	return whole;
}
