// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: blocks that the hypervisor keeps.
 *
 * A backend with a restore callback is one whose hypervisor does not fault
 * memory back in.  What it reported is held: off the free lists, on a list of
 * the zone, all its pages PageOffline.  It may not come back, so nothing may
 * count on it and it is not in NR_FREE_PAGES; only those who show how much
 * memory is free add it (page_reporting_held_on()).  When an allocation fails
 * the watermark of a zone or finds nothing in it, the allocator calls
 * page_reporting_restore() before it goes on to another zone, to reclaim or to
 * compaction.
 *
 * A block is restored as a whole or stays held, so that no hole ever reaches
 * the allocator.  The worker holds and restores; allocations, memory hotplug,
 * hibernation, kexec and OOM restore.  A balloon driver may take blocks over.
 *
 * zone->lock protects the lists and what they hold.  While a block is being
 * restored it is on no list and belongs to whoever took it off.  Restoring
 * happens within an RCU read section, so unregistering waits for it.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/page_owner.h>
#include <linux/pgalloc_tag.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include <trace/events/page_reporting.h>

#include "../internal.h"
#include "backend.h"
#include "freelist.h"
#include "held.h"
#include "hook.h"
#include "policy.h"
#include "reserve.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "words.h"

/* After a failure, an allocation does not have to wait for long. */
#define FPR_RESTORE_BACKOFF_MAX		((u32)HZ)

/* Nor does a pass, when memory is held that exceeds the limit. */
#define FPR_EXCESS_BACKOFF_MAX		((u32)(10 * HZ))

/* What is restored of a zone to avert an OOM, in blocks. */
#define FPR_OOM_BLOCKS			16

/**
 * struct fpr_held - the held blocks of a zone
 * @backend:	which restores them, NULL if there is none; also read under RCU
 * @blocks:	first pages of the blocks, by order, linked through page->lru
 * @nr_blocks:	length of each of these lists
 * @nr_pages:	number of pages in them
 * @progress:	restores that brought anything back
 * @next:	order at which the search goes on, 0 after a restore that brought
 *		anything back
 * @backoff:	jiffies to wait after a failure, 0 if the last restore went well
 * @retry_at:	no allocation tries before, while @backoff is not 0
 *
 * All members are written under zone->lock.  In the first page of a block
 * page->index is the order, and page->private is how many of its last pages are
 * back.  It is PagePrivate until the block is whole again, and only on a list
 * while nobody is restoring it.
 */
struct fpr_held {
	struct fpr_backend *backend;
	struct list_head blocks[NR_PAGE_ORDERS];
	unsigned long nr_blocks[NR_PAGE_ORDERS];
	unsigned long nr_pages;
	unsigned long progress;
	unsigned int next;
	u32 backoff;
	u32 retry_at;
};

DEFINE_STATIC_KEY_FALSE(page_reporting_holding);

/* For every zone of every node, allocated with the first such backend. */
static struct fpr_held *fpr_held_table __read_mostly;

/* Pages that were held for backends that went without restoring them. */
atomic_long_t fpr_lost;

static unsigned int fpr_held_slots(void)
{
	return nr_node_ids * MAX_NR_ZONES;
}

static struct fpr_held *fpr_held_of(struct zone *zone)
{
	struct fpr_held *table = READ_ONCE(fpr_held_table);

	return table + zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone);
}

/* Pages that are held in @zone. */
unsigned long __page_reporting_held(struct zone *zone)
{
	/* The key is on before the table is there. */
	if (!READ_ONCE(fpr_held_table))
		return 0;
	return READ_ONCE(fpr_held_of(zone)->nr_pages);
}

/* Pages that are held in the zones of @backend, or in all if that is NULL. */
unsigned long fpr_held_pages(const struct fpr_backend *backend)
{
	unsigned long pages = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		if (!backend || node_isset(zone_to_nid(zone), backend->nodes))
			pages += page_reporting_held(zone);
	return pages;
}

/* The part of page_reporting_held_on() that is not inlined. */
unsigned long __page_reporting_held_on(int nid)
{
	unsigned long pages = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		if (nid == NUMA_NO_NODE || nid == zone_to_nid(zone))
			pages += page_reporting_held(zone);
	return pages;
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

/* === Holding === */

/*
 * Pages that are about to be given away must not be looked at.  Called before
 * the report, while the pages are isolated.  Whoever used them last may have
 * left something in page->private, which is the backend's from here on.
 */
void fpr_conceal(const struct fpr_range *entry)
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
void fpr_reveal(const struct fpr_range *entry)
{
	unsigned long pfn;

	fpr_prepare_contents(entry);
	for (pfn = entry->pfn; pfn < entry->pfn + entry->nr_pages; pfn++) {
		struct page *page = pfn_to_page(pfn);

		set_page_private(page, 0);
		__ClearPageOffline(page);
	}
}

/* Does a block begin with the page that the hypervisor keeps? */
static bool fpr_is_held_block(struct page *page)
{
	return fpr_is_held(page) && PagePrivate(page);
}

static void fpr_link(struct zone *zone, struct page *page)
{
	struct fpr_held *held = fpr_held_of(zone);
	long nr_pages = 1L << page->index;

	lockdep_assert_held(&zone->lock);
	SetPagePrivate(page);
	list_add(&page->lru, &held->blocks[page->index]);
	held->nr_blocks[page->index]++;
	WRITE_ONCE(held->nr_pages, held->nr_pages + nr_pages);
}

static void fpr_unlink(struct zone *zone, struct page *page)
{
	struct fpr_held *held = fpr_held_of(zone);
	long nr_pages = 1L << page->index;

	lockdep_assert_held(&zone->lock);
	list_del_init(&page->lru);
	held->nr_blocks[page->index]--;
	WRITE_ONCE(held->nr_pages, held->nr_pages - nr_pages);
}

/* Hold an entry that was reported.  Its pages are concealed. */
void fpr_hold(struct zone *zone, const struct fpr_range *entry)
{
	struct page *page = pfn_to_page(entry->pfn);

	page->index = ilog2(entry->nr_pages);
	fpr_link(zone, page);
}

/* === Restoring === */

static void fpr_note_restore(struct fpr_held *held, int err)
{
	u32 backoff = 0;

	if (err)
		backoff = min(fpr_next_backoff(held->backoff, 1),
			      FPR_RESTORE_BACKOFF_MAX);
	WRITE_ONCE(held->backoff, backoff);
	WRITE_ONCE(held->retry_at, (u32)jiffies + backoff);
}

/* The block is the allocator's again, and pending. */
static void fpr_release(struct zone *zone, const struct fpr_range *block,
			bool wanted)
{
	struct fpr_zone *fz = fpr_zone_get_locked(zone);

	lockdep_assert_held(&zone->lock);
	fpr_put_back(block);
	fpr_count(FPR_RESTORED, block->nr_pages);
	if (!fz)
		return;
	fpr_mark_pending(fz, block, jiffies);
	if (wanted)
		fpr_learn(fz, block->nr_pages,
			  fpr_note_free(fz, block->nr_pages));
	fpr_wake(fz);
}

/*
 * Hold a block again that did not come back.  If a part of it did, the next
 * attempt goes on with it; else others, and other orders, come first, because
 * the hypervisor may have memory for them.
 */
static void fpr_hold_again(struct zone *zone, struct page *page, bool progress)
{
	struct fpr_held *held = fpr_held_of(zone);
	unsigned int order = page->index;

	fpr_link(zone, page);
	if (progress)
		return;
	list_move_tail(&page->lru, &held->blocks[order]);
	held->next = order + 1;
}

/*
 * Restore a block that was taken off its list.  It is held again if that
 * fails.
 */
static int fpr_restore_block(struct zone *zone, struct fpr_backend *backend,
			     struct page *page, bool wanted)
{
	struct fpr_range block = {
		.pfn = page_to_pfn(page), .nr_pages = 1UL << page->index,
	};
	unsigned long flags, back = page_private(page);
	struct fpr_held *held = fpr_held_of(zone);
	/* Allocations happen while the system's time is suspended. */
	u64 start = local_clock();
	bool progress;
	int err;

	err = backend->prdev->restore(backend->prdev, page, page->index);
	trace_page_reporting_restore(zone, block.pfn, block.nr_pages, err,
				     local_clock() - start);
	progress = !err || page_private(page) > back;
	if (!err) {
		ClearPagePrivate(page);
		page->index = 0;
		fpr_reveal(&block);
	}
	spin_lock_irqsave(&zone->lock, flags);
	if (progress) {
		WRITE_ONCE(held->progress, held->progress + 1);
		held->next = 0;
	}
	if (err)
		fpr_hold_again(zone, page, progress);
	else
		fpr_release(zone, &block, wanted);
	fpr_note_restore(held, err);
	spin_unlock_irqrestore(&zone->lock, flags);
	return err;
}

static struct page *fpr_first_block(struct fpr_held *held, unsigned int order)
{
	return list_first_entry_or_null(&held->blocks[order], struct page, lru);
}

static struct page *fpr_search_up(struct fpr_held *held, unsigned int order)
{
	struct page *page = NULL;

	for (; !page && order < NR_PAGE_ORDERS; order++)
		page = fpr_first_block(held, order);
	return page;
}

static struct page *fpr_search_down(struct fpr_held *held, unsigned int order)
{
	struct page *page = NULL;

	while (!page && order--)
		page = fpr_first_block(held, order);
	return page;
}

/*
 * The smallest block of at least @order, or NULL.  After a failure it is one
 * of the next order that has any, so that all have their turn.
 */
static struct page *fpr_find_larger(struct fpr_held *held, unsigned int order)
{
	return fpr_search_up(held, max(order, held->next)) ?:
	       fpr_search_up(held, order);
}

/* The largest block of less than @order, or NULL, with the same exception. */
static struct page *fpr_find_smaller(struct fpr_held *held, unsigned int order)
{
	struct page *page = NULL;

	if (held->next)
		page = fpr_search_down(held, min(order, held->next - 1));
	return page ?: fpr_search_down(held, order);
}

static bool fpr_short_of_memory(struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_PAGES) <
	       fpr_unusable_pages(zone) + high_wmark_pages(zone);
}

/*
 * The block that an allocation of @order needs.  Blocks that are too small for
 * it help only where memory as such is short.
 */
static struct page *fpr_find_wanted(struct zone *zone, struct fpr_held *held,
				    unsigned int order)
{
	struct page *page = fpr_find_larger(held, order);

	if (page || !fpr_short_of_memory(zone))
		return page;
	return fpr_find_smaller(held, order);
}

static bool fpr_must_wait(const struct fpr_held *held)
{
	return fpr_backoff_left(READ_ONCE(held->backoff),
				READ_ONCE(held->retry_at), jiffies);
}

/* The part of page_reporting_restore() that is not inlined. */
bool __page_reporting_restore(struct zone *zone, unsigned int order,
			      unsigned long reserve)
{
	unsigned long nr_held = __page_reporting_held(zone);
	struct page *page = NULL;
	struct fpr_backend *backend;
	struct fpr_held *held;
	bool restored = false;
	unsigned long flags;

	if (!nr_held ||
	    zone_page_state(zone, NR_FREE_PAGES) + nr_held <= reserve)
		return false;
	held = fpr_held_of(zone);
	if (fpr_must_wait(held))
		return false;
	rcu_read_lock();
	spin_lock_irqsave(&zone->lock, flags);
	backend = held->backend;
	if (backend)
		page = fpr_find_wanted(zone, held, order);
	if (page)
		fpr_unlink(zone, page);
	spin_unlock_irqrestore(&zone->lock, flags);
	if (page)
		restored = !fpr_restore_block(zone, backend, page, true);
	rcu_read_unlock();
	return restored;
}

/*
 * Restore the block that @find says, whatever an earlier attempt came to.
 * Returns -ENOENT if there is none.
 */
static int fpr_restore_found(struct zone *zone, unsigned int order, bool wanted,
			     struct page *(*find)(struct fpr_held *held,
						  unsigned int order))
{
	struct fpr_held *held = fpr_held_of(zone);
	struct fpr_backend *backend;
	struct page *page = NULL;
	int err = -ENOENT;

	rcu_read_lock();
	spin_lock_irq(&zone->lock);
	backend = held->backend;
	if (backend)
		page = find(held, order);
	if (page)
		fpr_unlink(zone, page);
	spin_unlock_irq(&zone->lock);
	if (page)
		err = fpr_restore_block(zone, backend, page, wanted);
	rcu_read_unlock();
	return err;
}

/*
 * Restore the block that begins with @page.  Returns 0 also if there is no
 * such block.
 */
static int fpr_restore_at(struct page *page)
{
	struct zone *zone = page_zone(page);
	struct fpr_backend *backend;
	bool taken = false;
	int err = 0;

	rcu_read_lock();
	spin_lock_irq(&zone->lock);
	backend = fpr_held_of(zone)->backend;
	if (backend && fpr_is_held_block(page) && !list_empty(&page->lru)) {
		fpr_unlink(zone, page);
		taken = true;
	}
	spin_unlock_irq(&zone->lock);
	if (taken)
		err = fpr_restore_block(zone, backend, page, false);
	rcu_read_unlock();
	return err;
}

/**
 * page_reporting_restore_range() - have no block of a range held
 * @start_pfn:	first page frame
 * @end_pfn:	page frame behind the last one
 *
 * For those who take memory by address.  They have isolated the pageblocks, so
 * nothing of them will be held meanwhile.
 *
 * Context: Process context.
 * Return: 0, or the error of the backend if a block could not be restored.
 */
int page_reporting_restore_range(unsigned long start_pfn,
				 unsigned long end_pfn)
{
	unsigned long pfn = ALIGN_DOWN(start_pfn, MAX_ORDER_NR_PAGES);
	int err = 0;

	if (!fpr_held_pages(NULL))
		return 0;
	for (; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_online_page(pfn);
		int this_err = 0;

		if (page && fpr_is_held_block(page))
			this_err = fpr_restore_at(page);
		err = err ?: this_err;
		cond_resched();
	}
	return err;
}

/* Is there memory in a range that is held, being restored, or lost? */
bool fpr_has_holes(unsigned long start_pfn, unsigned long end_pfn)
{
	unsigned long pfn = ALIGN_DOWN(start_pfn, MAX_ORDER_NR_PAGES);

	for (; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (page && fpr_is_held_block(page))
			return true;
		cond_resched();
	}
	return false;
}

/*
 * Try every block of a zone once, until only @limit pages are held for
 * @backend.  Returns the error of the last one that failed.
 */
static int fpr_restore_round(struct fpr_backend *backend, struct zone *zone,
			     unsigned long limit)
{
	struct fpr_held *held = fpr_held_of(zone);
	unsigned int order;
	int err = 0;

	for (order = 0; order < NR_PAGE_ORDERS; order++) {
		unsigned long left = READ_ONCE(held->nr_blocks[order]);

		while (left-- && fpr_held_pages(backend) > limit) {
			int this_err = fpr_restore_found(zone, order, false,
							 fpr_first_block);

			if (this_err == -ENOENT)
				break;
			err = this_err ?: err;
			cond_resched();
		}
	}
	return err;
}

/* Restores that brought anything back, in the zones of @backend. */
static unsigned long fpr_progress(const struct fpr_backend *backend)
{
	unsigned long progress = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		if (node_isset(zone_to_nid(zone), backend->nodes))
			progress += READ_ONCE(fpr_held_of(zone)->progress);
	return progress;
}

/*
 * Restore blocks of @backend until only @limit pages are held.  What the
 * hypervisor has not got for one block it may have for another, so this goes
 * on until nothing came of trying all of them.
 */
int fpr_restore_excess(struct fpr_backend *backend, unsigned long limit)
{
	unsigned long before;
	struct zone *zone;
	int err;

	do {
		before = fpr_progress(backend);
		err = 0;
		for_each_populated_zone(zone)
			if (node_isset(zone_to_nid(zone), backend->nodes))
				err = fpr_restore_round(backend, zone, limit) ?:
				      err;
	} while (err && fpr_progress(backend) != before);
	return fpr_held_pages(backend) > limit ? err : 0;
}

/* === How much is held === */

static unsigned long fpr_held_limit(const struct fpr_backend *backend)
{
	unsigned int kb = READ_ONCE(fpr_tunables.held_max_kb);
	unsigned long limit = kb >> (PAGE_SHIFT - 10);

	if (kb == FPR_HELD_KB_MAX)
		limit = ULONG_MAX;
	return min(limit, READ_ONCE(backend->held_max));
}

/* So many pages more may be isolated to be held. */
unsigned long fpr_held_room(const struct fpr_backend *backend)
{
	unsigned long limit = fpr_held_limit(backend);
	unsigned long held = fpr_held_pages(backend);

	return limit > held ? limit - held : 0;
}

/* What a zone keeps of its memory, beyond its watermarks. */
unsigned long fpr_held_reserve(struct zone *zone)
{
	unsigned int percent = READ_ONCE(fpr_tunables.held_reserve_percent);

	return zone_managed_pages(zone) / 100 * percent;
}

/*
 * A limit that was lowered is obeyed by the next pass, or by a later one if the
 * hypervisor has not got the memory: trying all blocks takes time.
 */
void fpr_obey_limit(struct fpr_backend *backend)
{
	u32 wait;

	if (!backend->holds)
		return;
	wait = fpr_backoff_left(backend->excess_backoff,
				backend->excess_retry_at, jiffies);
	if (!wait) {
		if (!fpr_restore_excess(backend, fpr_held_limit(backend))) {
			backend->excess_backoff = 0;
			return;
		}
		wait = min(fpr_next_backoff(backend->excess_backoff, HZ),
			   FPR_EXCESS_BACKOFF_MAX);
		backend->excess_backoff = wait;
		backend->excess_retry_at = (u32)jiffies + wait;
	}
	fpr_schedule(backend, wait);
}

/**
 * page_reporting_limit_held() - limit what is held for a backend
 * @prdev:	backend with a restore callback
 * @pages:	number of pages that may be held at most
 *
 * Restores what exceeds the limit.  What the hypervisor does not give back now
 * stays held, and is restored later.  Waits for allocations that are restoring
 * a block, because that is held again if it fails.
 *
 * Context: Process context, may sleep.  Takes an internal mutex; must not be
 * called from the report callback.
 * Return:
 * * %0		- no more than @pages pages are held
 * * %-ENODEV	- the backend is not registered
 * * %-EAGAIN	- an allocation failed to restore a block meanwhile
 * * another error with which the restore callback failed
 */
int page_reporting_limit_held(struct page_reporting_dev_info *prdev,
			      unsigned long pages)
{
	struct fpr_backend *backend = fpr_backend_get(prdev);
	int err;

	if (!backend)
		return -ENODEV;
	WRITE_ONCE(backend->held_max, pages);
	/* A batch that is on its way is held when it returns. */
	flush_work(&backend->work);
	err = fpr_restore_excess(backend, pages);
	synchronize_rcu();
	if (!err && fpr_held_pages(backend) > pages)
		err = -EAGAIN;
	fpr_schedule(backend, 1);
	fpr_backend_put(backend);
	return err;
}
EXPORT_SYMBOL_GPL(page_reporting_limit_held);

/* === Handing over === */

/* How many of the first pages of a held block are with the hypervisor? */
static unsigned long fpr_missing_pages(const struct page *page)
{
	unsigned long nr_pages = 1UL << page->index;

	return nr_pages - min(page_private(page), nr_pages);
}

/* Halve a block that is on no list, and hold the second half. */
static void fpr_split_held(struct zone *zone, struct page *page)
{
	unsigned int order = page->index - 1;
	unsigned long back = min(page_private(page), 1UL << order);
	struct page *second = page + (1UL << order);

	second->index = order;
	set_page_private(second, back);
	page->index = order;
	set_page_private(page, page_private(page) - back);
	fpr_link(zone, second);
}

/*
 * Take a block off its list that is with the hypervisor and has at most
 * 2^@order pages.  If there is none, it is made of a larger one, or of the
 * missing part of one.  A block of which nothing is missing is taken as it is.
 */
static struct page *fpr_claim(struct zone *zone, unsigned int order)
{
	struct fpr_held *held = fpr_held_of(zone);
	struct page *page = fpr_search_down(held, order + 1) ?:
			    fpr_search_up(held, order + 1);
	unsigned long missing;

	lockdep_assert_held(&zone->lock);
	if (!page)
		return NULL;
	fpr_unlink(zone, page);
	missing = fpr_missing_pages(page);
	if (!missing)
		return page;
	order = min_t(unsigned int, order, ilog2(missing));
	while (page->index > order)
		fpr_split_held(zone, page);
	return page;
}

/* What the tracker knows of a block is of no use to its new owner. */
static void fpr_forget_block(struct zone *zone, struct page *page)
{
	struct fpr_range range = {
		.pfn = page_to_pfn(page), .nr_pages = 1UL << page->index,
	};
	struct fpr_zone *fz = fpr_zone_get_locked(zone);

	if (fz)
		fpr_drop(fz, &range);
	fpr_count(FPR_TAKEN, range.nr_pages);
	trace_page_reporting_take(zone, range.pfn, range.nr_pages);
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
		backend = fpr_held_of(zone)->backend;
		if (backend && backend->prdev == prdev)
			page = fpr_claim(zone, order);
		whole = page && !fpr_missing_pages(page);
		if (page && !whole)
			fpr_forget_block(zone, page);
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
	page->index = 0;
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
 * page_reporting_take_held() - take over pages that the hypervisor keeps
 * @prdev:	backend that reported them
 * @gfp:	says in which zones the caller could have allocated them
 * @max_pages:	number of pages to take at most
 * @pages:	list to add them to, linked through page->lru
 *
 * For a balloon driver that would have to allocate memory to give it to the
 * hypervisor: what is held is there already, so nothing has to be fetched nor
 * given.  The pages are no longer free nor held, and are not restored any more.
 * They are the caller's as if he had allocated each by itself, with a reference
 * count of 1, but PageOffline and with nothing behind them.  They count as
 * managed; who takes that from the zone uses adjust_managed_page_count().  Who
 * has brought a page back clears PageOffline and frees it with
 * free_reserved_page() or __free_page().
 *
 * Of a block that is back in part only those pages are taken that are not.
 *
 * Context: Process context, may sleep.
 * Return: The number of pages that were added to @pages.  0 if the backend
 * holds nothing in these zones, or is not registered.
 */
unsigned long page_reporting_take_held(struct page_reporting_dev_info *prdev,
				       gfp_t gfp, unsigned long max_pages,
				       struct list_head *pages)
{
	unsigned long taken = 0;
	struct zone *zone;

	if (!READ_ONCE(fpr_held_table))
		return 0;
	for_each_populated_zone(zone) {
		if (zone_idx(zone) > gfp_zone(gfp))
			continue;
		while (taken < max_pages) {
			unsigned int order = min_t(unsigned int, MAX_PAGE_ORDER,
						   ilog2(max_pages - taken));
			struct page *page = fpr_claim_missing(zone, prdev,
							      order);

			if (!page)
				break;
			order = page->index;
			fpr_hand_over(page, order, gfp, pages);
			taken += 1UL << order;
			cond_resched();
		}
	}
	return taken;
}
EXPORT_SYMBOL_GPL(page_reporting_take_held);

/* === Backends come and go === */

int fpr_held_attach(struct fpr_backend *backend)
{
	struct fpr_held *table = fpr_held_table;
	unsigned int i, order;

	lockdep_assert_held(&fpr_mutex);
	if (!backend->holds)
		return 0;
	if (!table) {
		table = kvcalloc(fpr_held_slots(), sizeof(*table), GFP_KERNEL);
		if (!table)
			return -ENOMEM;
		for (i = 0; i < fpr_held_slots(); i++)
			for (order = 0; order < NR_PAGE_ORDERS; order++)
				INIT_LIST_HEAD(&table[i].blocks[order]);
		/* Pairs with the READ_ONCE() of lockless readers. */
		smp_store_release(&fpr_held_table, table);
	}
	for (i = 0; i < fpr_held_slots(); i++)
		if (node_isset(i / MAX_NR_ZONES, backend->nodes))
			WRITE_ONCE(table[i].backend, backend);
	return 0;
}

/* What nobody can restore any more is no longer memory of this system. */
static unsigned long fpr_abandon(struct zone *zone)
{
	struct fpr_held *held = fpr_held_of(zone);
	unsigned long pages = 0;
	struct page *page;

	spin_lock_irq(&zone->lock);
	WRITE_ONCE(held->backend, NULL);
	while ((page = fpr_find_larger(held, 0))) {
		long nr_pages = 1L << page->index;

		fpr_unlink(zone, page);
		adjust_managed_page_count(page, -nr_pages);
		pages += nr_pages;
	}
	spin_unlock_irq(&zone->lock);
	return pages;
}

/* Also on nodes that have gone offline, which may come back. */
static void fpr_held_forget(const struct fpr_backend *backend)
{
	unsigned int i;

	for (i = 0; i < fpr_held_slots(); i++)
		if (fpr_held_table[i].backend == backend)
			WRITE_ONCE(fpr_held_table[i].backend, NULL);
}

/*
 * Restore everything before the backend goes.  Its worker has ended.  Waits
 * for allocations that are restoring a block.
 */
void fpr_held_detach(struct fpr_backend *backend)
{
	unsigned long lost = 0;
	struct zone *zone;

	if (!backend->holds)
		return;
	fpr_restore_excess(backend, 0);
	for_each_zone(zone)
		if (node_isset(zone_to_nid(zone), backend->nodes))
			lost += fpr_abandon(zone);
	synchronize_rcu();
	/* A block that an allocation failed to restore meanwhile. */
	for_each_zone(zone)
		if (node_isset(zone_to_nid(zone), backend->nodes))
			lost += fpr_abandon(zone);
	fpr_held_forget(backend);
	atomic_long_add(lost, &fpr_lost);
	if (lost)
		pr_err("backend %s did not get %lu kB back from the hypervisor, they are lost to this system\n",
		       backend->name, lost << (PAGE_SHIFT - 10));
}

/* === Running out of memory === */

/* Restore some blocks of a zone.  Returns the number of pages that came back. */
static unsigned long fpr_restore_some(struct zone *zone)
{
	unsigned long before = page_reporting_held(zone);
	unsigned int i;

	for (i = 0; i < FPR_OOM_BLOCKS; i++)
		if (fpr_restore_found(zone, 0, true, fpr_find_larger) ==
		    -ENOENT)
			break;
	return before - min(before, page_reporting_held(zone));
}

/* The last resort before a process is killed: maybe there is memory by now. */
static int fpr_oom_notify(struct notifier_block *nb, unsigned long unused,
			  void *freed)
{
	unsigned long *pages = freed;
	struct zone *zone;

	for_each_populated_zone(zone) {
		unsigned long held = page_reporting_held(zone);
		unsigned long restored;

		/* Elsewhere more free memory would not help. */
		if (!held || !fpr_short_of_memory(zone))
			continue;
		restored = fpr_restore_some(zone);
		*pages += restored;
		if (!restored)
			pr_notice_ratelimited("%lu kB of node %d zone %s are held and could not be restored\n",
					      held << (PAGE_SHIFT - 10),
					      zone_to_nid(zone), zone->name);
	}
	return NOTIFY_OK;
}

static struct notifier_block fpr_oom_nb = {
	.notifier_call = fpr_oom_notify,
};

static int __init fpr_held_init(void)
{
	return register_oom_notifier(&fpr_oom_nb);
}
subsys_initcall(fpr_held_init);
