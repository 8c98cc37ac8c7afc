// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: how memory is used again.
 *
 * Pure functions of their arguments, so that KUnit can try every case.
 * retain.c calls them; none takes or needs a lock.
 */
#include <linux/limits.h>
#include <linux/minmax.h>

#include "policy.h"
#include "reuse.h"

/* Has a block that is due been retained for as long as any is? */
bool fpr_expired(const struct fpr_scan *scan, u32 stamp)
{
	return scan->now - stamp >= scan->ceiling;
}

/* Forget what was added more than one or two windows ago. */
static void fpr_window_slide(struct fpr_window *window, u32 now, u32 length)
{
	u32 elapsed = now - window->since;

	if (elapsed < length)
		return;
	window->pages[1] = elapsed / 2 < length ? window->pages[0] : 0;
	window->pages[0] = 0;
	window->since = now;
}

/* Remember that so many pages were reported. */
void fpr_window_add(struct fpr_window *window, unsigned long pages, u32 now,
		    u32 length)
{
	fpr_window_slide(window, now, length);
	window->pages[0] += pages;
}

/*
 * So many pages were used that the host did not back.  Returns how many of
 * them need not have been: had what was reported lately been retained, the
 * allocator would have handed that out instead.  No report counts twice.
 */
unsigned long fpr_window_consume(struct fpr_window *window, unsigned long pages,
				 u32 now, u32 length)
{
	unsigned long older, newer;

	fpr_window_slide(window, now, length);
	older = min(pages, window->pages[1]);
	newer = min(pages - older, window->pages[0]);
	window->pages[1] -= older;
	window->pages[0] -= newer;
	return older + newer;
}

/* Begin without a past, with so many pages free. */
void fpr_reuse_peak_init(struct fpr_reuse_peak *peak, unsigned long free,
			 u32 now)
{
	*peak = (struct fpr_reuse_peak){
		.low = { free, free },
		.high = { free, free },
		.since = now,
	};
}

/* Forget what was seen more than one or two windows ago. */
static void fpr_reuse_peak_slide(struct fpr_reuse_peak *peak,
				 unsigned long free, u32 now, u32 length)
{
	u32 elapsed = now - peak->since;

	if (elapsed / 2 >= length) {
		fpr_reuse_peak_init(peak, free, now);
	} else if (elapsed >= length) {
		*peak = (struct fpr_reuse_peak){
			.low = { ULONG_MAX, peak->low[0] },
			.high = { 0, peak->high[0] },
			.reused = { 0, peak->reused[0] },
			.since = now,
		};
	}
}

/*
 * So many pages of a zone are free now, and @before were until just now, which
 * is not more.  Returns how many were freed and then taken again at a time
 * lately: the largest rise with a fall after it, of which the smaller one
 * counts.
 */
unsigned long fpr_reuse_peak_note(struct fpr_reuse_peak *peak,
				  unsigned long before, unsigned long free,
				  u32 now, u32 length)
{
	unsigned long low, high, fall = 0;

	fpr_reuse_peak_slide(peak, before, now, length);
	low = min(peak->low[0], peak->low[1]);
	high = max(peak->high[0], peak->high[1]);
	if (before < low) {
		/* All that rose has fallen; the rest was not freed. */
		fall = high - low;
		peak->high[0] = before;
		peak->high[1] = before;
	} else if (before < high) {
		fall = high - before;
	}
	peak->low[0] = min(peak->low[0], before);
	peak->high[0] = max(peak->high[0], free);
	peak->reused[0] = max(peak->reused[0], fall);
	return max(peak->reused[0], peak->reused[1]);
}

/*
 * Memory that was wanted again soon after it had been reported will be wanted
 * again: that much of it is retained.  The allocator hands out first what was
 * freed last, so the @retained blocks that were freed last wait until they are
 * @ceiling old; all others are due when they are @floor old.  That way a
 * workload that takes and frees the same amount over and over is left alone,
 * while other memory comes back at once.
 *
 * Sets the age, slack and quota of @scan: what is retained ends within a bucket
 * of the histogram, and the quota is what the bucket has beyond that.
 */
void fpr_choose_age(struct fpr_scan *scan,
		    const struct fpr_age_histogram *histogram,
		    unsigned long retained, u32 floor, u32 ceiling)
{
	unsigned long newer = 0;
	u32 lower, upper;
	unsigned int i;

	scan->age = floor;
	scan->slack = 0;
	scan->quota = 0;
	scan->ceiling = max(floor, ceiling);
	if (!retained)
		return;
	for (i = 0; i < FPR_AGE_BUCKETS; i++) {
		newer += histogram->blocks[i];
		if (newer >= retained)
			break;
	}
	lower = i * histogram->width;
	upper = lower + histogram->width;
	scan->age = clamp(lower, floor, scan->ceiling);
	scan->slack = clamp(upper, floor, scan->ceiling) - scan->age;
	if (newer > retained)
		scan->quota = newer - retained;
}
