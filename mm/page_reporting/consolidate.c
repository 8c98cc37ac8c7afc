// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: making whole blocks of free memory that is scattered.
 *
 * A guest that has done something is left with much memory that is free and in
 * no whole block, so that none of it can be reported.  Each backend watches its
 * zones; in one that is calm, and has enough of this, it makes a run:
 *
 * survey	sees how full each block is, and plans which to empty (density.c),
 * move		empties one after the other (vacate.c).
 *
 * What becomes whole is pending, as all that becomes free, and a pass reports
 * it (pass.c).  A run works for a quarter of a millisecond and rests for long
 * enough to take no more of a CPU than the user allows.  It is cut off when the
 * guest goes to work or is short of memory.
 *
 * The work item has a queue of its own, because it waits for memory hotplug,
 * which a pass does not.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include <trace/events/page_reporting.h>

#include "../internal.h"
#include "backend.h"
#include "consolidate.h"
#include "density.h"
#include "freelist.h"
#include "hook.h"
#include "policy.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "vacate.h"

/*
 * The scheduler may leave the worker alone until the next tick, so for this long
 * a program can have to wait.
 */
#define FPR_SLICE_US		250

/* Where a rest is not longer than this, jiffies are too coarse for it. */
#define FPR_NAP_US		20000

/*
 * After so many blocks in a row that could not be emptied, the rest will not be
 * any better: somebody has the guest's memory pinned.
 */
#define FPR_STUCK_MAX		16

/**
 * struct fpr_consolidation - the run of a backend
 * @work:	a look at the zones, or a part of a run
 * @backend:	whose it is
 * @zone:	where the run is, NULL if there is none
 * @moving:	the survey is over
 * @since:	when the zone was last seen to be calm
 * @allocated:	pages allocated in it by then
 * @pfn:	next block to survey
 * @density:	what the survey found
 * @mover:	where the run is
 * @made:	blocks that it made whole
 * @stuck:	blocks in a row that it could not
 *
 * Written by @work.
 */
struct fpr_consolidation {
	struct delayed_work work;
	struct fpr_backend *backend;
	struct zone *zone;
	bool moving;
	u32 since;
	unsigned long allocated;
	unsigned long pfn;
	struct fpr_density density;
	struct fpr_mover mover;
	unsigned long made;
	unsigned int stuck;
};

/*
 * Held for reading by those who take memory by address, for writing during a
 * slice: neither meets pageblocks that the other has isolated.
 */
DECLARE_RWSEM(fpr_takers);

/* One backend at a time: who takes memory by address is somebody else. */
static DEFINE_MUTEX(fpr_slice_mutex);

/* === Watching === */

/* Free pages that are in no block of 2^@order pages. */
static unsigned long fpr_fragments(struct zone *zone, unsigned int order)
{
	unsigned long free = zone_page_state(zone, NR_FREE_PAGES);
	unsigned long whole = 0;

	for (; order < NR_PAGE_ORDERS; order++)
		whole += READ_ONCE(zone->free_area[order].nr_free) << order;
	return free > whole ? free - whole : 0;
}

/* Pages allocated since boot.  A guest is at work wherever it allocates. */
static unsigned long fpr_allocated(void)
{
	const enum vm_event_item first = PGALLOC_NORMAL - ZONE_NORMAL;
	unsigned long pages = 0;
	unsigned int i;
	int cpu;

	for_each_online_cpu(cpu)
		for (i = 0; i < MAX_NR_ZONES; i++)
			pages += READ_ONCE(per_cpu(vm_event_states, cpu)
						   .event[first + i]);
	return pages;
}

static struct fpr_look fpr_look_at(struct zone *zone, unsigned int order)
{
	return (struct fpr_look){
		.now = jiffies,
		.fragments = fpr_fragments(zone, order),
		.allocated = fpr_allocated(),
		.threshold = READ_ONCE(fpr_tunables.threshold_kb) >>
			     (PAGE_SHIFT - 10),
	};
}

/*
 * May memory of the zone be moved?  The free pages of a block that is emptied
 * cannot be allocated meanwhile, and as much holds the copies.
 */
static bool fpr_has_memory(struct zone *zone, unsigned int order)
{
	unsigned long mark = high_wmark_pages(zone) + (2UL << order);

	return zone_page_state(zone, NR_FREE_PAGES) >
	       mark + fpr_unusable_pages(zone);
}

static void fpr_begin_run(struct fpr_consolidation *run, struct zone *zone,
			  unsigned int order)
{
	fpr_mover_init(&run->mover, zone, order);
	run->density = (struct fpr_density){
		.block_pages = fpr_mover_pages(&run->mover),
	};
	run->zone = zone;
	run->moving = false;
	run->pfn = run->mover.source;
	run->made = 0;
	run->stuck = 0;
	run->since = jiffies;
	run->allocated = fpr_allocated();
	/* What is in the lists of the CPUs looks as if it could not be moved. */
	lru_add_drain_all();
	drain_all_pages(zone);
}

/* Returns the time until the zone should be looked at again, 0 for a run. */
static u32 fpr_watch_zone(struct zone *zone, unsigned int *order)
{
	u32 wait = FPR_LOOK_SELDOM;
	struct fpr_zone *fz;

	rcu_read_lock();
	fz = fpr_zone_get(zone);
	/* Of smaller blocks, those that are reported lie between pages in use. */
	if (fz && fz->order >= pageblock_order) {
		struct fpr_look look = fpr_look_at(zone, fz->order);

		*order = fz->order;
		wait = fpr_until_run(&fz->watch, &look);
		if (!fpr_has_memory(zone, fz->order))
			wait = FPR_LOOK_SELDOM;
	}
	rcu_read_unlock();
	return wait;
}

/* Look at all zones of the backend, and begin a run in one if it is time. */
static u32 fpr_watch_zones(struct fpr_consolidation *run)
{
	u32 next = FPR_LOOK_SELDOM;
	struct zone *zone;

	for_each_populated_zone(zone) {
		unsigned int order;
		u32 wait;

		if (!node_isset(zone_to_nid(zone), run->backend->nodes))
			continue;
		wait = fpr_watch_zone(zone, &order);
		if (!wait) {
			fpr_begin_run(run, zone, order);
			return 0;
		}
		next = min(next, wait);
	}
	return next;
}

/* === A run === */

/* What came of a run that went to its end? */
static enum fpr_outcome fpr_outcome(const struct fpr_consolidation *run)
{
	if (run->made && run->made * 2 >= run->mover.plan.blocks)
		return FPR_RUN_WORTH_IT;
	return FPR_RUN_IN_VAIN;
}

static void fpr_end_run(struct fpr_consolidation *run,
			enum fpr_outcome outcome)
{
	struct zone *zone = run->zone;
	struct fpr_zone *fz;

	rcu_read_lock();
	fz = fpr_zone_get(zone);
	if (fz) {
		struct fpr_look look = fpr_look_at(zone, fz->order);

		fpr_run_over(&fz->watch, &look, outcome, run->made);
	}
	rcu_read_unlock();
	trace_page_reporting_consolidate(zone, run->mover.order,
					 run->mover.plan.blocks, run->made,
					 run->mover.moved);
	run->zone = NULL;
}

/* Has the size of a block changed since the run began? */
static bool fpr_has_other_order(struct fpr_consolidation *run)
{
	struct fpr_zone *fz;
	bool other;

	rcu_read_lock();
	fz = fpr_zone_get(run->zone);
	other = !fz || fz->order != run->mover.order;
	rcu_read_unlock();
	return other;
}

/* Must the run end, because the guest goes to work or is short of memory? */
static bool fpr_must_end(struct fpr_consolidation *run)
{
	unsigned long allocated = fpr_allocated();
	u32 now = jiffies;
	bool calm = fpr_calm(allocated - run->allocated, now - run->since);

	/* Once in a while, or what was allocated at first would never count. */
	if (now - run->since >= FPR_LOOK_OFTEN) {
		run->since = now;
		run->allocated = allocated;
	}
	return !calm || !fpr_has_memory(run->zone, run->mover.order) ||
	       fpr_has_other_order(run);
}

/* Is what can be gained worth the run? */
static bool fpr_plan_run(struct fpr_consolidation *run)
{
	unsigned long gain_kb;

	run->mover.plan = fpr_make_plan(&run->density);
	run->moving = true;
	gain_kb = run->mover.plan.blocks << (run->mover.order + PAGE_SHIFT - 10);
	return gain_kb && gain_kb >= READ_ONCE(fpr_tunables.threshold_kb);
}

/* Survey a block, or plan after the last one.  Returns false to end the run. */
static bool fpr_survey_step(struct fpr_consolidation *run)
{
	struct fpr_fill fill;

	if (run->pfn + fpr_mover_pages(&run->mover) > zone_end_pfn(run->zone))
		return fpr_plan_run(run);
	if (fpr_survey_block(&run->mover, run->pfn, &fill))
		fpr_density_add(&run->density, &fill);
	run->pfn += fpr_mover_pages(&run->mover);
	return true;
}

/* Is the block that comes next one to be emptied? */
static bool fpr_is_source(const struct fpr_mover *mover, bool *split)
{
	struct fpr_fill fill;

	if (!fpr_survey_block(mover, mover->source, &fill) ||
	    !fpr_to_empty(&mover->plan, &fill, fpr_mover_pages(mover), split))
		return false;
	/* Of the class that is split, those that lie above have been filled. */
	return !*split || !mover->second || mover->source < mover->target;
}

/* Empty a block.  Returns false if it is to be gone on with. */
static bool fpr_empty_source(struct fpr_consolidation *run)
{
	struct fpr_counters *counters = &run->backend->counters;
	struct fpr_mover *mover = &run->mover;
	unsigned long before = mover->moved;
	enum fpr_vacated vacated = fpr_vacate(mover);

	fpr_count(counters, FPR_MOVED, mover->moved - before);
	switch (vacated) {
	case FPR_VACATED_WHOLE:
		fpr_count(counters, FPR_CONSOLIDATED, fpr_mover_pages(mover));
		run->made++;
		run->stuck = 0;
		return true;
	case FPR_VACATED_STUCK:
		run->stuck++;
		return true;
	case FPR_VACATED_CROWDED:
		return true;
	case FPR_VACATED_LATE:
		break;
	}
	return false;
}

/* Empty a block if it is one to be emptied.  Returns false to end the run. */
static bool fpr_move_step(struct fpr_consolidation *run)
{
	struct fpr_mover *mover = &run->mover;
	unsigned long pages = fpr_mover_pages(mover);
	bool split;

	if (mover->source + pages > zone_end_pfn(run->zone) || mover->full ||
	    run->stuck >= FPR_STUCK_MAX)
		return false;
	if (fpr_is_source(mover, &split)) {
		mover->split_begun |= split;
		if (!fpr_empty_source(run))
			return true;
	}
	mover->plan.split -= mover->split_begun;
	mover->split_begun = false;
	mover->source += pages;
	return true;
}

/* Go on with the run until the slice is over. */
static void fpr_go_on(struct fpr_consolidation *run)
{
	bool more;

	if (fpr_must_end(run)) {
		fpr_end_run(run, FPR_RUN_CUT_OFF);
		return;
	}
	do {
		more = run->moving ? fpr_move_step(run) : fpr_survey_step(run);
		cond_resched();
	} while (more && !fpr_is_late(&run->mover));
	fpr_return_room(&run->mover);
	if (!more)
		fpr_end_run(run, fpr_outcome(run));
}

/* Rest for so long.  Returns what is left of that, in jiffies. */
static u32 fpr_nap(u32 us)
{
	if (us > FPR_NAP_US)
		return usecs_to_jiffies(us) + 1;
	usleep_range_state(us, us + us / 8, TASK_IDLE);
	return 0;
}

/*
 * A slice of the run, unless somebody takes memory by address, and a rest.
 * Returns the time until the next one.
 */
static u32 fpr_run_slice(struct fpr_consolidation *run, unsigned int percent)
{
	u32 rest_us = jiffies_to_usecs(FPR_LOOK_OFTEN);
	ktime_t start;

	mutex_lock(&fpr_slice_mutex);
	get_online_mems();
	if (down_write_trylock(&fpr_takers)) {
		start = ktime_get();
		run->mover.deadline = ktime_add_us(start, FPR_SLICE_US);
		fpr_go_on(run);
		up_write(&fpr_takers);
		rest_us = fpr_rest_us(ktime_to_ns(ktime_sub(ktime_get(),
							    start)), percent);
	}
	put_online_mems();
	mutex_unlock(&fpr_slice_mutex);
	return fpr_nap(rest_us);
}

/*
 * Is nothing to be reported, or is it not worth it?  Who changes that, or the
 * @percent of a CPU that may be taken, wakes this again.  Where memory has to be
 * restored, a block that is made whole is paid for twice: by moving what is in
 * it, and when it is needed again.
 */
static bool fpr_is_off(const struct fpr_backend *backend,
		       unsigned int percent)
{
	return !percent || backend->restores ||
	       !READ_ONCE(fpr_tunables.enabled) || fpr_paused() ||
	       READ_ONCE(backend->stopping) || READ_ONCE(backend->error);
}

/* Can nothing be reported at the moment?  Then what is gained is of no use. */
static bool fpr_is_idle(const struct fpr_backend *backend)
{
	return fpr_backoff_left(READ_ONCE(backend->backoff),
				READ_ONCE(backend->retry_at), jiffies);
}

static void fpr_consolidate(struct work_struct *work)
{
	struct fpr_consolidation *run =
		container_of(work, struct fpr_consolidation, work.work);
	unsigned int percent = READ_ONCE(fpr_tunables.consolidate_percent);
	bool off = fpr_is_off(run->backend, percent);
	bool idle = fpr_is_idle(run->backend);
	u32 delay = FPR_LOOK_SELDOM;

	if (run->zone && (off || idle))
		fpr_end_run(run, FPR_RUN_CUT_OFF);
	if (off)
		return;
	if (!run->zone && !idle)
		delay = fpr_watch_zones(run);
	if (run->zone)
		delay = fpr_run_slice(run, percent);
	/* A pass may have woken it while it was at work. */
	mod_delayed_work(run->backend->consolidation_wq, &run->work, delay);
}

/* === For the life cycle of a backend === */

/* Returns false for no memory.  fpr_backend_destroy() frees all of it. */
bool fpr_consolidation_init(struct fpr_backend *backend)
{
	struct fpr_consolidation *run = kzalloc(sizeof(*run), GFP_KERNEL);

	if (!run)
		return false;
	run->backend = backend;
	INIT_DELAYED_WORK(&run->work, fpr_consolidate);
	backend->consolidation = run;
	backend->consolidation_wq =
		alloc_ordered_workqueue("page_reporting_consolidate",
					WQ_FREEZABLE);
	return backend->consolidation_wq;
}

/* Watch the zones of a backend, if that is wanted, and if it does not yet. */
void fpr_consolidation_wake(struct fpr_backend *backend)
{
	unsigned int percent = READ_ONCE(fpr_tunables.consolidate_percent);

	if (!fpr_is_off(backend, percent))
		queue_delayed_work(backend->consolidation_wq,
				   &backend->consolidation->work,
				   FPR_LOOK_OFTEN);
}

/* Nothing is moved for a backend any more, which is stopping. */
void fpr_consolidation_end(struct fpr_backend *backend)
{
	cancel_delayed_work_sync(&backend->consolidation->work);
	if (backend->consolidation->zone)
		fpr_end_run(backend->consolidation, FPR_RUN_CUT_OFF);
}
