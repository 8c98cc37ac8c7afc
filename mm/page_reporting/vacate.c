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
#include <linux/alloc_tag.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-isolation.h>
#include <linux/page_ref.h>
#include <linux/pageblock-flags.h>
#include <linux/spinlock.h>
#include <linux/swap.h>

#include "../internal.h"
#include "backend.h"
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

/*
 * More entries than this are not taken off the free lists at once, nor more than
 * have the size of a block.  It is enough to find a place for a large folio where
 * there is one.
 */
#define FPR_ROOM_MAX		(8U * FPR_ROOM_ENTRIES)

/* Every slice looks at so many parts of blocks, so that it gets on. */
#define FPR_ROOM_STEPS		64

/* Begin to fill at the end of the zone; to empty is begun at its start. */
static void fpr_first_target(struct fpr_mover *mover)
{
	mover->target = round_down(zone_end_pfn(mover->zone),
				   fpr_mover_pages(mover));
}

/* @order is that of a pageblock at least. */
void fpr_mover_init(struct fpr_mover *mover, struct zone *zone,
		    unsigned int order)
{
	unsigned int i;

	*mover = (struct fpr_mover){
		.zone = zone,
		.order = order,
		.deadline = KTIME_MAX,
	};
	mover->source = round_up(zone->zone_start_pfn, fpr_mover_pages(mover));
	fpr_first_target(mover);
	for (i = 0; i < NR_PAGE_ORDERS; i++)
		INIT_LIST_HEAD(&mover->room[i].entries);
}

/* === What is in a block === */

/*
 * Count a folio that may be on an LRU list.  Who locks memory does not want to
 * wait for it, and what has the size of a pageblock is not scattered.
 */
static unsigned long fpr_count_folio(struct page *page, struct fpr_fill *fill)
{
	struct folio *folio = folio_get_nontail_page(page);
	unsigned int order;

	/* It has just been freed, or become a part of another one. */
	if (!folio)
		return 1;
	order = folio_order(folio);
	if (folio_test_lru(folio) && !folio_test_unevictable(folio) &&
	    !folio_maybe_dma_pinned(folio) && order < pageblock_order)
		fill->used += 1UL << order;
	else
		fill->fixed = true;
	folio_put(folio);
	return 1UL << order;
}

/*
 * Count a page, or all that belong to it.  Returns how many these are.  Nobody
 * holds what is looked at, so what is read may be out of date.
 */
static unsigned long fpr_count_page(struct page *page, struct fpr_fill *fill)
{
	if (PageBuddy(page)) {
		unsigned int order = min_t(unsigned int, MAX_PAGE_ORDER,
					   buddy_order_unsafe(page));

		fill->free += 1UL << order;
		return 1UL << order;
	}
	if (PageLRU(page))
		return fpr_count_folio(page, fill);
	/* Since Linux 7.3 nobody holds a reference of a slab. */
	if (page_ref_count(page) || PageTail(page) || PageReserved(page) ||
	    PageSlab(page))
		fill->fixed = true;
	return 1;
}

static bool fpr_is_pageblock_for_movable(struct page *page)
{
	return get_pageblock_migratetype(page) == MIGRATE_MOVABLE;
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

		if (!page || !fpr_is_pageblock_for_movable(page))
			return false;
	}
	while (at < end)
		at += fpr_count_page(pfn_to_page(at), fill);
	return true;
}

/* === Room to move to === */

static void fpr_add_room(struct fpr_mover *mover, struct page *page,
			 unsigned int order)
{
	list_add_tail(&page->lru, &mover->room[order].entries);
	mover->room[order].nr++;
	mover->nr_room++;
	mover->room_pages += 1UL << order;
}

static void fpr_remove_room(struct fpr_mover *mover, struct page *page,
			    unsigned int order)
{
	list_del(&page->lru);
	mover->room[order].nr--;
	mover->nr_room--;
	mover->room_pages -= 1UL << order;
}

/* Is some of it with the hypervisor, as pieces?  They are left there. */
static bool fpr_has_reported_pieces(struct fpr_zone *fz,
				    const struct fpr_range *entry)
{
	struct fpr_zone *pieces = fpr_tracker_of(fz, true);

	return pieces && fpr_any_reported(pieces, entry);
}

/* Take a free list entry, if it is one to move to.  Returns false for no more. */
static bool fpr_take_entry(struct fpr_mover *mover, struct fpr_zone *fz,
			   struct page *page)
{
	unsigned int order = buddy_order(page);
	struct fpr_range entry = { mover->at, 1UL << order };

	mover->at += entry.nr_pages;
	if (order >= mover->order || !fpr_is_pageblock_for_movable(page) ||
	    fpr_has_reported_pieces(fz, &entry))
		return true;
	/* Fails if the zone has become short of memory. */
	if (!fpr_isolate(page, order))
		return false;
	fpr_add_room(mover, page, order);
	return true;
}

/* Take some entries of the block that is being filled. */
static void fpr_take_entries(struct fpr_mover *mover)
{
	unsigned long end = min(mover->target + fpr_mover_pages(mover),
				mover->at + FPR_ROOM_PAGES);
	unsigned int most = mover->nr_room + FPR_ROOM_ENTRIES;
	struct zone *zone = mover->zone;
	struct fpr_zone *fz;

	spin_lock_irq(&zone->lock);
	fz = fpr_zone_get_locked(zone);
	while (mover->at < end && mover->nr_room < most) {
		struct page *page = pfn_to_page(mover->at);

		if (!PageBuddy(page)) {
			mover->at++;
		} else if (!fpr_take_entry(mover, fz, page)) {
			mover->full = true;
			break;
		}
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

/* Go down by a block, or begin from the end once more. */
static void fpr_next_target(struct fpr_mover *mover)
{
	unsigned long pages = fpr_mover_pages(mover);

	mover->filling = false;
	if (mover->target >= mover->zone->zone_start_pfn + pages) {
		mover->target -= pages;
		mover->at = mover->target;
		mover->filling = fpr_is_target(mover);
	} else if (!mover->second) {
		mover->second = true;
		fpr_first_target(mover);
	} else {
		mover->full = true;
	}
}

/* Look for room in another part of a block.  Returns false if none is left. */
static bool fpr_find_room(struct fpr_mover *mover)
{
	if (mover->full)
		return false;
	if (mover->filling && mover->at < mover->target + fpr_mover_pages(mover))
		fpr_take_entries(mover);
	else
		fpr_next_target(mover);
	cond_resched();
	return true;
}

/* The smallest entry that has 2^@order pages, or NULL. */
static struct page *fpr_find_entry(struct fpr_mover *mover, unsigned int *order)
{
	for (; *order < mover->order; ++*order) {
		struct page *page =
			list_first_entry_or_null(&mover->room[*order].entries,
						 struct page, lru);

		if (page)
			return page;
	}
	return NULL;
}

/* Cut an entry down to 2^@order pages; the rest is room as before. */
static void fpr_cut_entry(struct fpr_mover *mover, struct page *page,
			  unsigned int from, unsigned int order)
{
	fpr_remove_room(mover, page, from);
	while (from > order) {
		from--;
		fpr_add_room(mover, &page[1UL << from], from);
	}
}

static struct folio *fpr_new_place_noprof(struct folio *src, unsigned long data)
{
	struct fpr_mover *mover = (struct fpr_mover *)data;
	unsigned int order = folio_order(src), from = order;
	struct page *page = fpr_find_entry(mover, &from);

	if (!page)
		return NULL;
	fpr_cut_entry(mover, page, from, order);
	post_alloc_hook(page, order, __GFP_MOVABLE, ALLOC_DEFAULT);
	set_page_refcounted(page);
	if (order)
		prep_compound_page(page, order);
	return page_rmappable_folio(page);
}

/*
 * A new place for @src, for migrate_pages(): what is to be moved is unmapped by
 * now, so nothing is searched for here.
 */
static struct folio *fpr_new_place(struct folio *src, unsigned long data)
{
	/* Whose memory it is, is taken over from @src. */
	return alloc_hooks(fpr_new_place_noprof(src, data));
}

/* It is room again: @src was locked, say, and is tried once more. */
static void fpr_unused_place(struct folio *dst, unsigned long data)
{
	struct fpr_mover *mover = (struct fpr_mover *)data;
	unsigned int order = folio_order(dst);
	struct page *page = &dst->page;

	/* If somebody else has a reference, that one frees it. */
	if (folio_put_testzero(dst) && free_pages_prepare(page, order))
		fpr_add_room(mover, page, order);
}

/*
 * Blocks or pieces may have become whole with what was returned, or have been
 * looked at while it was not free, of which the hook hears nothing.
 */
static void fpr_note_returned(struct fpr_zone *fz,
			      const struct fpr_range *entry)
{
	struct page *buddy = fpr_find_buddy(fz, entry->pfn);
	struct fpr_range range = {
		.pfn = round_down(entry->pfn, fpr_block_pages(fz)),
		.nr_pages = max(entry->nr_pages, fpr_block_pages(fz)),
	};

	if (!buddy || buddy_order(buddy) >= fz->end_order)
		return;
	fpr_mark_pending(fz, &range, jiffies);
	if (fz->end_order < NR_PAGE_ORDERS)
		fpr_wake_in(fz, READ_ONCE(fpr_tunables.piece_age_ms));
	else
		fpr_wake(fz);
}

/* Put an entry of the room back on the free lists. */
static void fpr_return_entry(struct fpr_mover *mover, struct page *page,
			     unsigned int order)
{
	struct fpr_range entry = {
		.pfn = page_to_pfn(page), .nr_pages = 1UL << order,
	};
	struct fpr_zone *fz = fpr_zone_get_locked(mover->zone);

	fpr_remove_room(mover, page, order);
	fpr_putback(&entry);
	if (!fz)
		return;
	fpr_note_returned(fz, &entry);
	if (fz->pieces)
		fpr_note_returned(fz->pieces, &entry);
}

/*
 * Return the room that was not needed, before the caller lets others go on.  The
 * block that is being filled is looked at anew after that.
 */
void fpr_return_room(struct fpr_mover *mover)
{
	unsigned int order, work = 0;
	struct page *page, *next;

	if (mover->filling)
		mover->target += fpr_mover_pages(mover);
	mover->filling = false;
	spin_lock_irq(&mover->zone->lock);
	for (order = 0; order < mover->order; order++)
		list_for_each_entry_safe(page, next,
					 &mover->room[order].entries, lru) {
			fpr_return_entry(mover, page, order);
			/* Each page is looked at, whether it is poisoned. */
			work += 1 + (1UL << order) / FPR_ROOM_PAGES;
			if (work < FPR_ROOM_ENTRIES)
				continue;
			work = 0;
			spin_unlock_irq(&mover->zone->lock);
			cond_resched();
			spin_lock_irq(&mover->zone->lock);
		}
	spin_unlock_irq(&mover->zone->lock);
}

/* === Emptying a block === */

/*
 * Is there a place for each folio?  Of each order there have to be enough entries
 * that are as large or larger: then none has to be split.
 */
static bool fpr_has_room(const struct fpr_mover *mover,
			 const unsigned int *folios)
{
	unsigned long have = 0, needed = 0;
	unsigned int order = mover->order;

	while (order-- > 0) {
		have += (unsigned long)mover->room[order].nr << order;
		needed += (unsigned long)folios[order] << order;
		if (have < needed)
			return false;
	}
	return true;
}

/* Has so much been taken off the free lists that no more should be? */
static bool fpr_is_crowded(const struct fpr_mover *mover,
			   const struct compact_control *cc)
{
	return mover->nr_room >= max(FPR_ROOM_MAX, cc->nr_migratepages) ||
	       mover->room_pages >= fpr_mover_pages(mover);
}

/*
 * Find room for what is to be moved, as long as nothing of it is unmapped.  What
 * its driver moves may wait for that one's device, so it stays.
 */
static enum fpr_vacated fpr_prepare_room(struct fpr_mover *mover,
					 const struct compact_control *cc)
{
	unsigned int folios[NR_PAGE_ORDERS] = {}, steps = 0;
	struct folio *folio;

	list_for_each_entry(folio, &cc->migratepages, lru) {
		if (page_has_movable_ops(&folio->page))
			return FPR_VACATED_STUCK;
		folios[folio_order(folio)]++;
	}
	while (!fpr_has_room(mover, folios)) {
		if (++steps > FPR_ROOM_STEPS && fpr_is_late(mover))
			return FPR_VACATED_LATE;
		if (fpr_is_crowded(mover, cc))
			return FPR_VACATED_CROWDED;
		if (!fpr_find_room(mover))
			return FPR_VACATED_STUCK;
	}
	return FPR_VACATED_WHOLE;
}

/* Move what @cc has collected.  What cannot be moved is put back. */
static enum fpr_vacated fpr_move_collected(struct fpr_mover *mover,
					   struct compact_control *cc)
{
	enum fpr_vacated result = fpr_prepare_room(mover, cc);
	unsigned int moved = 0;

	if (result == FPR_VACATED_WHOLE &&
	    migrate_pages(&cc->migratepages, fpr_new_place, fpr_unused_place,
			  (unsigned long)mover, MIGRATE_ASYNC, MR_COMPACTION,
			  &moved))
		result = FPR_VACATED_STUCK;
	mover->moved += moved;
	if (result != FPR_VACATED_WHOLE) {
		putback_movable_pages(&cc->migratepages);
		/* In the list of a CPU they look as if they could not move. */
		lru_add_drain();
	}
	return result;
}

/*
 * Move what is there, some pages at a time.  Nothing is waited for: a page that
 * is locked or being written is in use.  What is not even tried, because it is
 * pinned, is found out in the end.
 */
static enum fpr_vacated fpr_move_out(struct fpr_mover *mover)
{
	unsigned long end = mover->source + fpr_mover_pages(mover);
	enum fpr_vacated result = FPR_VACATED_WHOLE;
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

	while (cc.migrate_pfn < end && result == FPR_VACATED_WHOLE) {
		bool failed;

		cc.nr_migratepages = 0;
		/* Or it would collect all of the block at once. */
		cc.contended = false;
		failed = isolate_migratepages_range(&cc, cc.migrate_pfn, end);
		if (!list_empty(&cc.migratepages))
			result = fpr_move_collected(mover, &cc);
		if (result == FPR_VACATED_WHOLE && failed)
			result = FPR_VACATED_STUCK;
		else if (result == FPR_VACATED_WHOLE && cc.migrate_pfn < end &&
			 fpr_is_late(mover))
			result = FPR_VACATED_LATE;
	}
	return result;
}

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
 * Empty the block @mover->source.  If it is whole then, it is pending, as all
 * that becomes free.
 */
enum fpr_vacated fpr_vacate(struct fpr_mover *mover)
{
	unsigned long pfn = mover->source;
	unsigned long end = pfn + fpr_mover_pages(mover);
	enum fpr_vacated result;

	/* Somebody else has isolated it, or something in it cannot be moved. */
	if (start_isolate_page_range(pfn, end, PB_ISOLATE_MODE_OTHER))
		return FPR_VACATED_STUCK;
	result = fpr_move_out(mover);
	/* What was freed before is in the lists of a CPU, perhaps. */
	if (result == FPR_VACATED_WHOLE && !fpr_is_whole(mover))
		drain_all_pages(mover->zone);
	if (fpr_is_whole(mover))
		result = FPR_VACATED_WHOLE;
	else if (result == FPR_VACATED_WHOLE)
		result = FPR_VACATED_STUCK;
	undo_isolate_page_range(pfn, end);
	return result;
}
