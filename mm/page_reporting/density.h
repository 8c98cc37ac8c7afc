/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: how full blocks are, and which are worth emptying, as
 * pure functions.
 */
#ifndef _MM_PAGE_REPORTING_DENSITY_H
#define _MM_PAGE_REPORTING_DENSITY_H

#include <linux/jiffies.h>
#include <linux/types.h>

#define FPR_DENSITY_CLASSES	32

/**
 * struct fpr_fill - what is in a block
 * @used:	pages in use that can be moved
 * @free:	pages that are free
 * @fixed:	something in it cannot be moved
 *
 * Pages that are on their way, in the lists of a CPU, are neither.
 */
struct fpr_fill {
	unsigned long used;
	unsigned long free;
	bool fixed;
};

/**
 * struct fpr_density - the blocks of a zone, by how full they are
 * @block_pages: pages of a block
 * @nr:		blocks of a class that can be emptied
 * @used:	pages in use in them
 * @room:	free pages in them
 * @fixed_room:	free pages in blocks that cannot be emptied
 */
struct fpr_density {
	unsigned long block_pages;
	unsigned long nr[FPR_DENSITY_CLASSES];
	unsigned long used[FPR_DENSITY_CLASSES];
	unsigned long room[FPR_DENSITY_CLASSES];
	unsigned long fixed_room;
};

/**
 * struct fpr_plan - which blocks to empty
 * @below:	those of all classes below this one
 * @split:	and so many blocks of this class, those of the lowest addresses
 * @blocks:	how many that makes
 */
struct fpr_plan {
	unsigned int below;
	unsigned long split;
	unsigned long blocks;
};

/**
 * struct fpr_look - what is seen of a zone at a time
 * @now:	the time
 * @fragments:	free pages that are in no whole block
 * @allocated:	pages allocated since boot, in all zones
 * @threshold:	pages that are worth a run
 */
struct fpr_look {
	u32 now;
	unsigned long fragments;
	unsigned long allocated;
	unsigned long threshold;
};

/* How a run ended: before it was over, for little or nothing, or for enough. */
enum fpr_outcome {
	FPR_RUN_CUT_OFF,
	FPR_RUN_IN_VAIN,
	FPR_RUN_WORTH_IT,
};

/**
 * struct fpr_watch - what is remembered of a zone between two looks
 * @seen:	it was looked at before
 * @looked_at:	time of the last look
 * @allocated:	pages allocated since boot, by then
 * @calm_since:	the zone is calm since then
 * @left:	the fewest fragments seen since the last run
 * @ended_at:	when that run ended
 * @wait:	no other one for so long after it
 */
struct fpr_watch {
	bool seen;
	u32 looked_at;
	unsigned long allocated;
	u32 calm_since;
	unsigned long left;
	u32 ended_at;
	u32 wait;
};

/*
 * A zone in which nothing is to be gained is looked at again after this time:
 * one wake-up for eight of kcompactd's.
 */
#define FPR_LOOK_SELDOM		((u32)(4 * HZ))
#define FPR_LOOK_OFTEN		((u32)HZ)

/* Who has allocated little for so long has finished what it did. */
#define FPR_CALM_TIME		((u32)(2 * HZ))

/* After a run that did what it was for, and the longest wait after others. */
#define FPR_RUN_WAIT		((u32)(10 * HZ))
#define FPR_RUN_WAIT_MAX	((u32)(600 * HZ))

void fpr_density_add(struct fpr_density *density, const struct fpr_fill *fill);
struct fpr_plan fpr_make_plan(const struct fpr_density *density);
bool fpr_to_empty(const struct fpr_plan *plan, const struct fpr_fill *fill,
		  unsigned long block_pages, bool *split);
bool fpr_to_fill(const struct fpr_plan *plan, const struct fpr_fill *fill,
		 unsigned long block_pages, bool above);
bool fpr_calm(unsigned long pages, u32 elapsed);
u32 fpr_until_run(struct fpr_watch *watch, const struct fpr_look *look);
void fpr_run_over(struct fpr_watch *watch, const struct fpr_look *look,
		  enum fpr_outcome outcome, bool made);
u32 fpr_rest_us(u64 busy_ns, unsigned int percent);

#endif /* _MM_PAGE_REPORTING_DENSITY_H */
