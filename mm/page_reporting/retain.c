// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: memory that the guest keeps because it will be wanted
 * again.
 *
 * A zone learns from what is freed and taken again how much of its free memory
 * to retain.  The hook and restoring feed it, under zone->lock; the worker
 * asks.  The arithmetic is in reuse.c.
 */
#include <linux/bitops.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include <trace/events/page_reporting.h>

#include "backend.h"
#include "hook.h"
#include "policy.h"
#include "retain.h"
#include "reuse.h"
#include "tracker.h"
#include "tunables.h"
#include "words.h"

/*
 * What was used longer ago than one or two of these is forgotten.  Nothing is
 * retained for longer than max_age_ms, so nothing else can be learnt.
 */
static u32 fpr_window_length(void)
{
	return msecs_to_jiffies(READ_ONCE(fpr_tunables.max_age_ms));
}

/*
 * What nobody uses: the hypervisor and the worker have some of it.  The kernel's
 * counters are exact to some ten pages for each processor.
 */
static unsigned long fpr_unused_pages(const struct fpr_zone *fz)
{
	return zone_page_state(fz->zone, NR_FREE_PAGES) +
	       page_reporting_unbacked(fz->zone) + fz->isolated;
}

/* A tracker begins without a past. */
void fpr_retain_init(struct fpr_zone *fz)
{
	fpr_reuse_peak_init(&fz->reuse_peak, fpr_unused_pages(fz), jiffies);
}

/* A tracker that replaces another one goes on with what that had learnt. */
void fpr_retain_inherit(struct fpr_zone *fz, const struct fpr_zone *old)
{
	lockdep_assert_held(&fz->zone->lock);
	fz->window = old->window;
	fz->retained = old->retained;
	fz->reuse_peak = old->reuse_peak;
}

/* === Learning === */

/*
 * Retain so many pages more, which were wanted again soon, but not more than
 * @reused in all.
 */
static void fpr_retain_more(struct fpr_zone *fz, unsigned long pages,
			    unsigned long reused)
{
	lockdep_assert_held(&fz->zone->lock);
	WRITE_ONCE(fz->retained, min(fz->retained + pages, reused));
}

/* Retain so many pages less: they were not wanted while they waited. */
static void fpr_retain_less(struct fpr_zone *fz, unsigned long pages)
{
	lockdep_assert_held(&fz->zone->lock);
	WRITE_ONCE(fz->retained, fz->retained - min(fz->retained, pages));
}

/*
 * Note how much of a zone is unused after so many pages were freed.  Returns
 * how much was freed and taken again at a time lately, to the nearest block,
 * because the kernel's count of free pages is not exact.
 */
static unsigned long fpr_note_unused(struct fpr_zone *fz, unsigned long freed)
{
	unsigned long unused = fpr_unused_pages(fz);
	unsigned long reused;

	lockdep_assert_held(&fz->zone->lock);
	fz->noted = jiffies;
	reused = fpr_reuse_peak_note(&fz->reuse_peak,
				     unused - min(unused, freed), unused,
				     fz->noted, fpr_window_length());
	return round_down(reused + fpr_block_pages(fz) / 2,
			  fpr_block_pages(fz));
}

/*
 * The host had to back so many pages.  Those that had been reported lately need
 * not have been.
 */
static void fpr_note_backed(struct fpr_zone *fz, unsigned long backed,
			    unsigned long reused)
{
	unsigned long refaulted = fpr_window_consume(&fz->window, backed,
						     jiffies,
						     fpr_window_length());

	fpr_count(&fz->backend->counters, FPR_REFAULTED, refaulted);
	fpr_retain_more(fz, refaulted, reused);
	trace_page_reporting_refault(fz->zone, backed, refaulted, fz->retained);
}

/*
 * So many pages of whole blocks became free, and the host had to back @backed
 * pages of blocks for them.
 */
void fpr_account_free(struct fpr_zone *fz, unsigned long freed,
		      unsigned long backed)
{
	unsigned long reused;

	/*
	 * How low it was is noted once a jiffy; how high it gets always, for a
	 * gigabyte may be freed in one.
	 */
	if (!backed && fz->noted == (u32)jiffies &&
	    fpr_unused_pages(fz) <= fz->reuse_peak.high[0])
		return;
	reused = fpr_note_unused(fz, freed);
	if (backed)
		fpr_note_backed(fz, backed, reused);
}

/* The host had to back so many pages of pieces: none of them is retained. */
void fpr_account_refault(struct fpr_zone *fz, unsigned long backed)
{
	if (backed)
		fpr_note_backed(fz, backed, 0);
}

/* So many pages that had been used were reported. */
void fpr_account_reported(struct fpr_zone *fz, unsigned long pages)
{
	lockdep_assert_held(&fz->zone->lock);
	fpr_window_add(&fz->window, pages, jiffies, fpr_window_length());
}

/*
 * The pending blocks of @range are about to be reported.  Of those that were
 * retained as long as any may be, nobody needed one: retain so many less.
 */
void fpr_account_moved(struct fpr_zone *fz, const struct fpr_range *range,
		       const struct fpr_scan *scan)
{
	struct fpr_range rest = *range;
	unsigned long expired = 0;
	struct fpr_part part;

	if (!fz->retained)
		return;
	while (fpr_next_part(fz, &rest, &part)) {
		unsigned long bits = part.bits & part.segment->pending;
		unsigned int bit;

		for_each_set_bit(bit, &bits, FPR_SEGMENT_BLOCKS)
			expired += fpr_expired(scan, part.segment->stamp[bit]);
	}
	fpr_retain_less(fz, expired << fz->order);
}

/* === Choosing what is retained === */

static void fpr_count_ages(const struct fpr_segment *segment,
			   struct fpr_age_histogram *histogram, u32 now)
{
	unsigned long pending = READ_ONCE(segment->pending);
	unsigned int bit;

	smp_rmb(); /* pairs with smp_wmb() in fpr_set_pending() */
	for_each_set_bit(bit, &pending, FPR_SEGMENT_BLOCKS) {
		s32 age = now - READ_ONCE(segment->stamp[bit]);
		u32 bucket = max(age, 0) / histogram->width;

		histogram->blocks[min(bucket, FPR_AGE_BUCKETS - 1U)]++;
	}
}

/*
 * Count the pending blocks by age, in buckets that end at @ceiling.
 *
 * Context: RCU read side.
 */
void fpr_build_histogram(struct fpr_zone *fz,
			 struct fpr_age_histogram *histogram, u32 now,
			 u32 ceiling)
{
	unsigned long i;

	memset(histogram, 0, sizeof(*histogram));
	histogram->width = ceiling / FPR_AGE_BUCKETS + 1;
	for_each_set_bit(i, fz->summary, fz->nr_segments) {
		struct fpr_segment *segment = rcu_dereference(fz->segments[i]);

		if (segment)
			fpr_count_ages(segment, histogram, now);
	}
}

/* Not more blocks than were wanted again at a time lately. */
static unsigned long fpr_retained_blocks(struct fpr_zone *fz)
{
	spin_lock_irq(&fz->zone->lock);
	fpr_retain_more(fz, 0, fpr_note_unused(fz, 0));
	spin_unlock_irq(&fz->zone->lock);
	return READ_ONCE(fz->retained) >> fz->order;
}

/*
 * Have @scan pass over the blocks that are retained.
 *
 * Context: The worker, on the RCU read side.
 */
void fpr_retain(struct fpr_backend *backend, struct fpr_zone *fz,
		struct fpr_scan *scan)
{
	unsigned long blocks = fpr_retained_blocks(fz);
	u32 ceiling = fpr_window_length();

	if (blocks)
		fpr_build_histogram(fz, &backend->histogram, scan->now,
				    ceiling);
	fpr_choose_age(scan, &backend->histogram, blocks, scan->age, ceiling);
}
