// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: getting unbacked blocks back from the hypervisor.
 *
 * When an allocation fails the watermark of a zone or finds nothing in it, the
 * allocator calls page_reporting_restore() before it goes on to another zone,
 * to reclaim or to compaction.  Whoever takes memory by address, memory
 * hotplug, and a limit that was lowered have blocks restored as well, and so
 * do hibernation, kexec and OOM (events.c).
 *
 * Restoring happens within an RCU read section, so unregistering waits for it.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/export.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>

#include <trace/events/page_reporting.h>

#include "backend.h"
#include "freelist.h"
#include "hook.h"
#include "policy.h"
#include "restore.h"
#include "retain.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "unbacked.h"
#include "words.h"

/* After a failure, an allocation does not have to wait for long. */
#define FPR_RESTORE_BACKOFF_MAX		((u32)HZ)

/* Nor does a pass, when more is unbacked than the limit allows. */
#define FPR_EXCESS_BACKOFF_MAX		((u32)(10 * HZ))

/*
 * What is restored of a zone to avert an OOM, in blocks: with blocks of 2 MiB
 * more than any process needs at once to get on.
 */
#define FPR_OOM_BLOCKS			16

DEFINE_STATIC_KEY_FALSE(page_reporting_restoring);

/* === One block === */

static void fpr_note_restore(struct fpr_unbacked *unbacked, int err)
{
	u32 backoff = 0;

	if (err)
		backoff = min(fpr_next_backoff(unbacked->backoff, 1),
			      FPR_RESTORE_BACKOFF_MAX);
	WRITE_ONCE(unbacked->backoff, backoff);
	WRITE_ONCE(unbacked->retry_at, (u32)jiffies + backoff);
}

/* The block is the allocator's again, and pending. */
static void fpr_release(struct zone *zone, struct fpr_backend *backend,
			const struct fpr_range *block, bool wanted)
{
	struct fpr_zone *fz = fpr_zone_get_locked(zone);

	lockdep_assert_held(&zone->lock);
	fpr_putback(block);
	fpr_count(&backend->counters, FPR_RESTORED, block->nr_pages);
	if (!fz)
		return;
	fpr_mark_pending(fz, block, jiffies);
	if (wanted)
		fpr_account_free(fz, block->nr_pages, block->nr_pages);
	fpr_wake(fz);
}

/*
 * The block did not come back.  If a part of it did, the next attempt goes on
 * with it.  If not, all others are tried before it, because the hypervisor may
 * have memory for one of another order.
 */
static void fpr_relink(struct zone *zone, struct page *page, bool progress)
{
	struct fpr_unbacked *unbacked = fpr_unbacked_of(zone);
	unsigned int order = fpr_unbacked_order(page);

	fpr_link(zone, page);
	if (progress)
		return;
	list_move_tail(&page->lru, &unbacked->blocks[order]);
	unbacked->next = order + 1;
}

/*
 * Restore a block that was taken off its list.  It is put there again if that
 * fails.  @wanted says that an allocation is waiting for it.
 */
int fpr_restore_block(struct zone *zone, struct fpr_backend *backend,
		      struct page *page, bool wanted)
{
	struct fpr_range block = {
		.pfn = page_to_pfn(page), .nr_pages = 1UL << fpr_unbacked_order(page),
	};
	struct fpr_unbacked *unbacked = fpr_unbacked_of(zone);
	unsigned long flags, back = page_private(page);
	/* Allocations happen while the system's time is suspended. */
	u64 start = local_clock();
	bool progress;
	int err;

	err = backend->prdev->restore(backend->prdev, page, fpr_unbacked_order(page));
	trace_page_reporting_restore(zone, block.pfn, block.nr_pages, err,
				     local_clock() - start);
	progress = !err || page_private(page) > back;
	if (!err) {
		ClearPagePrivate(page);
		fpr_set_unbacked_order(page, 0);
		fpr_clear_offline(&block);
	}
	spin_lock_irqsave(&zone->lock, flags);
	if (progress) {
		WRITE_ONCE(unbacked->progress, unbacked->progress + 1);
		unbacked->next = 0;
	}
	if (err)
		fpr_relink(zone, page, progress);
	else
		fpr_release(zone, backend, &block, wanted);
	fpr_note_restore(unbacked, err);
	spin_unlock_irqrestore(&zone->lock, flags);
	return err;
}

/*
 * Restore the block that @find says, whatever an earlier attempt came to.
 * Returns -ENOENT if there is none.
 */
static int fpr_restore_found(struct zone *zone, unsigned int order, bool wanted,
			     struct page *(*find)(struct fpr_unbacked *unbacked,
						  unsigned int order))
{
	struct fpr_unbacked *unbacked = fpr_unbacked_of(zone);
	struct fpr_backend *backend;
	struct page *page = NULL;
	int err = -ENOENT;

	rcu_read_lock();
	spin_lock_irq(&zone->lock);
	backend = unbacked->backend;
	if (backend)
		page = find(unbacked, order);
	if (page)
		fpr_unlink(zone, page);
	spin_unlock_irq(&zone->lock);
	if (page)
		err = fpr_restore_block(zone, backend, page, wanted);
	rcu_read_unlock();
	return err;
}

/* === For an allocation === */

static bool fpr_short_of_memory(struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_PAGES) <
	       fpr_unusable_pages(zone) + high_wmark_pages(zone);
}

/*
 * The block that an allocation of @order needs.  Blocks that are too small for
 * it help only where memory as such is short.
 */
static struct page *fpr_find_wanted(struct zone *zone,
				    struct fpr_unbacked *unbacked,
				    unsigned int order)
{
	struct page *page = fpr_find_larger(unbacked, order);

	if (page || !fpr_short_of_memory(zone))
		return page;
	return fpr_find_smaller(unbacked, order);
}

static bool fpr_must_wait(const struct fpr_unbacked *unbacked)
{
	return fpr_backoff_left(READ_ONCE(unbacked->backoff),
				READ_ONCE(unbacked->retry_at), jiffies);
}

/* The part of page_reporting_restore() that is not inlined. */
bool __page_reporting_restore(struct zone *zone, unsigned int order,
			      unsigned long reserve)
{
	unsigned long nr_pages = fpr_unbacked_in(zone);
	struct fpr_unbacked *unbacked;
	struct fpr_backend *backend;
	struct page *page = NULL;
	bool restored = false;
	unsigned long flags;

	if (!nr_pages ||
	    zone_page_state(zone, NR_FREE_PAGES) + nr_pages <= reserve)
		return false;
	unbacked = fpr_unbacked_of(zone);
	if (fpr_must_wait(unbacked))
		return false;
	rcu_read_lock();
	spin_lock_irqsave(&zone->lock, flags);
	backend = unbacked->backend;
	if (backend)
		page = fpr_find_wanted(zone, unbacked, order);
	if (page)
		fpr_unlink(zone, page);
	spin_unlock_irqrestore(&zone->lock, flags);
	if (page)
		restored = !fpr_restore_block(zone, backend, page, true);
	rcu_read_unlock();
	return restored;
}

/*
 * Restore some blocks of a zone, if more free memory would help there.  Returns
 * the number of pages that came back, or 1 if the zone is not short of memory
 * any more: to ask the hypervisor takes its time, in which a process that was
 * killed before may have ended.
 */
unsigned long fpr_restore_for_oom(struct zone *zone)
{
	unsigned long before = fpr_unbacked_in(zone);
	unsigned long restored;
	unsigned int i;

	if (!before || !fpr_short_of_memory(zone))
		return 0;
	for (i = 0; i < FPR_OOM_BLOCKS; i++)
		if (fpr_restore_found(zone, 0, true, fpr_find_larger) ==
		    -ENOENT)
			break;
	restored = before - min(before, fpr_unbacked_in(zone));
	if (restored || !fpr_short_of_memory(zone))
		return max(restored, 1UL);
	pr_notice_ratelimited("%lu kB of node %d zone %s are unbacked and could not be restored\n",
			      before << (PAGE_SHIFT - 10), zone_to_nid(zone),
			      zone->name);
	return 0;
}

/* === By address === */

/*
 * Restore the block that begins with @page.  Returns 0 also if there is no
 * such block.
 */
static int fpr_restore_at(struct page *page)
{
	struct zone *zone = page_zone(page);
	struct fpr_backend *backend;
	bool found = false;
	int err = 0;

	rcu_read_lock();
	spin_lock_irq(&zone->lock);
	backend = fpr_unbacked_of(zone)->backend;
	if (backend && fpr_is_unbacked_block(page) && !list_empty(&page->lru)) {
		fpr_unlink(zone, page);
		found = true;
	}
	spin_unlock_irq(&zone->lock);
	if (found)
		err = fpr_restore_block(zone, backend, page, false);
	rcu_read_unlock();
	return err;
}

/*
 * Have no block of a range unbacked, for those who take memory by address.
 * They have isolated the pageblocks, so nothing of them becomes unbacked
 * meanwhile.
 *
 * Context: Process context, may sleep.
 * Return: 0, or the error of the backend if a block could not be restored.
 */
int fpr_restore_range(unsigned long start_pfn, unsigned long end_pfn)
{
	unsigned long pfn = ALIGN_DOWN(start_pfn, MAX_ORDER_NR_PAGES);
	int err = 0;

	if (!fpr_unbacked_pages(NULL))
		return 0;
	for (; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_online_page(pfn);
		int this_err = 0;

		if (page && fpr_is_unbacked_block(page))
			this_err = fpr_restore_at(page);
		err = err ?: this_err;
		cond_resched();
	}
	return err;
}

/* Is there memory in a range that is unbacked, being restored, or lost? */
static bool fpr_has_holes(unsigned long start_pfn, unsigned long end_pfn)
{
	unsigned long pfn = ALIGN_DOWN(start_pfn, MAX_ORDER_NR_PAGES);

	for (; pfn < end_pfn; pfn++) {
		struct page *page = pfn_to_online_page(pfn);

		if (page && fpr_is_unbacked_block(page))
			return true;
		cond_resched();
	}
	return false;
}

/*
 * Memory that is about to go offline must not leave a hole behind.  Its
 * pageblocks are isolated, so no further batch takes anything of it.  But an
 * allocation may be restoring a block that this does not find, and fail.
 *
 * Context: Process context, may sleep.
 * Return: 0; or -EBUSY if the backend does not answer a report and a signal
 * came, or if something of the range stays unbacked; or the error with which a
 * block was not restored.
 */
int fpr_restore_offlining(unsigned long start_pfn, unsigned long end_pfn)
{
	struct zone *zone = page_zone(pfn_to_page(start_pfn));
	int err;

	if (!static_key_enabled(&page_reporting_restoring) && !fpr_lost_pages())
		return 0;
	/*
	 * What is in a batch may be unbacked when it is over.  As offlining
	 * itself, this goes on trying until a signal comes.
	 */
	do {
		err = fpr_await_batch_at(zone, start_pfn, end_pfn);
	} while (err && !signal_pending(current));
	if (!err)
		err = fpr_restore_range(start_pfn, end_pfn);
	synchronize_rcu();
	if (!err && fpr_has_holes(start_pfn, end_pfn))
		err = -EBUSY;
	if (err)
		pr_notice("page frames %#lx to %#lx stay: unbacked memory did not come back\n",
			  start_pfn, end_pfn - 1);
	return err;
}

/* === What exceeds a limit === */

/*
 * Try every block of a zone once, until only @limit pages are unbacked for
 * @backend.  Returns the error of the last one that failed.
 */
static int fpr_restore_round(struct fpr_backend *backend, struct zone *zone,
			     unsigned long limit)
{
	struct fpr_unbacked *unbacked = fpr_unbacked_of(zone);
	unsigned int order;
	int err = 0;

	for (order = 0; order < NR_PAGE_ORDERS; order++) {
		unsigned long left = READ_ONCE(unbacked->nr_blocks[order]);

		while (left-- && fpr_unbacked_pages(backend) > limit) {
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
			progress += READ_ONCE(fpr_unbacked_of(zone)->progress);
	return progress;
}

/*
 * Restore blocks of @backend until only @limit pages are unbacked.  What the
 * hypervisor has not got for one block it may have for another, so this goes
 * on until nothing came of trying all of them.
 *
 * Context: Process context, may sleep.
 * Return: 0, or the error with which a block was not restored.
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
	return fpr_unbacked_pages(backend) > limit ? err : 0;
}

/*
 * A limit that was lowered is enforced by the next pass, or by a later one if
 * the hypervisor has not got the memory: trying all blocks takes time.
 */
void fpr_enforce_limit(struct fpr_backend *backend)
{
	u32 wait;

	if (!backend->restores)
		return;
	wait = fpr_backoff_left(backend->excess_backoff,
				backend->excess_retry_at, jiffies);
	if (!wait) {
		if (!fpr_restore_excess(backend, fpr_unbacked_limit(backend))) {
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
 * page_reporting_limit_unbacked() - limit what is unbacked for a backend
 * @prdev:	backend with a restore callback
 * @pages:	number of pages that may be unbacked at most
 *
 * Restores what exceeds the limit.  What the hypervisor does not give back now
 * stays unbacked, and is restored later.  Waits for allocations that are
 * restoring a block, because that is unbacked again if it fails.
 *
 * Context: Process context, may sleep.  Takes an internal mutex; must not be
 * called from the report callback.
 * Return:
 * * %0		- no more than @pages pages are unbacked
 * * %-ENODEV	- the backend is not registered
 * * %-EAGAIN	- an allocation failed to restore a block meanwhile
 * * another error with which the restore callback failed
 */
int page_reporting_limit_unbacked(struct page_reporting_dev_info *prdev,
				  unsigned long pages)
{
	struct fpr_backend *backend = fpr_backend_get(prdev);
	int err;

	if (!backend)
		return -ENODEV;
	WRITE_ONCE(backend->unbacked_max, pages);
	/* A batch that is on its way is unbacked when it returns. */
	flush_work(&backend->work);
	err = fpr_restore_excess(backend, pages);
	synchronize_rcu();
	if (!err && fpr_unbacked_pages(backend) > pages)
		err = -EAGAIN;
	fpr_schedule(backend, 1);
	fpr_backend_put(backend);
	return err;
}
EXPORT_SYMBOL_GPL(page_reporting_limit_unbacked);

/*
 * Restore everything before the backend goes.  Its worker has ended.  Waits
 * for allocations that are restoring a block.
 */
void fpr_restore_detach(struct fpr_backend *backend)
{
	unsigned long lost;

	if (!backend->restores)
		return;
	fpr_restore_excess(backend, 0);
	lost = fpr_unbacked_abandon(backend);
	synchronize_rcu();
	/* A block that an allocation failed to restore meanwhile. */
	lost += fpr_unbacked_abandon(backend);
	fpr_unbacked_forget(backend);
	atomic_long_add(lost, &fpr_lost);
	if (lost)
		pr_err("backend %s did not get %lu kB back from the hypervisor, they are lost to this system\n",
		       backend->name, lost << (PAGE_SHIFT - 10));
}

/*
 * Have allocations ask for unbacked memory while there is a backend with any.
 */
void fpr_restore_enable(const struct page_reporting_dev_info *prdev)
{
	if (prdev->restore)
		static_branch_inc(&page_reporting_restoring);
}

void fpr_restore_disable(const struct page_reporting_dev_info *prdev)
{
	if (prdev->restore)
		static_branch_dec(&page_reporting_restoring);
}
