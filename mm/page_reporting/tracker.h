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

#include "density.h"
#include "policy.h"
#include "reuse.h"
#include "words.h"

struct fpr_backend;

#define FPR_SEGMENT_BLOCKS	BITS_PER_LONG
#define FPR_SEGMENT_SHIFT	(BITS_PER_LONG == 64 ? 6 : 5)

/**
 * struct fpr_segment - state of FPR_SEGMENT_BLOCKS consecutive blocks
 * @pending:	Z: blocks that became free and were not reported since
 * @reported:	Z: blocks that were reported and not freed into since
 * @fresh:	Z: pending blocks that nobody has used since they are tracked,
 *		or since they were reported
 * @stamp:	Z: when the block last changed to pending or reported
 * @rcu:	for freeing, the collect stage reads without a lock
 *
 * Z: written under zone->lock, @pending and @stamp also read under RCU.
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
 * @zone:	C: the zone
 * @backend:	C: to which its blocks are reported
 * @order:	C: order of a block
 * @end_order:	C: free list entries of this order and larger are left to the
 *		tracker of whole blocks, NR_PAGE_ORDERS if it is that one
 * @pieces:	C: the tracker of pieces beside that of whole blocks, or NULL
 * @base:	C: number of the first segment, counted from page frame 0
 * @nr_segments: C: length of @segments
 * @nr_pending:	Z: blocks that are pending
 * @since:	Z: when @nr_pending last left zero, or a pass last ended
 * @window:	Z: memory that was reported lately
 * @retained:	Z: pages that are retained because they will be wanted again
 * @reuse_peak:	Z: how much was freed and taken again lately, the most to retain
 * @noted:	Z: when @reuse_peak was last told how much is free
 * @isolated:	Z: pages that a batch has taken off the free lists
 * @age:	W: age at which the last pass reported, in jiffies
 * @watch:	W: how its fragments have looked lately
 * @summary:	Z: a bit per segment, set while any of its blocks is pending
 * @segments:	Z: NULL where there is no memory
 *
 * C: constant once the structure is published.
 * Z: written under zone->lock.  @nr_pending, @since, @retained, @isolated are
 * also read without a lock, @summary and @segments under RCU.
 * W: written by the worker, read without a lock.
 */
struct fpr_zone {
	struct zone *zone;
	struct fpr_backend *backend;
	unsigned int order;
	unsigned int end_order;
	struct fpr_zone *pieces;
	unsigned long base;
	unsigned long nr_segments;
	unsigned long nr_pending;
	u32 since;
	struct fpr_window window;
	unsigned long retained;
	struct fpr_reuse_peak reuse_peak;
	u32 noted;
	unsigned long isolated;
	u32 age;
	struct fpr_watch watch;
	unsigned long *summary;
	struct fpr_segment __rcu *segments[] __counted_by(nr_segments);
};

/**
 * struct fpr_part - the blocks of a range that lie in one segment
 * @index:	number of the segment
 * @segment:	the segment
 * @bits:	the blocks
 */
struct fpr_part {
	unsigned long index;
	struct fpr_segment *segment;
	unsigned long bits;
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
bool fpr_any_reported(struct fpr_zone *fz, const struct fpr_range *range);
bool fpr_clear_pending(struct fpr_zone *fz, unsigned long pfn);
bool fpr_restamp(struct fpr_zone *fz, unsigned long pfn, u32 now);
bool fpr_block_due(struct fpr_zone *fz, unsigned long pfn,
		   const struct fpr_scan *scan);
bool fpr_next_part(struct fpr_zone *fz, struct fpr_range *rest,
		   struct fpr_part *part);
void fpr_move_run(struct fpr_zone *fz, const struct fpr_range *range);
bool fpr_next_due(struct fpr_zone *fz, unsigned long pfn, unsigned long end,
		  const struct fpr_scan *scan, struct fpr_range *range);
unsigned int fpr_collect(struct fpr_zone *fz, struct fpr_scan *scan,
			 unsigned long *pfns, unsigned int max);
void fpr_rewind(struct fpr_zone *fz, struct fpr_scan *scan,
		const unsigned long *pfns, unsigned int nr);
void fpr_forget_reported(struct fpr_zone *fz, unsigned long index, u32 now);

static inline unsigned long fpr_block_pages(const struct fpr_zone *fz)
{
	return 1UL << fz->order;
}

/* The tracker of whole blocks, or that of pieces, NULL if there is none. */
static inline struct fpr_zone *fpr_tracker_of(struct fpr_zone *fz, bool pieces)
{
	if (!pieces || !fz)
		return fz;
	return IS_ENABLED(CONFIG_PAGE_REPORTING_PIECES) ? fz->pieces : NULL;
}

/* What is pending beyond what is retained: only that is worth a pass. */
static inline unsigned long fpr_excess_pages(const struct fpr_zone *fz)
{
	unsigned long pending = READ_ONCE(fz->nr_pending) << fz->order;
	unsigned long retained = READ_ONCE(fz->retained);

	return pending > retained ? pending - retained : 0;
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
