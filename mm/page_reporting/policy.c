// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: when to report, and how much at once.
 *
 * Pure functions of their arguments, so that KUnit can try every case.  The
 * worker calls them (pass.c, cycle.c); none takes or needs a lock.
 */
#include <linux/limits.h>
#include <linux/minmax.h>

#include "policy.h"

/*
 * At most this share of what a zone has above its high watermark is isolated
 * at once.  An eighth costs a large guest nothing, and lets a small one drain
 * in steps that leave it room to allocate meanwhile.
 */
#define FPR_SPARE_SHARE		8

/* No scan takes longer, so a stamp further ahead is one from long ago. */
#define FPR_SCAN_TIME_MAX	((u32)HZ * 3600)

/*
 * May a block with this stamp be reported?  A stamp ahead of the time of the
 * scan is that of a block freed meanwhile.
 */
bool fpr_due(const struct fpr_scan *scan, u32 stamp)
{
	u32 age = scan->now - stamp;

	return age >= scan->age && age < -FPR_SCAN_TIME_MAX;
}

/* Give back what a block that was not reported after all used of the quota. */
void fpr_refund(struct fpr_scan *scan, u32 stamp)
{
	if (scan->now - stamp < scan->age + scan->slack)
		scan->quota++;
}

/* Must a block that may be reported wait on?  Uses up the quota if not. */
bool fpr_retained(struct fpr_scan *scan, u32 stamp)
{
	if (scan->now - stamp >= scan->age + scan->slack)
		return false;
	if (!scan->quota)
		return true;
	scan->quota--;
	return false;
}

/* Time until a block that is not due, or retained, will be. */
u32 fpr_until_due(const struct fpr_scan *scan, u32 stamp)
{
	u32 age = scan->now - stamp;

	return (fpr_due(scan, stamp) ? scan->ceiling : scan->age) - age;
}

/*
 * A pass over a zone with something pending is worth its wake-up when enough
 * is pending beyond what is retained, or when it was a while ago.
 */
bool fpr_pass_wanted(unsigned long excess_kb, unsigned long threshold_kb,
		     u32 waited, u32 max_delay)
{
	return (excess_kb && excess_kb >= threshold_kb) || waited >= max_delay;
}

/*
 * May another @more pages be isolated, with @isolated already and @spare pages
 * free above the high watermark?  The first free list entry only has to leave
 * as much again, so that a zone drains to the end.
 */
bool fpr_may_isolate(unsigned long spare, unsigned long isolated,
		     unsigned long more)
{
	if (!isolated)
		return more <= spare / 2;
	return isolated + more <= spare / FPR_SPARE_SHARE;
}

/*
 * What is left at @now of a wait of @backoff until @retry_at.  More than all of
 * it is a wait that is over for long.
 */
u32 fpr_backoff_left(u32 backoff, u32 retry_at, u32 now)
{
	u32 left = retry_at - now;

	return left <= backoff ? left : 0;
}

/* The wait after another -EAGAIN, when the last one was @backoff. */
u32 fpr_next_backoff(u32 backoff, u32 base)
{
	return min(max3(backoff * 2, base, 1U), FPR_BACKOFF_MAX);
}
