// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: what will be wanted again.
 *
 * A zone learns from what is freed and taken again how much of its free memory
 * to hold back.  The hook and restoring feed it, the worker asks.  Callers hold
 * zone->lock; the arithmetic is in policy.c.
 */
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>

#include <trace/events/page_reporting.h>

#include "hook.h"
#include "policy.h"
#include "reserve.h"
#include "tracker.h"
#include "tunables.h"

/*
 * Hold back so many pages more, which were wanted again soon, but not more
 * than @reused in all.
 */
void fpr_expect_reuse(struct fpr_zone *fz, unsigned long pages,
		      unsigned long reused)
{
	lockdep_assert_held(&fz->zone->lock);
	WRITE_ONCE(fz->reserve, min(fz->reserve + pages, reused));
}

/* Hold back so many pages less: they were not wanted while they waited. */
void fpr_release_reserve(struct fpr_zone *fz, unsigned long pages)
{
	lockdep_assert_held(&fz->zone->lock);
	WRITE_ONCE(fz->reserve, fz->reserve - min(fz->reserve, pages));
}

/*
 * Note how much of a zone is free after so many pages were freed; what is held,
 * and what the worker has isolated, is as good as free.  Returns how much was
 * freed and taken again at a time lately, to the nearest block, because the
 * kernel's count of free pages is not exact.
 */
unsigned long fpr_note_free(struct fpr_zone *fz, unsigned long freed)
{
	u32 window = msecs_to_jiffies(READ_ONCE(fpr_tunables.max_age_ms));
	unsigned long free = zone_page_state(fz->zone, NR_FREE_PAGES) +
			     page_reporting_held(fz->zone) + fz->isolated;
	unsigned long reused;

	lockdep_assert_held(&fz->zone->lock);
	fpr_swing_note(&fz->swing, free - min(free, freed), jiffies, window);
	reused = fpr_swing_note(&fz->swing, free, jiffies, window);
	return round_down(reused + fpr_block_pages(fz) / 2,
			  fpr_block_pages(fz));
}

/* Memory of so many pages was used that the host had to back for that. */
void fpr_learn(struct fpr_zone *fz, unsigned long pages, unsigned long reused)
{
	u32 window = msecs_to_jiffies(READ_ONCE(fpr_tunables.max_age_ms));
	unsigned long refaulted = fpr_recent_take(&fz->recent, pages, jiffies,
						  window);

	fpr_count(FPR_REFAULTED, refaulted);
	fpr_expect_reuse(fz, refaulted, reused);
	trace_page_reporting_refault(fz->zone, pages, refaulted, fz->reserve);
}
