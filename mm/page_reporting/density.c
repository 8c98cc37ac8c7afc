// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: how full blocks are, and which are worth emptying.
 *
 * A block is emptied by moving what is in it to the free fragments of fuller
 * blocks.  Those with the least in them are the cheapest, so they come first;
 * and since nothing is moved into a block that will be emptied, nothing is
 * moved twice.  Pure functions of their arguments, so that KUnit can try every
 * case.  The worker calls them (consolidate.c, vacate.c).
 */
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/time64.h>

#include "density.h"

/*
 * Blocks that are fuller stay: what moves would be three times what is gained,
 * and the next program that ends empties more than that.
 */
#define FPR_EMPTY_CLASSES	(FPR_DENSITY_CLASSES * 3 / 4)

/*
 * A guest that allocates more pages a second than this is at work.  It is ten
 * times what daemons do that only wake up, and a fiftieth of a compiler.
 */
#define FPR_CALM_RATE		(SZ_16M >> PAGE_SHIFT)

/* And this at once: a program that starts is no work yet. */
#define FPR_CALM_BURST		(SZ_8M >> PAGE_SHIFT)

/*
 * Pages of a block that may be on their way.  Where more are neither used nor
 * free, somebody has them in a way that is not known here.
 */
#define FPR_STRAY_SHARE		16

static unsigned int fpr_class(const struct fpr_fill *fill,
			      unsigned long block_pages)
{
	return min(fill->used * FPR_DENSITY_CLASSES / block_pages,
		   FPR_DENSITY_CLASSES - 1UL);
}

/* Whole blocks need nothing, and full ones have no room. */
static bool fpr_is_mixed(const struct fpr_fill *fill)
{
	return fill->free && (fill->used || fill->fixed);
}

static bool fpr_is_fixed(const struct fpr_fill *fill,
			 unsigned long block_pages)
{
	return fill->fixed || fill->used + fill->free <
				block_pages - block_pages / FPR_STRAY_SHARE;
}

/* Take a block into account. */
void fpr_density_add(struct fpr_density *density, const struct fpr_fill *fill)
{
	unsigned int class = fpr_class(fill, density->block_pages);

	if (!fpr_is_mixed(fill))
		return;
	if (fpr_is_fixed(fill, density->block_pages)) {
		density->fixed_room += fill->free;
		return;
	}
	density->nr[class]++;
	density->used[class] += fill->used;
	density->room[class] += fill->free;
}

/*
 * Choose blocks, those with the least in them first, for as long as there is
 * room for it in the others.
 */
struct fpr_plan fpr_make_plan(const struct fpr_density *density)
{
	unsigned long room = density->fixed_room, used = 0;
	struct fpr_plan plan = {};
	unsigned int class;

	for (class = 0; class < FPR_DENSITY_CLASSES; class++)
		room += density->room[class];
	for (class = 0; class < FPR_EMPTY_CLASSES; class++) {
		/* A block that is emptied offers no room. */
		unsigned long left = room - density->room[class];

		if (used + density->used[class] > left)
			break;
		used += density->used[class];
		room = left;
		plan.blocks += density->nr[class];
	}
	plan.below = class;
	if (class == FPR_EMPTY_CLASSES)
		return plan;
	/* Each further block needs its used pages, and takes its free ones. */
	plan.split = min((room - used) / density->block_pages,
			 density->nr[class]);
	plan.blocks += plan.split;
	return plan;
}

/*
 * Is the block one of those to be emptied?  *@split says whether only because
 * some of its class are.
 */
bool fpr_to_empty(const struct fpr_plan *plan, const struct fpr_fill *fill,
		  unsigned long block_pages, bool *split)
{
	unsigned int class = fpr_class(fill, block_pages);

	*split = class == plan->below;
	if (fpr_is_fixed(fill, block_pages) || !fpr_is_mixed(fill))
		return false;
	return class < plan->below || (*split && plan->split);
}

/*
 * Is the block one to be filled?  One of the class that is split is if it lies
 * above those that are emptied.
 */
bool fpr_to_fill(const struct fpr_plan *plan, const struct fpr_fill *fill,
		 unsigned long block_pages, bool above)
{
	unsigned int class = fpr_class(fill, block_pages);

	if (!fpr_is_mixed(fill))
		return false;
	return fpr_is_fixed(fill, block_pages) || class > plan->below ||
	       (class == plan->below && above);
}

/* Is who allocates @pages pages in @elapsed jiffies at rest? */
bool fpr_calm(unsigned long pages, u32 elapsed)
{
	/* What was long ago does not make up for a burst that was not. */
	elapsed = min(elapsed, FPR_LOOK_SELDOM);
	return pages <= FPR_CALM_BURST +
			div_u64((u64)FPR_CALM_RATE * elapsed, HZ);
}

/*
 * Note how a zone looks.  Returns the time until it should be looked at again,
 * 0 if it is time for a run.
 *
 * What a run has left is no reason for the next one, unless that is long ago:
 * who had memory pinned may be gone.
 */
u32 fpr_until_run(struct fpr_watch *watch, const struct fpr_look *look)
{
	u32 waited = look->now - watch->ended_at;
	/* Nothing is known of the time before the first look. */
	bool calm = watch->seen &&
		    fpr_calm(look->allocated - watch->allocated,
			     look->now - watch->looked_at);

	watch->seen = true;
	watch->looked_at = look->now;
	watch->allocated = look->allocated;
	watch->left = min(watch->left, look->fragments);
	if (!calm)
		watch->calm_since = look->now;

	if (look->fragments < look->threshold || waited < watch->wait)
		return FPR_LOOK_SELDOM;
	if (look->fragments - watch->left < look->threshold &&
	    waited < FPR_RUN_WAIT_MAX)
		return FPR_LOOK_SELDOM;
	if (look->now - watch->calm_since < FPR_CALM_TIME)
		return FPR_LOOK_OFTEN;
	return 0;
}

/*
 * A run has ended.  One in vain delays the next, ever longer.  One that was cut
 * off says nothing of what can be gained: the next one goes on when it is calm,
 * but it cost something, so it has to wait as well if nothing was @made whole.
 */
void fpr_run_over(struct fpr_watch *watch, const struct fpr_look *look,
		  enum fpr_outcome outcome, bool made)
{
	if (outcome == FPR_RUN_IN_VAIN ||
	    (outcome == FPR_RUN_CUT_OFF && !made))
		watch->wait = min(watch->wait * 2, FPR_RUN_WAIT_MAX);
	else if (outcome == FPR_RUN_WORTH_IT)
		watch->wait = 0;
	watch->wait = max(watch->wait, FPR_RUN_WAIT);
	watch->left = outcome == FPR_RUN_CUT_OFF ? 0 : look->fragments;
	watch->ended_at = look->now;
	watch->looked_at = look->now;
	watch->allocated = look->allocated;
}

/* Microseconds to rest after work, so that it takes @percent of a CPU at most. */
u32 fpr_rest_us(u64 busy_ns, unsigned int percent)
{
	u64 rest_us = div_u64(busy_ns * (100 - percent),
			      percent * NSEC_PER_USEC);

	return min_t(u64, rest_us + 1, U32_MAX);
}
