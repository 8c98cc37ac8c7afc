// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the worker.
 *
 * A pass goes once through the zones of a backend.  For each batch it
 *
 * collects	due blocks, without a lock,
 * isolates	those that are still free, under zone->lock,
 * reports	them through the backend, with no lock held,
 * returns	them to the tail of their free lists, under zone->lock; or
 *		holds those that the hypervisor keeps, see held.c.
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
 * (CMA) are not held: their owners take them by address.  A zone that is short
 * of memory is left alone.
 *
 * Each backend has one work item, so its batch has one user.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <trace/events/page_reporting.h>

#include "../internal.h"
#include "backend.h"
#include "batch.h"
#include "cycle.h"
#include "freelist.h"
#include "held.h"
#include "hook.h"
#include "order.h"
#include "policy.h"
#include "reserve.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "words.h"

/*
 * A pass that takes longer ends and starts again, so that a large guest that
 * drains does not keep the system from freezing.
 */
#define FPR_PASS_TIME		HZ

/* What could not be reported is not tried again sooner. */
#define FPR_RETRY		((u32)HZ)

/*
 * What is done under zone->lock at a time: so many free list entries.  Each is
 * worth more the more blocks it has to be looked up for, or pages to be looked
 * at; with these shares all come to some ten microseconds.
 */
#define FPR_LOCK_WORK		32
#define FPR_LOCK_BLOCKS		16	/* looked up and moved, one by one */
#define FPR_LOCK_MARKS		1024	/* marked, a word at a time */
#define FPR_LOCK_PAGES		256	/* struct pages read */

/**
 * struct fpr_pass - what a pass has to do and has done
 * @deadline:	when it should end, to go on later
 * @flush:	report everything, whatever its age and until done
 * @failed:	some entries could not be reported
 * @late:	it ended because of the deadline
 * @paused:	it ended early, and will be repeated
 * @pages:	pages reported so far
 * @err:	why it ended early, or 0
 */
struct fpr_pass {
	unsigned long deadline;
	bool flush;
	bool failed;
	bool late;
	bool paused;
	unsigned long pages;
	int err;
};

/*
 * The block at @pfn must be left alone.  Its stamp is ahead, so that it is not
 * due at once where the age is 0.
 */
static void fpr_defer_block(struct fpr_zone *fz, unsigned long pfn)
{
	fpr_restamp(fz, pfn, jiffies + FPR_RETRY);
	fpr_count(FPR_DEFERRED, fpr_block_pages(fz));
	trace_page_reporting_defer(fz->zone, pfn, fpr_block_pages(fz));
}

/* The block at @pfn is not free: drop its bit. */
static void fpr_skip_block(struct fpr_zone *fz, unsigned long pfn)
{
	struct fpr_range block = { pfn, fpr_block_pages(fz) };
	struct page *page = pfn_to_online_page(pfn);

	fpr_clear_pending(fz, pfn);
	/* Parts of it may be free. */
	if (fz->fine)
		fpr_mark_pending(fz->fine, &block, jiffies);
	/* A tracker of another order does not know what is held. */
	if (page && fpr_is_held(page))
		return;
	fpr_count(FPR_SKIPPED, fpr_block_pages(fz));
	trace_page_reporting_skip(fz->zone, pfn, fpr_block_pages(fz));
}

/*
 * The piece at @pfn is part of a whole block, which is the other tracker's.
 * That one did not hear of it if the block became whole when a batch returned.
 */
static void fpr_leave_to_block(struct fpr_zone *fz, unsigned long pfn)
{
	struct fpr_zone *whole = fpr_zone_get_locked(fz->zone);
	struct fpr_range block = {
		.pfn = round_down(pfn, fpr_block_pages(whole)),
		.nr_pages = fpr_block_pages(whole),
	};

	fpr_drop(fz, &block);
	fpr_mark_pending(whole, &block, jiffies);
	fpr_wake(whole);
}

/*
 * Move the due blocks of a free list entry from the tracker to the batch.
 * Returns false if there was no room for all of them.
 */
static bool fpr_take_due(struct fpr_zone *fz, const struct fpr_scan *scan,
			 struct fpr_batch *batch,
			 const struct fpr_range *isolated)
{
	unsigned long end = isolated->pfn + isolated->nr_pages;
	struct fpr_range run = { .pfn = isolated->pfn };
	bool room = true;

	while (room && fpr_next_due(fz, run.pfn, end, scan, &run)) {
		unsigned long expired;

		room = fpr_batch_add(batch, &run);
		expired = fpr_take_run(fz, &run, scan);
		/* What was held back for nothing makes the reserve smaller. */
		fpr_release_reserve(fz, expired << fz->order);
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
	if (order >= fz->below) {
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
	return fpr_take_due(fz, scan, batch, isolated);
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

	if (backend->holds)
		taken += fpr_held_reserve(zone);
	return free > taken ? free - taken : 0;
}

static unsigned int fpr_collect_stage(struct zone *zone, struct fpr_scan *scan,
				      struct fpr_backend *backend)
{
	struct fpr_zone *fz;
	unsigned int nr = 0;

	rcu_read_lock();
	fz = fpr_level(fpr_zone_get(zone), scan->fine);
	if (fz)
		nr = fpr_collect(fz, scan, backend->candidates,
				 backend->batch.capacity);
	rcu_read_unlock();
	return nr;
}

/*
 * Isolate what one hold of zone->lock allows, from candidate *@done on.  Returns
 * false when no more can be isolated.
 */
static bool fpr_isolate_some(struct zone *zone, struct fpr_scan *scan,
			     struct fpr_backend *backend, unsigned int nr,
			     unsigned int *done)
{
	struct fpr_zone *whole = fpr_zone_get_locked(zone);
	struct fpr_zone *fz = fpr_level(whole, scan->fine);
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
	unsigned long room = backend->holds ? fpr_held_room(backend) : ULONG_MAX;
	struct fpr_batch *batch = &backend->batch;
	unsigned int done = 0;
	bool more;

	batch->fine = scan->fine;
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

/* Nobody may look at pages that the hypervisor is going to keep. */
static void fpr_conceal_batch(const struct fpr_batch *batch)
{
	unsigned int i;

	page_offline_begin();
	for (i = 0; i < batch->nr_entries; i++)
		fpr_conceal(&batch->entries[i]);
	page_offline_end();
}

/* Was an entry reported, by a call that ended with @err? */
static bool fpr_entry_reported(const struct fpr_batch *batch, unsigned int i,
			       int err)
{
	return !err && batch->sgl[i].length;
}

/* What the backend may have touched and not given away is free memory again. */
static void fpr_reveal_failed(const struct fpr_batch *batch, int err)
{
	unsigned int i;

	for (i = 0; i < batch->nr_entries; i++)
		if (!fpr_entry_reported(batch, i, err))
			fpr_reveal(&batch->entries[i]);
}

/* Call the backend.  A positive number is no result. */
static int fpr_call(struct fpr_backend *backend)
{
	struct page_reporting_dev_info *prdev = backend->prdev;
	struct fpr_batch *batch = &backend->batch;
	int err = prdev->report(prdev, batch->sgl, batch->nr_entries);

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
	if (backend->holds)
		fpr_conceal_batch(batch);
	err = fpr_call(backend);
	if (backend->holds)
		fpr_reveal_failed(batch, err);
	fpr_count(FPR_BATCHES, 1);
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

static void fpr_put_back_part(unsigned long pfn, unsigned long end)
{
	struct fpr_range part = { .pfn = pfn, .nr_pages = end - pfn };

	fpr_put_back(&part);
}

/*
 * Hold the reported entries of a range and put the rest back.  The entries are
 * in the order in which their memory was isolated, *@at is the first one left.
 */
static void fpr_hold_range(struct zone *zone, const struct fpr_batch *batch,
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
		fpr_put_back_part(pfn, entry[*at].pfn);
		fpr_hold(zone, &entry[*at]);
		pfn = entry[*at].pfn + entry[*at].nr_pages;
	}
	fpr_put_back_part(pfn, end);
}

/* Put back, or hold, what was isolated. */
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

			if (backend->holds)
				fpr_hold_range(zone, batch, range, &at, err);
			else
				fpr_put_back(range);
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
static void fpr_settle_entry(struct fpr_zone *whole, struct zone *zone,
			     const struct fpr_batch *batch,
			     const struct fpr_range *entry, bool reported)
{
	u32 window = msecs_to_jiffies(READ_ONCE(fpr_tunables.max_age_ms));
	struct fpr_zone *fz = fpr_level(whole, batch->fine);

	trace_page_reporting_entry(zone, entry->pfn, entry->nr_pages,
				   reported);
	fpr_count(reported ? FPR_REPORTED : FPR_FAILED, entry->nr_pages);
	if (!fz)
		return;
	/* Its pieces were reported with it. */
	if (reported && fz->fine)
		fpr_drop(fz->fine, entry);
	if (reported)
		fpr_recent_add(&fz->recent,
			       fpr_mark_reported(fz, entry, jiffies)
			       << fz->order, jiffies, window);
	else
		fpr_mark_pending(fz, entry, batch->retry_stamp);
}

/*
 * Note what became of all entries, while nobody can use their memory.  Returns
 * the number of pages that were reported.
 */
static unsigned long fpr_settle_entries(struct zone *zone,
					struct fpr_batch *batch, int err)
{
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

			fpr_settle_entry(fz, zone, batch, entry, reported);
			if (reported)
				pages += entry->nr_pages;
			work += 1 + (entry->nr_pages >> batch->order) /
				    FPR_LOCK_MARKS;
		}
		spin_unlock_irq(&zone->lock);
		cond_resched();
	}
	batch->failed = pages < batch->pages;
	return pages;
}

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

/* What failed went well when it was tried again, or is in use. */
static void fpr_forget_failed_entries(struct fpr_backend *backend)
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
	/* A backend may answer with the order that it can do instead. */
	if (err == -EAGAIN ||
	    READ_ONCE(page_reporting_order) != backend->order) {
		backend->backoff = fpr_next_backoff(backend->backoff, age);
		backend->retry_at = jiffies + backend->backoff;
		batch->limit = max(batch->limit / 2, 1U);
		return;
	}
	WRITE_ONCE(backend->error, err);
	pr_err("backend %s failed with %pe, reporting stopped; write 1 to /sys/kernel/mm/page_reporting/enabled to resume\n",
	       backend->name, ERR_PTR(err));
}

/* Why the backend must not be called, or 0. */
static int fpr_obstacle(const struct fpr_backend *backend)
{
	if (READ_ONCE(backend->stopping))
		return -ENODEV;
	if (!READ_ONCE(fpr_tunables.enabled))
		return -EPERM;
	return READ_ONCE(backend->error);
}

/*
 * Time that the zone has to wait for a pass, 0 for none, or FPR_NEVER.  The
 * finer order has time: it is looked at once in its age.
 */
static u32 fpr_zone_wait(struct zone *zone, bool fine)
{
	u32 max_delay = msecs_to_jiffies(fine ?
					 READ_ONCE(fpr_tunables.fine_age_ms) :
					 READ_ONCE(fpr_tunables.max_delay_ms));
	unsigned long excess_kb = 0;
	bool pending = false;
	struct fpr_zone *fz;
	u32 waited = 0;

	rcu_read_lock();
	fz = fpr_level(fpr_zone_get(zone), fine);
	if (fz) {
		pending = READ_ONCE(fz->nr_pending);
		if (!fine)
			excess_kb = fpr_excess_pages(fz) << (PAGE_SHIFT - 10);
		waited = (u32)jiffies - READ_ONCE(fz->since);
	}
	rcu_read_unlock();
	if (!pending)
		return FPR_NEVER;
	if (fpr_pass_wanted(excess_kb, READ_ONCE(fpr_tunables.threshold_kb),
			    waited, max_delay))
		return 0;
	return max_delay - waited;
}

/* The blocks to hold back, not more than were wanted again at a time lately. */
static unsigned long fpr_reserved_blocks(struct fpr_zone *fz)
{
	spin_lock_irq(&fz->zone->lock);
	fpr_expect_reuse(fz, 0, fpr_note_free(fz, 0));
	spin_unlock_irq(&fz->zone->lock);
	return READ_ONCE(fz->reserve) >> fz->order;
}

/* Decide which blocks of a zone are due in this pass. */
static void fpr_aim(struct fpr_backend *backend, struct zone *zone,
		    struct fpr_scan *scan)
{
	u32 floor = msecs_to_jiffies(READ_ONCE(fpr_tunables.age_ms));
	u32 ceiling = msecs_to_jiffies(READ_ONCE(fpr_tunables.max_age_ms));
	unsigned long reserve = 0;
	struct fpr_zone *fz;

	if (scan->fine) {
		floor = msecs_to_jiffies(READ_ONCE(fpr_tunables.fine_age_ms));
		ceiling = floor;
	}
	rcu_read_lock();
	fz = fpr_level(fpr_zone_get(zone), scan->fine);
	/* The finer order holds nothing back. */
	if (fz && !scan->fine)
		reserve = fpr_reserved_blocks(fz);
	if (reserve)
		fpr_take_census(fz, &backend->census, scan->now, ceiling);
	fpr_choose_age(scan, &backend->census, reserve, floor, ceiling);
	if (fz)
		WRITE_ONCE(fz->age, scan->age + scan->hold);
	rcu_read_unlock();
}

/*
 * Returns the time until the zone should be looked at again.  Nothing pending
 * is left for good: what was deferred gets another chance.
 */
static u32 fpr_end_zone_pass(struct zone *zone, const struct fpr_scan *scan)
{
	u32 next = FPR_NEVER;
	struct fpr_zone *fz;

	spin_lock_irq(&zone->lock);
	fz = fpr_level(fpr_zone_get_locked(zone), scan->fine);
	if (fz) {
		WRITE_ONCE(fz->since, jiffies);
		if (fz->nr_pending)
			next = min(scan->next, max(scan->ceiling, FPR_RETRY));
	}
	spin_unlock_irq(&zone->lock);
	return next;
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

	batch->retry_stamp = jiffies;
	if (!err && reported < batch->nr_entries) {
		fpr_note_failed_entries(backend, pass);
		batch->retry_stamp += backend->entry_backoff;
	}
	if (!err && !reported)
		err = -EAGAIN;
	pass->pages += fpr_settle_entries(zone, batch, err);
	fpr_return_pages(zone, backend, err);
	fpr_note_result(backend, err);
	return err;
}

/*
 * Take a batch through the stages that follow on the collection of @nr
 * candidates.  Returns how many of them were dealt with.
 */
static unsigned int fpr_run_batch(struct fpr_backend *backend,
				  struct zone *zone, struct fpr_scan *scan,
				  struct fpr_pass *pass, unsigned int nr)
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

/*
 * Time to wait when a zone is short of memory.  Where memory is held, that is
 * how it is once nothing more may be held, for as long as nothing is freed.
 */
static u32 fpr_scarce_wait(const struct fpr_backend *backend,
			   const struct fpr_scan *scan)
{
	return backend->holds ? max(scan->ceiling, FPR_RETRY) : FPR_RETRY;
}

/*
 * Report what @scan says is due in @zone.  Returns the time until the zone
 * should be looked at again, or FPR_NEVER.
 */
static u32 fpr_drain_zone(struct fpr_backend *backend, struct zone *zone,
			  struct fpr_scan *scan, struct fpr_pass *pass)
{
	unsigned int nr, done;

	while ((nr = fpr_collect_stage(zone, scan, backend))) {
		pass->err = fpr_obstacle(backend);
		if (pass->err)
			return FPR_NEVER;
		if (!pass->flush && time_after(jiffies, pass->deadline)) {
			pass->late = true;
			return 1;
		}
		done = fpr_run_batch(backend, zone, scan, pass, nr);
		if (pass->paused)
			return FPR_NEVER;
		if (backend->batch.nr_isolated) {
			if (pass->err)
				return backend->backoff ?: FPR_NEVER;
			if (backend->batch.failed)
				scan->next = min(scan->next, scan->age +
						 backend->entry_backoff);
		} else if (done < nr) {
			return fpr_scarce_wait(backend, scan);
		}
		cond_resched();
	}
	return fpr_end_zone_pass(zone, scan);
}

static u32 fpr_pass_tracker(struct fpr_backend *backend, struct zone *zone,
			    bool fine, struct fpr_pass *pass)
{
	struct fpr_scan scan = {
		.fine = fine, .now = jiffies, .next = FPR_NEVER,
	};
	u32 wait = pass->flush ? 0 : fpr_zone_wait(zone, fine);

	if (wait)
		return wait;
	/* To a flush all is due, what waits for another try too. */
	if (pass->flush)
		scan.now += FPR_BACKOFF_MAX;
	else
		fpr_aim(backend, zone, &scan);
	return fpr_drain_zone(backend, zone, &scan, pass);
}

/*
 * Pieces may have turned out to be whole blocks, which a flush must not leave.
 * What failed is not tried again so soon.
 */
static bool fpr_flush_again(const struct fpr_backend *backend,
			    const struct fpr_pass *pass)
{
	return pass->flush && !pass->err && !pass->failed &&
	       READ_ONCE(backend->fine) && backend->prdev->pieces;
}

static u32 fpr_pass_zone(struct fpr_backend *backend, struct zone *zone,
			 struct fpr_pass *pass)
{
	u32 next = fpr_pass_tracker(backend, zone, false, pass);

	if (!pass->err && !pass->late)
		next = min(next, fpr_pass_tracker(backend, zone, true, pass));
	if (fpr_flush_again(backend, pass))
		next = min(next, fpr_pass_tracker(backend, zone, false, pass));
	return next;
}

/* Go through the zones of a backend from slot @from up to slot @to. */
static u32 fpr_pass_slots(struct fpr_backend *backend, struct fpr_pass *pass,
			  unsigned int from, unsigned int to)
{
	u32 next = FPR_NEVER;
	struct zone *zone;

	for_each_populated_zone(zone) {
		unsigned int slot = fpr_slot(zone) - fpr_table;

		if (slot < from || slot >= to ||
		    !node_isset(zone_to_nid(zone), backend->nodes))
			continue;
		next = min(next, fpr_pass_zone(backend, zone, pass));
		/* It has had its time: the next pass begins after it. */
		if (pass->late)
			backend->next_slot = slot + 1;
		if (pass->err || pass->late)
			break;
	}
	return next;
}

/* Report what is due in all zones of a backend. */
static void fpr_pass_zones(struct fpr_backend *backend, struct fpr_pass *pass)
{
	unsigned int first = backend->next_slot;
	u32 next;

	fpr_count(FPR_PASSES, 1);
	next = fpr_pass_slots(backend, pass, first, UINT_MAX);
	if (!pass->err && !pass->late)
		next = min(next, fpr_pass_slots(backend, pass, 0, first));
	if (!pass->failed)
		fpr_forget_failed_entries(backend);
	if (next != FPR_NEVER)
		fpr_schedule(backend, next);
	trace_page_reporting_pass(backend->name, pass->flush, pass->pages,
				  pass->err);
}

/*
 * Wait for the time that the backend asked for.  Returns false if it has not
 * come yet.
 */
static bool fpr_backoff_over(struct fpr_backend *backend)
{
	u32 left = fpr_backoff_left(READ_ONCE(backend->backoff),
				    backend->retry_at, jiffies);

	if (!left)
		return true;
	fpr_schedule(backend, left);
	return false;
}

/* The result of a flush: that entries failed says more than "try again". */
static int fpr_flush_result(const struct fpr_pass *pass)
{
	if (pass->failed && (!pass->err || pass->err == -EAGAIN))
		return -EIO;
	return pass->err;
}

/* Tell those who wait for flush @number and earlier ones that it is over. */
static void fpr_end_flush(struct fpr_backend *backend, unsigned long number,
			  const struct fpr_pass *pass)
{
	backend->flush_part = 0;
	backend->flush_pages = pass->pages;
	backend->flush_error = fpr_flush_result(pass);
	/* Pairs with smp_load_acquire() in fpr_flush_over(). */
	smp_store_release(&backend->flush_done, number);
	wake_up_all(&backend->flushed);
}

/*
 * The work function of a backend: a pass, or a flush if one is asked for.  While
 * all backends are paused there is neither; resuming starts it again.
 */
void fpr_work(struct work_struct *work)
{
	struct fpr_backend *backend =
		container_of(work, struct fpr_backend, work);
	unsigned long flush = READ_ONCE(backend->flush_wanted);
	struct fpr_pass pass = {
		.deadline = jiffies + FPR_PASS_TIME,
		.flush = flush != backend->flush_done,
	};

	if (fpr_paused())
		return;
	if (pass.flush)
		pass.pages = backend->flush_part;
	pass.err = fpr_follow_order(backend) ?: fpr_obstacle(backend);
	if (!pass.err && (pass.flush || fpr_backoff_over(backend)))
		fpr_pass_zones(backend, &pass);
	fpr_obey_limit(backend);
	if (pass.flush && pass.paused)
		backend->flush_part = pass.pages;
	else if (pass.flush)
		fpr_end_flush(backend, flush, &pass);
}
