// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the worker of a backend.
 *
 * A pass goes once through the zones of a backend and reports what is due,
 * batch by batch (cycle.c).  The timer of the backend starts it (backend.c).
 * Here is which zones it looks at, when, and for how long.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <trace/events/page_reporting.h>

#include "backend.h"
#include "consolidate.h"
#include "cycle.h"
#include "flush.h"
#include "order.h"
#include "pass.h"
#include "policy.h"
#include "restore.h"
#include "retain.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "words.h"

/*
 * A pass that takes longer ends and starts again: while it runs, tasks cannot
 * be frozen, and a large guest may have much to report.
 */
#define FPR_PASS_TIME		HZ

/*
 * Where all that may be unbacked is, a look in vain costs as much as any, and
 * what is freed meanwhile is seen by the hook.
 */
#define FPR_SCARCE_WAIT		((u32)(10 * HZ))

/* Why the backend must not be called, or 0. */
static int fpr_may_report(const struct fpr_backend *backend)
{
	if (READ_ONCE(backend->stopping))
		return -ENODEV;
	if (!READ_ONCE(fpr_tunables.enabled))
		return -EPERM;
	return READ_ONCE(backend->error);
}

/*
 * Time that the zone has to wait for a pass, 0 for none, or FPR_NEVER.  Pieces
 * have time: they are looked at once in their age.
 */
static u32 fpr_zone_wait(struct zone *zone, bool pieces)
{
	u32 max_delay = msecs_to_jiffies(pieces ?
					 READ_ONCE(fpr_tunables.piece_age_ms) :
					 READ_ONCE(fpr_tunables.max_delay_ms));
	unsigned long excess_kb = 0;
	bool pending = false;
	struct fpr_zone *fz;
	u32 waited = 0;

	rcu_read_lock();
	fz = fpr_tracker_of(fpr_zone_get(zone), pieces);
	if (fz) {
		pending = READ_ONCE(fz->nr_pending);
		if (!pieces)
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

/* Decide which blocks of a zone are due in this pass.  No piece is retained. */
static void fpr_choose_due(struct fpr_backend *backend, struct zone *zone,
			   struct fpr_scan *scan)
{
	unsigned int ms = scan->pieces ? READ_ONCE(fpr_tunables.piece_age_ms) :
					 READ_ONCE(fpr_tunables.age_ms);
	struct fpr_zone *fz;

	scan->age = msecs_to_jiffies(ms);
	scan->ceiling = scan->age;
	rcu_read_lock();
	fz = fpr_tracker_of(fpr_zone_get(zone), scan->pieces);
	if (fz && !scan->pieces)
		fpr_retain(backend, fz, scan);
	if (fz)
		WRITE_ONCE(fz->age, scan->age + scan->slack);
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
	fz = fpr_tracker_of(fpr_zone_get_locked(zone), scan->pieces);
	if (fz) {
		WRITE_ONCE(fz->since, jiffies);
		if (fz->nr_pending)
			next = min(scan->next, max(scan->ceiling, FPR_RETRY));
	}
	spin_unlock_irq(&zone->lock);
	return next;
}

/*
 * Time to wait when a zone is short of memory.  For a backend that restores,
 * that is how it is once nothing more may be unbacked, for as long as nothing
 * is freed.
 */
static u32 fpr_scarce_wait(const struct fpr_backend *backend)
{
	return backend->restores ? FPR_SCARCE_WAIT : FPR_RETRY;
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
		pass->err = fpr_may_report(backend);
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
			return fpr_scarce_wait(backend);
		}
		cond_resched();
	}
	return fpr_end_zone_pass(zone, scan);
}

static u32 fpr_pass_tracker(struct fpr_backend *backend, struct zone *zone,
			    bool pieces, struct fpr_pass *pass)
{
	struct fpr_scan scan = {
		.pieces = pieces, .now = jiffies, .next = FPR_NEVER,
	};
	u32 wait = pass->flush ? 0 : fpr_zone_wait(zone, pieces);

	if (wait)
		return wait;
	/* To a flush all is due, what waits for another try too. */
	if (pass->flush)
		scan.now += FPR_BACKOFF_MAX;
	else
		fpr_choose_due(backend, zone, &scan);
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
	       fpr_has_pieces(backend, READ_ONCE(backend->order),
			      READ_ONCE(backend->pieces));
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
	/* A flush that was interrupted goes on with what it reported. */
	unsigned long before = pass->pages;
	unsigned int first = backend->next_slot;
	u32 next;

	fpr_count(&backend->counters, FPR_PASSES, 1);
	next = fpr_pass_slots(backend, pass, first, UINT_MAX);
	if (!pass->err && !pass->late)
		next = min(next, fpr_pass_slots(backend, pass, 0, first));
	if (!pass->failed)
		fpr_forget_failed_entries(backend);
	if (next != FPR_NEVER)
		fpr_schedule(backend, next);
	trace_page_reporting_pass(backend->name, pass->flush,
				  pass->pages - before, pass->err);
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

/*
 * The work function of a backend: a pass, or a flush if one is asked for.
 * While all backends are paused there is neither; resuming starts it again.
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
	pass.err = fpr_may_report(backend);
	if (!pass.err && (pass.flush || fpr_backoff_over(backend))) {
		pass.err = fpr_sync_order(backend);
		if (!pass.err)
			fpr_pass_zones(backend, &pass);
	}
	fpr_enforce_limit(backend);
	fpr_consolidation_wake(backend);
	if (pass.flush && pass.paused)
		backend->flush_part = pass.pages;
	else if (pass.flush)
		fpr_end_flush(backend, flush, pass.pages,
			      fpr_flush_result(&pass));
}
