/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: which blocks are pending, reported, and since when.
 */
#ifndef _MM_PAGE_REPORTING_TRACKER_H
#define _MM_PAGE_REPORTING_TRACKER_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/mmzone.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "policy.h"
#include "words.h"

struct fpr_backend;

#define FPR_SEGMENT_BLOCKS	BITS_PER_LONG
#define FPR_SEGMENT_SHIFT	(BITS_PER_LONG == 64 ? 6 : 5)

/**
 * struct fpr_segment - state of FPR_SEGMENT_BLOCKS consecutive blocks
 * @pending:	blocks that became free and were not reported since
 * @reported:	blocks that were reported and not freed into since
 * @fresh:	pending blocks that nobody has used since they are tracked, or
 *		since they were reported
 * @stamp:	when the block last changed to pending or reported
 * @rcu:	for freeing, the collect stage reads without a lock
 *
 * Written under zone->lock.
 */
struct fpr_segment {
	unsigned long pending;
	unsigned long reported;
	unsigned long fresh;
	u32 stamp[FPR_SEGMENT_BLOCKS];
	struct rcu_head rcu;
};

/**
 * struct fpr_zone - what is tracked of a zone
 * @zone:	the zone
 * @backend:	to which its blocks are reported
 * @order:	order of a block
 * @below:	free list entries of this order and larger are left alone
 * @fine:	the tracker of a finer order for what is left alone by this one,
 *		or NULL
 * @base:	number of the first segment, counted from page frame 0
 * @nr_segments: length of @segments
 * @nr_pending:	blocks that are pending
 * @since:	when @nr_pending last left zero, or a pass last ended
 * @recent:	memory that was reported lately
 * @reserve:	pages that are held back because they will be wanted again
 * @swing:	how much was freed and taken again lately, the most to hold back
 * @isolated:	pages that a batch has taken off the free lists
 * @age:	age at which the last pass reported, in jiffies
 * @summary:	a bit per segment, set while any of its blocks is pending
 * @segments:	NULL where there is no memory
 *
 * Members from @nr_pending on are written under zone->lock; the others do not
 * change once the structure is published.
 */
struct fpr_zone {
	struct zone *zone;
	struct fpr_backend *backend;
	unsigned int order;
	unsigned int below;
	struct fpr_zone *fine;
	unsigned long base;
	unsigned long nr_segments;
	unsigned long nr_pending;
	u32 since;
	struct fpr_recent recent;
	unsigned long reserve;
	struct fpr_swing swing;
	unsigned long isolated;
	u32 age;
	unsigned long *summary;
	struct fpr_segment __rcu *segments[] __counted_by(nr_segments);
};

struct fpr_zone *fpr_zone_alloc(struct zone *zone, unsigned long start_pfn,
				unsigned long end_pfn, unsigned int order);
void fpr_zone_free(struct fpr_zone *fz);
struct fpr_segment *fpr_segment_alloc(unsigned long pending, int nid, u32 now);
void fpr_segment_install(struct fpr_zone *fz, unsigned long index,
			 struct fpr_segment *segment);
struct fpr_segment *fpr_segment_remove(struct fpr_zone *fz,
				       unsigned long index);
void fpr_inherit(struct fpr_zone *fz, struct fpr_zone *old);
unsigned long fpr_mark_freed(struct fpr_zone *fz, unsigned long pfn,
			     unsigned int freed_order, u32 now);
void fpr_mark_pending(struct fpr_zone *fz, const struct fpr_range *range,
		      u32 now);
void fpr_drop(struct fpr_zone *fz, const struct fpr_range *range);
unsigned long fpr_mark_reported(struct fpr_zone *fz,
				const struct fpr_range *range, u32 now);
bool fpr_clear_pending(struct fpr_zone *fz, unsigned long pfn);
bool fpr_restamp(struct fpr_zone *fz, unsigned long pfn, u32 now);
bool fpr_block_due(struct fpr_zone *fz, unsigned long pfn,
		   const struct fpr_scan *scan);
unsigned long fpr_take_run(struct fpr_zone *fz, const struct fpr_range *range,
			   const struct fpr_scan *scan);
bool fpr_next_due(struct fpr_zone *fz, unsigned long pfn, unsigned long end,
		  const struct fpr_scan *scan, struct fpr_range *range);
unsigned int fpr_collect(struct fpr_zone *fz, struct fpr_scan *scan,
			 unsigned long *pfns, unsigned int max);
void fpr_rewind(struct fpr_zone *fz, struct fpr_scan *scan,
		const unsigned long *pfns, unsigned int nr);
void fpr_take_census(struct fpr_zone *fz, struct fpr_census *census, u32 now,
		     u32 ceiling);
void fpr_forget_reported(struct fpr_zone *fz, unsigned long index, u32 now);

static inline unsigned long fpr_block_pages(const struct fpr_zone *fz)
{
	return 1UL << fz->order;
}

/* The tracker of one of the two orders, NULL if there is none. */
static inline struct fpr_zone *fpr_level(struct fpr_zone *fz, bool fine)
{
	return fz && fine ? fz->fine : fz;
}

/* What is pending beyond what is held back: only that is worth a pass. */
static inline unsigned long fpr_excess_pages(const struct fpr_zone *fz)
{
	unsigned long pending = READ_ONCE(fz->nr_pending) << fz->order;
	unsigned long reserve = READ_ONCE(fz->reserve);

	return pending > reserve ? pending - reserve : 0;
}

static inline unsigned long fpr_segment_index(const struct fpr_zone *fz,
					      unsigned long pfn)
{
	return (pfn >> (fz->order + FPR_SEGMENT_SHIFT)) - fz->base;
}

static inline unsigned int fpr_block_bit(const struct fpr_zone *fz,
					 unsigned long pfn)
{
	return (pfn >> fz->order) % FPR_SEGMENT_BLOCKS;
}

static inline unsigned long fpr_segment_pfn(const struct fpr_zone *fz,
					    unsigned long index)
{
	return (fz->base + index) << (fz->order + FPR_SEGMENT_SHIFT);
}

#endif /* _MM_PAGE_REPORTING_TRACKER_H */
