/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: moving what is in use out of a block.
 */
#ifndef _MM_PAGE_REPORTING_VACATE_H
#define _MM_PAGE_REPORTING_VACATE_H

#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mmzone.h>
#include <linux/types.h>

#include "density.h"

/* What came of emptying a block. */
enum fpr_vacated {
	FPR_VACATED_WHOLE,	/* it is free as a whole */
	FPR_VACATED_STUCK,	/* something stays in it */
	FPR_VACATED_CROWDED,	/* there was room, but for smaller folios */
	FPR_VACATED_LATE,	/* the slice was over */
};

/**
 * struct fpr_room - free list entries of one order
 * @entries:	the entries, linked through page->lru
 * @nr:		how many these are
 */
struct fpr_room {
	struct list_head entries;
	unsigned int nr;
};

/**
 * struct fpr_mover - where what is moved comes from and goes to, in a zone
 * @zone:	the zone
 * @order:	order of the blocks, a pageblock at least
 * @plan:	which to empty
 * @deadline:	when the slice is over
 * @source:	block that is being emptied
 * @split_begun: it was begun as one of the class that is split
 * @second:	the second time that blocks are gone through to be filled
 * @target:	block that was filled last; those above it have been
 * @filling:	it still is being filled
 * @at:		page frame of that block with which to go on
 * @full:	no block is left that could be filled
 * @room:	free pages that were taken to be moved to, by their order
 * @nr_room:	how many free list entries these are
 * @room_pages:	and how many pages
 * @moved:	pages moved so far
 */
struct fpr_mover {
	struct zone *zone;
	unsigned int order;
	struct fpr_plan plan;
	ktime_t deadline;
	unsigned long source;
	bool split_begun;
	bool second;
	unsigned long target;
	bool filling;
	unsigned long at;
	bool full;
	struct fpr_room room[NR_PAGE_ORDERS];
	unsigned int nr_room;
	unsigned long room_pages;
	unsigned long moved;
};

void fpr_mover_init(struct fpr_mover *mover, struct zone *zone,
		    unsigned int order);
bool fpr_survey_block(const struct fpr_mover *mover, unsigned long pfn,
		      struct fpr_fill *fill);
enum fpr_vacated fpr_vacate(struct fpr_mover *mover);
void fpr_return_room(struct fpr_mover *mover);

static inline unsigned long fpr_mover_pages(const struct fpr_mover *mover)
{
	return 1UL << mover->order;
}

/* Is the slice over? */
static inline bool fpr_is_late(const struct fpr_mover *mover)
{
	return ktime_after(ktime_get(), mover->deadline);
}

#endif /* _MM_PAGE_REPORTING_VACATE_H */
