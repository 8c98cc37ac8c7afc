// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: when to report, and how much at once.
 *
 * Pure functions of their arguments, so that KUnit can try every case.  The
 * worker in cycle.c calls them; none takes or needs a lock.
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

/* Has a block that is due been held back for as long as any is? */
bool fpr_expired(const struct fpr_scan *scan, u32 stamp)
{
	return scan->now - stamp >= scan->ceiling;
}

/* Give back what a block that was not reported after all used of the quota. */
void fpr_refund(struct fpr_scan *scan, u32 stamp)
{
	if (scan->now - stamp < scan->age + scan->hold)
		scan->quota++;
}

/* Must a block that may be reported wait on?  Uses up the quota if not. */
bool fpr_held_back(struct fpr_scan *scan, u32 stamp)
{
	if (scan->now - stamp >= scan->age + scan->hold)
		return false;
	if (!scan->quota)
		return true;
	scan->quota--;
	return false;
}

/* Time until a block that is not due, or held back, will be. */
u32 fpr_until_due(const struct fpr_scan *scan, u32 stamp)
{
	u32 age = scan->now - stamp;

	return (fpr_due(scan, stamp) ? scan->ceiling : scan->age) - age;
}

/* Forget what was added more than one or two windows ago. */
static void fpr_recent_forget(struct fpr_recent *recent, u32 now, u32 window)
{
	u32 elapsed = now - recent->since;

	if (elapsed < window)
		return;
	recent->pages[1] = elapsed / 2 < window ? recent->pages[0] : 0;
	recent->pages[0] = 0;
	recent->since = now;
}

/* Remember that so many pages were reported. */
void fpr_recent_add(struct fpr_recent *recent, unsigned long pages, u32 now,
		    u32 window)
{
	fpr_recent_forget(recent, now, window);
	recent->pages[0] += pages;
}

/*
 * So many pages were used that the host did not back.  Returns how many of
 * them need not have been: had what was reported lately been held back, the
 * allocator would have handed that out instead.  No report counts twice.
 */
unsigned long fpr_recent_take(struct fpr_recent *recent, unsigned long pages,
			      u32 now, u32 window)
{
	unsigned long older, newer;

	fpr_recent_forget(recent, now, window);
	older = min(pages, recent->pages[1]);
	newer = min(pages - older, recent->pages[0]);
	recent->pages[1] -= older;
	recent->pages[0] -= newer;
	return older + newer;
}

/* Begin without a past, with so many pages free. */
void fpr_swing_init(struct fpr_swing *swing, unsigned long free, u32 now)
{
	*swing = (struct fpr_swing){
		.low = { free, free },
		.high = { free, free },
		.since = now,
	};
}

/* Forget what was seen more than one or two windows ago. */
static void fpr_swing_forget(struct fpr_swing *swing, unsigned long free,
			     u32 now, u32 window)
{
	u32 elapsed = now - swing->since;

	if (elapsed / 2 >= window) {
		fpr_swing_init(swing, free, now);
	} else if (elapsed >= window) {
		*swing = (struct fpr_swing){
			.low = { ULONG_MAX, swing->low[0] },
			.high = { 0, swing->high[0] },
			.reused = { 0, swing->reused[0] },
			.since = now,
		};
	}
}

/*
 * So many pages of a zone are free now.  Returns how many were freed and then
 * taken again at a time lately: the largest rise with a fall after it, of which
 * the smaller one counts.
 */
unsigned long fpr_swing_note(struct fpr_swing *swing, unsigned long free,
			     u32 now, u32 window)
{
	unsigned long low, high, fall = 0;

	fpr_swing_forget(swing, free, now, window);
	low = min(swing->low[0], swing->low[1]);
	high = max(swing->high[0], swing->high[1]);
	if (free < low) {
		/* All that rose has fallen; what falls further was not freed. */
		fall = high - low;
		swing->high[0] = free;
		swing->high[1] = free;
	} else if (free < high) {
		fall = high - free;
	}
	swing->low[0] = min(swing->low[0], free);
	swing->high[0] = max(swing->high[0], free);
	swing->reused[0] = max(swing->reused[0], fall);
	return max(swing->reused[0], swing->reused[1]);
}

/*
 * Memory that was wanted again soon after it had been reported will be wanted
 * again: that much of it, the reserve, is held back.  The allocator hands out
 * first what was freed last, so the @reserve blocks that were freed last wait
 * until they are @ceiling old; all others are due when they are @floor old.
 * That way a workload that takes and frees the same amount over and over is
 * left alone, while other memory comes back at once.
 *
 * Sets the age, hold and quota of @scan: the reserve ends within a bucket of
 * the census, and the quota is what exceeds the reserve there.
 */
void fpr_choose_age(struct fpr_scan *scan, const struct fpr_census *census,
		    unsigned long reserve, u32 floor, u32 ceiling)
{
	unsigned long newer = 0;
	u32 lower, upper;
	unsigned int i;

	scan->age = floor;
	scan->hold = 0;
	scan->quota = 0;
	scan->ceiling = max(floor, ceiling);
	if (!reserve)
		return;
	for (i = 0; i < FPR_CENSUS_BUCKETS; i++) {
		newer += census->blocks[i];
		if (newer >= reserve)
			break;
	}
	lower = i * census->width;
	upper = lower + census->width;
	scan->age = clamp(lower, floor, scan->ceiling);
	scan->hold = clamp(upper, floor, scan->ceiling) - scan->age;
	if (newer > reserve)
		scan->quota = newer - reserve;
}

/*
 * A pass over a zone with something pending is worth its wake-up when enough
 * is pending beyond the reserve, or when it was a while ago.
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
