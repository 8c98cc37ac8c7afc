// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: one batch.
 *
 * The worker of a backend (pass.c) takes each batch through four stages.  It
 *
 * collects	due blocks, without a lock,
 * isolates	those that are still free, under zone->lock,
 * reports	them through the backend, with no lock held,
 * returns	them to the tail of their free lists, under zone->lock; those
 *		that the hypervisor has become unbacked instead (unbacked.c).
 *
 * The time under zone->lock is bounded, whatever the size of the zone, the
 * length of its lists and the capacity of a batch: each stage gives the lock up
 * after FPR_LOCK_WORK.  Nothing is allocated on the way.
 *
 * A block that is no longer free is skipped: its bit goes, and the hook will
 * set it again.  A block that is free but must be left alone is deferred: the
 * bit stays set, and it is looked at again after FPR_RETRY.  Memory is
 * deferred in pageblocks that are being isolated, because somebody is about to
 * take them, and in pageblocks reserved for high-order atomic allocations,
 * because those cannot wait for a batch to return.  Contiguous memory areas
 * (CMA) do not become unbacked: their owners take them by address.  A zone that
 * is short of memory is left alone.
 *
 * Each backend has one work item, so its batch has one user.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/ktime.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <trace/events/page_reporting.h>

#include "../internal.h"
#include "backend.h"
#include "batch.h"
#include "cycle.h"
#include "freelist.h"
#include "hook.h"
#include "order.h"
#include "pieces.h"
#include "policy.h"
#include "retain.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "unbacked.h"
#include "words.h"

/*
 * What is done under zone->lock at a time: so many free list entries.  Each is
 * worth more the more blocks it has to be looked up for, or pages to be looked
 * at; with these shares all come to some ten microseconds.
 */
#define FPR_LOCK_WORK		32
#define FPR_LOCK_BLOCKS		16	/* looked up and moved, one by one */
#define FPR_LOCK_MARKS		1024	/* marked, a word at a time */
#define FPR_LOCK_PAGES		256	/* struct pages read */

/* === Collecting and isolating === */

/*
 * The block at @pfn must be left alone.  Its stamp is ahead, so that it is not
 * due at once where the age is 0.
 */
static void fpr_defer_block(struct fpr_zone *fz, unsigned long pfn)
{
	fpr_restamp(fz, pfn, jiffies + FPR_RETRY);
	fpr_count(&fz->backend->counters, FPR_DEFERRED, fpr_block_pages(fz));
	trace_page_reporting_defer(fz->zone, pfn, fpr_block_pages(fz));
}

/* The block at @pfn is not free: drop its bit. */
static void fpr_skip_block(struct fpr_zone *fz, unsigned long pfn)
{
	struct page *page = pfn_to_online_page(pfn);

	fpr_clear_pending(fz, pfn);
	fpr_mark_pieces(fz, pfn);
	/* A tracker of another order does not know what is unbacked. */
	if (page && fpr_is_unbacked(page))
		return;
	fpr_count(&fz->backend->counters, FPR_SKIPPED, fpr_block_pages(fz));
	trace_page_reporting_skip(fz->zone, pfn, fpr_block_pages(fz));
}

/*
 * Move the due blocks of a free list entry from the tracker to the batch.
 * Returns false if there was no room for all of them.
 */
static bool fpr_move_due(struct fpr_zone *fz, const struct fpr_scan *scan,
			 struct fpr_batch *batch,
			 const struct fpr_range *isolated)
{
	unsigned long end = isolated->pfn + isolated->nr_pages;
	struct fpr_range run = { .pfn = isolated->pfn };
	bool room = true;

	while (room && fpr_next_due(fz, run.pfn, end, scan, &run)) {
		room = fpr_batch_add(batch, &run);
		fpr_account_moved(fz, &run, scan);
		fpr_move_run(fz, &run);
		run.pfn += run.nr_pages;
	}
	return room;
}

/* Isolate the block at @pfn if it is due.  Returns false for no more room. */
static bool fpr_isolate_block(struct fpr_zone *fz, const struct fpr_scan *scan,
			      struct fpr_batch *batch, unsigned long pfn)
{
	struct fpr_range *isolated = &batch->isolated[batch->nr_isolated];
	struct page *buddy;
	unsigned int order;

	/* Taken along with an earlier one, or freed into since. */
	if (!fpr_block_due(fz, pfn, scan))
		return true;

	buddy = fpr_find_buddy(fz, pfn);
	if (!buddy) {
		if (fpr_split_by_isolation(fz, pfn))
			fpr_defer_block(fz, pfn);
		else
			fpr_skip_block(fz, pfn);
		return true;
	}
	order = buddy_order(buddy);
	if (order >= fz->end_order) {
		fpr_leave_to_block(fz, pfn);
		return true;
	}
	if (fpr_must_defer(fz, buddy)) {
		fpr_defer_block(fz, pfn);
		return true;
	}
	if (fpr_batch_full(batch, 1UL << order))
		return false;
	if (!fpr_isolate(buddy, order))
		return false;

	isolated->pfn = page_to_pfn(buddy);
	isolated->nr_pages = 1UL << order;
	batch->nr_isolated++;
	batch->isolated_pages += isolated->nr_pages;
	return fpr_move_due(fz, scan, batch, isolated);
}

/*
 * Free pages above the high watermark.  What is given away for longer than a
 * batch must leave the zone more than that.
 */
static unsigned long fpr_spare_pages(struct zone *zone,
				     const struct fpr_backend *backend)
{
	unsigned long taken = high_wmark_pages(zone) + fpr_unusable_pages(zone);
	unsigned long free = zone_page_state(zone, NR_FREE_PAGES);

	taken += fpr_unbacked_reserve(backend, zone);
	return free > taken ? free - taken : 0;
}

/* Gather due blocks of a zone.  Returns how many there are. */
unsigned int fpr_collect_stage(struct zone *zone, struct fpr_scan *scan,
			       struct fpr_backend *backend)
{
	struct fpr_zone *fz;
	unsigned int nr = 0;

	rcu_read_lock();
	fz = fpr_tracker_of(fpr_zone_get(zone), scan->pieces);
	if (fz)
		nr = fpr_collect(fz, scan, backend->candidates,
				 backend->batch.capacity);
	rcu_read_unlock();
	return nr;
}

/*
 * Isolate what one hold of zone->lock allows, from candidate *@done on.
 * Returns false when no more can be isolated.
 */
static bool fpr_isolate_some(struct zone *zone, struct fpr_scan *scan,
			     struct fpr_backend *backend, unsigned int nr,
			     unsigned int *done)
{
	struct fpr_zone *whole = fpr_zone_get_locked(zone);
	struct fpr_zone *fz = fpr_tracker_of(whole, scan->pieces);
	struct fpr_batch *batch = &backend->batch;
	unsigned int work = 0;
	bool room = true;

	lockdep_assert_held(&zone->lock);
	if (!fz)
		return false;
	batch->order = fz->order;
	/* Others may have allocated since the lock was held last. */
	batch->spare = fpr_spare_pages(zone, backend) + batch->isolated_pages;
	while (*done < nr && work < FPR_LOCK_WORK) {
		unsigned long before = batch->isolated_pages;

		room = fpr_isolate_block(fz, scan, batch,
					 backend->candidates[*done]);
		if (!room)
			break;
		work += 1 + ((batch->isolated_pages - before) >> fz->order) /
			    FPR_LOCK_BLOCKS;
		++*done;
	}
	/* The next collection starts with the first one left. */
	if (!room)
		fpr_rewind(fz, scan, &backend->candidates[*done], nr - *done);
	WRITE_ONCE(whole->isolated, batch->isolated_pages);
	return room && *done < nr;
}

/* Returns how many of the @nr candidates were dealt with. */
static unsigned int fpr_isolate_stage(struct zone *zone, struct fpr_scan *scan,
				      struct fpr_backend *backend,
				      unsigned int nr)
{
	unsigned long room = fpr_unbacked_room(backend);
	struct fpr_batch *batch = &backend->batch;
	unsigned int done = 0;
	bool more;

	batch->pieces = scan->pieces;
	spin_lock_irq(&zone->lock);
	fpr_batch_reset(batch, room);
	do {
		more = fpr_isolate_some(zone, scan, backend, nr, &done);
		spin_unlock_irq(&zone->lock);
		if (!more)
			break;
		cond_resched();
		spin_lock_irq(&zone->lock);
	} while (true);
	return done;
}

/* === Reporting and returning === */

/* Call the backend.  A positive number is no result. */
static int fpr_call(struct fpr_backend *backend)
{
	struct page_reporting_dev_info *prdev = backend->prdev;
	unsigned int order = READ_ONCE(page_reporting_order);
	struct fpr_batch *batch = &backend->batch;
	int err = prdev->report(prdev, batch->sgl, batch->nr_entries);

	fpr_note_written_order(backend, order);
	if (err <= 0)
		return err;
	pr_err("backend %s returned %d from its report callback, allowed are 0 and negative error codes\n",
	       backend->name, err);
	return -EINVAL;
}

static int fpr_report_stage(struct zone *zone, struct fpr_backend *backend)
{
	struct fpr_batch *batch = &backend->batch;
	ktime_t start = ktime_get();
	int err;

	fpr_batch_seal(batch);
	fpr_unbacked_begin(backend);
	err = fpr_call(backend);
	fpr_unbacked_end(backend, err);
	fpr_count(&backend->counters, FPR_BATCHES, 1);
	trace_page_reporting_batch(zone, batch->order, batch->nr_entries,
				   batch->pages, err,
				   ktime_to_ns(ktime_sub(ktime_get(), start)));
	return err;
}

static unsigned int fpr_nr_reported(const struct fpr_batch *batch, int err)
{
	unsigned int i, nr = 0;

	for (i = 0; i < batch->nr_entries; i++)
		nr += fpr_entry_reported(batch, i, err);
	return nr;
}

/* What was isolated returns to its free lists, or becomes unbacked. */
static void fpr_return_pages(struct zone *zone, struct fpr_backend *backend,
			     int err)
{
	struct fpr_batch *batch = &backend->batch;
	unsigned int work, i = 0, at = 0;

	while (i < batch->nr_isolated) {
		unsigned long left = batch->isolated_pages;
		struct fpr_zone *fz;

		spin_lock_irq(&zone->lock);
		for (work = 0; i < batch->nr_isolated && work < FPR_LOCK_WORK;
		     i++) {
			const struct fpr_range *range = &batch->isolated[i];

			if (backend->restores)
				fpr_return_unbacked(zone, batch, range, &at,
						    err);
			else
				fpr_putback(range);
			left -= range->nr_pages;
			work += 1 + range->nr_pages / FPR_LOCK_PAGES;
		}
		batch->isolated_pages = left;
		fz = fpr_zone_get_locked(zone);
		if (fz)
			WRITE_ONCE(fz->isolated, left);
		spin_unlock_irq(&zone->lock);
		cond_resched();
	}
}

/* Note what became of an entry.  @fz is NULL if the zone has no tracker. */
static void fpr_account_entry(struct fpr_zone *whole, struct zone *zone,
			      const struct fpr_batch *batch,
			      const struct fpr_range *entry, bool reported)
{
	struct fpr_zone *fz = fpr_tracker_of(whole, batch->pieces);

	trace_page_reporting_entry(zone, entry->pfn, entry->nr_pages,
				   reported);
	if (!fz)
		return;
	if (!reported) {
		fpr_mark_pending(fz, entry, batch->retry_stamp);
		return;
	}
	/* Its pieces were reported with it. */
	if (fz->pieces)
		fpr_drop(fz->pieces, entry);
	fpr_account_reported(fz, fpr_mark_reported(fz, entry, jiffies) <<
				 fz->order);
}

/*
 * Note what became of all entries, while nobody can use their memory.  Returns
 * the number of pages that were reported.
 */
static unsigned long fpr_account_entries(struct zone *zone,
					 struct fpr_backend *backend, int err)
{
	struct fpr_batch *batch = &backend->batch;
	unsigned long pages = 0;
	unsigned int work, i = 0;

	while (i < batch->nr_entries) {
		struct fpr_zone *fz;

		spin_lock_irq(&zone->lock);
		fz = fpr_zone_get_locked(zone);
		for (work = 0; i < batch->nr_entries && work < FPR_LOCK_WORK;
		     i++) {
			const struct fpr_range *entry = &batch->entries[i];
			bool reported = fpr_entry_reported(batch, i, err);

			fpr_account_entry(fz, zone, batch, entry, reported);
			if (reported)
				pages += entry->nr_pages;
			work += 1 + (entry->nr_pages >> batch->order) /
				    FPR_LOCK_MARKS;
		}
		spin_unlock_irq(&zone->lock);
		cond_resched();
	}
	batch->failed = pages < batch->pages;
	fpr_count(&backend->counters, FPR_REPORTED, pages);
	fpr_count(&backend->counters, FPR_FAILED, batch->pages - pages);
	return pages;
}

/* === What a result means === */

static u32 fpr_min_backoff(void)
{
	return max(msecs_to_jiffies(READ_ONCE(fpr_tunables.age_ms)),
		   FPR_RETRY);
}

/*
 * Entries that fail wait, longer each time, so that what never works costs
 * nothing in the end.  Counts once a pass.
 */
static void fpr_note_failed_entries(struct fpr_backend *backend,
				    struct fpr_pass *pass)
{
	if (!pass->failed) {
		backend->entry_backoff =
			fpr_next_backoff(backend->entry_backoff,
					 fpr_min_backoff());
		backend->entry_retry_at = jiffies + backend->entry_backoff;
	}
	pass->failed = true;
}

/* Nothing has failed since: what did was reported later, or is in use. */
void fpr_forget_failed_entries(struct fpr_backend *backend)
{
	u32 late = (u32)jiffies - backend->entry_retry_at;

	if (late >= backend->entry_backoff && late <= S32_MAX)
		backend->entry_backoff = 0;
}

/*
 * Decide from the result of a report whether and when to call again.  What is
 * too much for a backend at the moment it may do in smaller batches.
 */
static void fpr_note_result(struct fpr_backend *backend, int err)
{
	u32 age = msecs_to_jiffies(READ_ONCE(fpr_tunables.age_ms));
	struct fpr_batch *batch = &backend->batch;

	if (!err) {
		backend->backoff = 0;
		batch->limit = min(batch->limit * 2, batch->capacity);
		return;
	}
	if (err == -EAGAIN || fpr_order_refused(backend)) {
		backend->backoff = fpr_next_backoff(backend->backoff, age);
		backend->retry_at = jiffies + backend->backoff;
		batch->limit = max(batch->limit / 2, 1U);
		return;
	}
	WRITE_ONCE(backend->error, err);
	pr_err("backend %s failed with %pe, reporting stopped; write 1 to /sys/kernel/mm/page_reporting/enabled to resume\n",
	       backend->name, ERR_PTR(err));
}

/*
 * Report and return what was isolated.  Returns the backend's answer; that all
 * entries failed is as good as -EAGAIN.
 */
static int fpr_finish_batch(struct fpr_backend *backend, struct zone *zone,
			    struct fpr_pass *pass)
{
	struct fpr_batch *batch = &backend->batch;
	int err = fpr_report_stage(zone, backend);
	unsigned int reported = fpr_nr_reported(batch, err);
	unsigned long pages;

	batch->retry_stamp = jiffies;
	if (!err && reported < batch->nr_entries) {
		fpr_note_failed_entries(backend, pass);
		batch->retry_stamp += backend->entry_backoff;
	}
	if (!err && !reported)
		err = -EAGAIN;
	pages = fpr_account_entries(zone, backend, err);
	if (pass->flush)
		fpr_count(&backend->counters, FPR_FLUSHED, pages);
	pass->pages += pages;
	fpr_return_pages(zone, backend, err);
	fpr_note_result(backend, err);
	return err;
}

/*
 * Take a batch through the stages that follow on the collection of @nr
 * candidates.  Returns how many of them were dealt with.
 */
unsigned int fpr_run_batch(struct fpr_backend *backend, struct zone *zone,
			   struct fpr_scan *scan, struct fpr_pass *pass,
			   unsigned int nr)
{
	unsigned int done;

	if (!fpr_begin_batch(backend)) {
		pass->paused = true;
		pass->err = -EAGAIN;
		return 0;
	}
	done = fpr_isolate_stage(zone, scan, backend, nr);
	if (backend->batch.nr_isolated)
		pass->err = fpr_finish_batch(backend, zone, pass);
	fpr_end_batch(backend);
	return done;
}
