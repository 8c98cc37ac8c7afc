// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: when to report, and how much at once.
 *
 * Pure functions of their arguments, so that KUnit can try every case.  The
 * worker in cycle.c calls them; none takes or needs a lock.
 */
#include <linux/minmax.h>

#include "internal.h"

/* Backing off ends here: a host that recovers is noticed within a minute. */
#define FPR_BACKOFF_MAX		(60 * HZ)

/*
 * At most this share of what a zone has above its high watermark is isolated
 * at once.  An eighth costs a large guest nothing, and lets a small one drain
 * in steps that leave it room to allocate meanwhile.
 */
#define FPR_SPARE_SHARE		8

/*
 * Is a block with this stamp due?  A stamp ahead of the time of the scan is
 * that of a block freed meanwhile.
 */
bool fpr_due(const struct fpr_scan *scan, u32 stamp)
{
	return (s32)(scan->now - stamp) >= (s32)scan->age;
}

/* Time until a block that is not due will be. */
u32 fpr_until_due(const struct fpr_scan *scan, u32 stamp)
{
	return scan->age - (scan->now - stamp);
}

/*
 * A pass is worth its wake-up when enough is pending, or when what is pending
 * has waited long enough.
 */
bool fpr_pass_wanted(unsigned long pending_kb, unsigned long threshold_kb,
		     u32 waited, u32 max_delay)
{
	if (!pending_kb)
		return false;
	return pending_kb >= threshold_kb || waited >= max_delay;
}

/*
 * How many pages a batch may take from a zone with @free pages and its high
 * watermark at @high.  Whenever it is not 0, a free list entry of @largest
 * pages fits, and as much again stays above the watermark.
 */
unsigned long fpr_batch_limit(unsigned long free, unsigned long high,
			      unsigned long largest)
{
	unsigned long spare = free > high ? free - high : 0;

	if (spare < 2 * largest)
		return 0;
	return max(spare / FPR_SPARE_SHARE, largest);
}

/* The wait after another -EAGAIN, when the last one was @backoff. */
u32 fpr_next_backoff(u32 backoff, u32 base)
{
	return clamp(backoff * 2, max(base, 1U), (u32)FPR_BACKOFF_MAX);
}
