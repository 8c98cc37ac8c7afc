// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: which blocks are pending, and since when.
 *
 * A zone is an array of segments of FPR_SEGMENT_BLOCKS blocks each; where
 * there is no memory there is no segment.  A bit per segment in the summary
 * leads a scan to the segments with pending blocks, so that its cost is that
 * of the bits that are set.
 *
 * Everything here is arithmetic on bits and stamps.  Callers hold zone->lock,
 * but for fpr_collect() and retain.c, which read under RCU what may change
 * under them; what is collected is checked again under the lock.  The hook in
 * the allocator calls fpr_mark_freed(), the worker in cycle.c most of the rest;
 * table.c and hotplug.c build and tear down.
 */
#include <linux/bitmap.h>
#include <linux/init.h>
#include <linux/lockdep.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "policy.h"
#include "tracker.h"
#include "words.h"

/* Tracking is worth no process: rather fail than kill one. */
#define FPR_GFP		(GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN)

/*
 * Allocate the tracker of a zone without any segment.  Every page frame from
 * @start_pfn up to @end_pfn has a place in it.
 */
struct fpr_zone *fpr_zone_alloc(struct zone *zone, unsigned long start_pfn,
				unsigned long end_pfn, unsigned int order)
{
	unsigned int shift = order + FPR_SEGMENT_SHIFT;
	unsigned long base = start_pfn >> shift;
	unsigned long nr = ((end_pfn - 1) >> shift) - base + 1;
	struct fpr_zone *fz;

	fz = kvzalloc(struct_size(fz, segments, nr), FPR_GFP);
	if (!fz)
		return NULL;
	fz->summary = kvcalloc(BITS_TO_LONGS(nr), sizeof(long), FPR_GFP);
	if (!fz->summary) {
		kvfree(fz);
		return NULL;
	}
	fz->nr_segments = nr;
	fz->zone = zone;
	fz->order = order;
	fz->end_order = NR_PAGE_ORDERS;
	fz->base = base;
	return fz;
}

/* Free a tracker that nobody can see any more, with all that it has. */
void fpr_zone_free(struct fpr_zone *fz)
{
	unsigned long i;

	if (fz->pieces)
		fpr_zone_free(fz->pieces);
	for (i = 0; i < fz->nr_segments; i++)
		kfree(rcu_access_pointer(fz->segments[i]));
	kvfree(fz->summary);
	kvfree(fz);
}

/* Slab caches for general use come in powers of two: nearly half wasted. */
static struct kmem_cache *fpr_segment_cache;

static int __init fpr_tracker_init(void)
{
	fpr_segment_cache = KMEM_CACHE(fpr_segment, 0);
	return fpr_segment_cache ? 0 : -ENOMEM;
}
subsys_initcall(fpr_tracker_init);

/* Allocate a segment on node @nid with the blocks of @pending, as of @now. */
struct fpr_segment *fpr_segment_alloc(unsigned long pending, int nid, u32 now)
{
	struct fpr_segment *segment;
	unsigned int bit;

	segment = kmem_cache_alloc_node(fpr_segment_cache,
					FPR_GFP | __GFP_ZERO, nid);
	if (!segment)
		return NULL;
	segment->pending = pending;
	segment->fresh = pending;
	for (bit = 0; bit < FPR_SEGMENT_BLOCKS; bit++)
		segment->stamp[bit] = now;
	return segment;
}

static struct fpr_segment *fpr_segment(struct fpr_zone *fz,
				       unsigned long index)
{
	lockdep_assert_held(&fz->zone->lock);
	if (index >= fz->nr_segments)
		return NULL;
	return rcu_dereference_protected(fz->segments[index],
					 lockdep_is_held(&fz->zone->lock));
}

/* Make @segment part of a tracker. */
void fpr_segment_install(struct fpr_zone *fz, unsigned long index,
			 struct fpr_segment *segment)
{
	fz->nr_pending += hweight_long(segment->pending);
	if (segment->pending)
		__set_bit(index, fz->summary);
	rcu_assign_pointer(fz->segments[index], segment);
}

/* Take a segment out, if there is one.  Free it after a grace period. */
struct fpr_segment *fpr_segment_remove(struct fpr_zone *fz,
				       unsigned long index)
{
	struct fpr_segment *segment = fpr_segment(fz, index);

	if (!segment)
		return NULL;
	RCU_INIT_POINTER(fz->segments[index], NULL);
	__clear_bit(index, fz->summary);
	fz->nr_pending -= hweight_long(segment->pending);
	return segment;
}

/* Take over the segments of @old, which has the same order. */
void fpr_inherit(struct fpr_zone *fz, struct fpr_zone *old)
{
	unsigned long i;

	fz->since = old->since;
	fz->watch = old->watch;
	for (i = 0; i < old->nr_segments; i++) {
		struct fpr_segment *segment = fpr_segment_remove(old, i);

		if (segment)
			fpr_segment_install(fz, i + old->base - fz->base,
					    segment);
	}
}

/* How many blocks are there from @pfn to @end in the segment of @pfn? */
static unsigned int fpr_run(const struct fpr_zone *fz, unsigned long pfn,
			    unsigned long end)
{
	return min(DIV_ROUND_UP(end - pfn, fpr_block_pages(fz)),
		   FPR_SEGMENT_BLOCKS - (unsigned long)fpr_block_bit(fz, pfn));
}

/* The bits of @run blocks from @pfn on. */
static unsigned long fpr_run_bits(const struct fpr_zone *fz, unsigned long pfn,
				  unsigned int run)
{
	unsigned int first = fpr_block_bit(fz, pfn);

	return GENMASK(first + run - 1, first);
}

/*
 * Take the next part off @rest, but for those where there is no memory.
 * Returns whether there was one.
 */
bool fpr_next_part(struct fpr_zone *fz, struct fpr_range *rest,
		   struct fpr_part *part)
{
	while (rest->nr_pages) {
		unsigned int run = fpr_run(fz, rest->pfn,
					   rest->pfn + rest->nr_pages);
		unsigned long pages = min((unsigned long)run << fz->order,
					  rest->nr_pages);

		part->index = fpr_segment_index(fz, rest->pfn);
		part->segment = fpr_segment(fz, part->index);
		part->bits = fpr_run_bits(fz, rest->pfn, run);
		rest->pfn += pages;
		rest->nr_pages -= pages;
		if (part->segment)
			return true;
	}
	return false;
}

static void fpr_set_pending(struct fpr_zone *fz, unsigned long index,
			    struct fpr_segment *segment, unsigned long bits,
			    u32 now)
{
	unsigned long fresh = bits & ~segment->pending;
	unsigned int bit;

	/* Before the bits: the collect stage must not see an old stamp. */
	for_each_set_bit(bit, &bits, FPR_SEGMENT_BLOCKS)
		WRITE_ONCE(segment->stamp[bit], now);
	smp_wmb(); /* pairs with smp_rmb() where the stamps are read */
	segment->reported &= ~bits;
	segment->fresh &= ~bits;
	if (!fresh)
		return;
	if (!fz->nr_pending)
		fz->since = now;
	WRITE_ONCE(fz->nr_pending, fz->nr_pending + hweight_long(fresh));
	if (!segment->pending)
		__set_bit(index, fz->summary);
	WRITE_ONCE(segment->pending, segment->pending | bits);
}

/* Returns whether any of them was pending. */
static bool fpr_unset_pending(struct fpr_zone *fz, unsigned long index,
			      struct fpr_segment *segment, unsigned long bits)
{
	bits &= segment->pending;
	if (!bits)
		return false;
	WRITE_ONCE(fz->nr_pending, fz->nr_pending - hweight_long(bits));
	WRITE_ONCE(segment->pending, segment->pending & ~bits);
	if (!segment->pending)
		__clear_bit(index, fz->summary);
	return true;
}

/*
 * Note that the 2^@freed_order pages at @pfn were freed, and that this left
 * every block they are part of entirely free.  Returns the number of these
 * blocks that had been reported when they were last free: memory that the host
 * had to back again.  Blocks that were still pending must have been in use
 * meanwhile, so it was right to wait.
 */
unsigned long fpr_mark_freed(struct fpr_zone *fz, unsigned long pfn,
			     unsigned int freed_order, u32 now)
{
	unsigned long end = pfn + (1UL << freed_order);
	unsigned long backed = 0;
	unsigned int run;

	for (pfn = round_down(pfn, fpr_block_pages(fz)); pfn < end;
	     pfn += (unsigned long)run << fz->order) {
		unsigned long index = fpr_segment_index(fz, pfn);
		struct fpr_segment *segment = fpr_segment(fz, index);
		unsigned long bits;

		run = fpr_run(fz, pfn, end);
		if (!segment)
			continue;
		bits = fpr_run_bits(fz, pfn, run);
		backed += hweight_long(segment->reported & bits);
		fpr_set_pending(fz, index, segment, bits, now);
	}
	return backed;
}

/* Every block of @range has free memory that was not reported, as of @now. */
void fpr_mark_pending(struct fpr_zone *fz, const struct fpr_range *range,
		      u32 now)
{
	struct fpr_range rest = *range;
	struct fpr_part part;

	while (fpr_next_part(fz, &rest, &part))
		fpr_set_pending(fz, part.index, part.segment, part.bits, now);
}

/* Another tracker takes care of @range: nothing is known of it here. */
void fpr_drop(struct fpr_zone *fz, const struct fpr_range *range)
{
	struct fpr_range rest = *range;
	struct fpr_part part;

	while (fpr_next_part(fz, &rest, &part)) {
		fpr_unset_pending(fz, part.index, part.segment, part.bits);
		part.segment->reported &= ~part.bits;
		part.segment->fresh &= ~part.bits;
	}
}

/*
 * Every block of @range was reported @now.  Returns how many of them had been
 * used since they are tracked: a fresh one says nothing about what is wanted.
 */
unsigned long fpr_mark_reported(struct fpr_zone *fz,
				const struct fpr_range *range, u32 now)
{
	struct fpr_range rest = *range;
	unsigned long used = 0;
	struct fpr_part part;
	unsigned int bit;

	while (fpr_next_part(fz, &rest, &part)) {
		struct fpr_segment *segment = part.segment;
		unsigned long bits = part.bits & ~segment->pending;

		for_each_set_bit(bit, &bits, FPR_SEGMENT_BLOCKS)
			WRITE_ONCE(segment->stamp[bit], now);
		segment->reported |= bits;
		used += hweight_long(bits & ~segment->fresh);
		segment->fresh &= ~bits;
	}
	return used;
}

/* Does the hypervisor have a block of @range, unless it was used since? */
bool fpr_any_reported(struct fpr_zone *fz, const struct fpr_range *range)
{
	struct fpr_range rest = *range;
	struct fpr_part part;

	while (fpr_next_part(fz, &rest, &part))
		if (part.segment->reported & part.bits)
			return true;
	return false;
}

/* The block at @pfn has nothing to report.  Returns whether it was pending. */
bool fpr_clear_pending(struct fpr_zone *fz, unsigned long pfn)
{
	unsigned long index = fpr_segment_index(fz, pfn);
	struct fpr_segment *segment = fpr_segment(fz, index);

	return segment && fpr_unset_pending(fz, index, segment,
					    BIT(fpr_block_bit(fz, pfn)));
}

/* Let the block at @pfn wait anew.  Returns whether it is pending. */
bool fpr_restamp(struct fpr_zone *fz, unsigned long pfn, u32 now)
{
	struct fpr_segment *segment;
	unsigned int bit = fpr_block_bit(fz, pfn);

	segment = fpr_segment(fz, fpr_segment_index(fz, pfn));
	if (!segment || !(segment->pending & BIT(bit)))
		return false;
	WRITE_ONCE(segment->stamp[bit], now);
	return true;
}

/* Is the block at @pfn pending and old enough? */
bool fpr_block_due(struct fpr_zone *fz, unsigned long pfn,
		   const struct fpr_scan *scan)
{
	struct fpr_segment *segment;
	unsigned int bit = fpr_block_bit(fz, pfn);

	segment = fpr_segment(fz, fpr_segment_index(fz, pfn));
	return segment && segment->pending & BIT(bit) &&
	       fpr_due(scan, segment->stamp[bit]);
}

/* The blocks of @range are about to be reported: none is pending any more. */
void fpr_move_run(struct fpr_zone *fz, const struct fpr_range *range)
{
	struct fpr_range rest = *range;
	struct fpr_part part;

	while (fpr_next_part(fz, &rest, &part))
		fpr_unset_pending(fz, part.index, part.segment, part.bits);
}

/*
 * Find the first run of due blocks from @pfn up to @end.  Returns whether
 * there is one, in @range.
 */
bool fpr_next_due(struct fpr_zone *fz, unsigned long pfn, unsigned long end,
		  const struct fpr_scan *scan, struct fpr_range *range)
{
	while (pfn < end && !fpr_block_due(fz, pfn, scan))
		pfn += fpr_block_pages(fz);
	range->pfn = pfn;
	while (pfn < end && fpr_block_due(fz, pfn, scan))
		pfn += fpr_block_pages(fz);
	range->nr_pages = pfn - range->pfn;
	return range->nr_pages;
}

/* Gather the due blocks of one segment.  Returns false when @pfns is full. */
static bool fpr_collect_segment(struct fpr_zone *fz, struct fpr_scan *scan,
				unsigned long *pfns, unsigned int max,
				unsigned int *nr)
{
	struct fpr_segment *segment;
	unsigned long pending;
	unsigned int bit;

	segment = rcu_dereference(fz->segments[scan->segment]);
	if (!segment)
		return true;
	pending = READ_ONCE(segment->pending);
	smp_rmb(); /* pairs with smp_wmb() in fpr_set_pending() */
	bit = scan->bit;
	for_each_set_bit_from(bit, &pending, FPR_SEGMENT_BLOCKS) {
		u32 stamp = READ_ONCE(segment->stamp[bit]);

		if (!fpr_due(scan, stamp)) {
			scan->next = min(scan->next,
					 fpr_until_due(scan, stamp));
			continue;
		}
		if (*nr == max) {
			scan->bit = bit;
			return false;
		}
		if (fpr_retained(scan, stamp)) {
			scan->next = min(scan->next,
					 fpr_until_due(scan, stamp));
			continue;
		}
		pfns[(*nr)++] = fpr_segment_pfn(fz, scan->segment) +
				((unsigned long)bit << fz->order);
	}
	return true;
}

/*
 * Gather up to @max due blocks in @pfns, from where @scan stands, so that each
 * is looked at once: one that has to be left alone may stay due.  Returns
 * how many were found; less than @max says that the end of the zone was
 * reached.
 *
 * Context: RCU read side.
 */
unsigned int fpr_collect(struct fpr_zone *fz, struct fpr_scan *scan,
			 unsigned long *pfns, unsigned int max)
{
	unsigned int nr = 0;

	/* Of another order, a tracker is a new one: everything is pending. */
	if (scan->order != fz->order) {
		scan->order = fz->order;
		scan->segment = 0;
		scan->bit = 0;
	}
	for (;;) {
		unsigned long next = find_next_bit(fz->summary, fz->nr_segments,
						   scan->segment);

		if (next != scan->segment)
			scan->bit = 0;
		scan->segment = next;
		if (scan->segment >= fz->nr_segments)
			return nr;
		if (!fpr_collect_segment(fz, scan, pfns, max, &nr))
			return nr;
		scan->segment++;
		scan->bit = 0;
	}
}

/* Go back to the first of @nr collected blocks that were not dealt with. */
void fpr_rewind(struct fpr_zone *fz, struct fpr_scan *scan,
		const unsigned long *pfns, unsigned int nr)
{
	unsigned int i;

	scan->segment = fpr_segment_index(fz, pfns[0]);
	scan->bit = fpr_block_bit(fz, pfns[0]);
	for (i = 0; i < nr; i++) {
		struct fpr_segment *segment;

		segment = fpr_segment(fz, fpr_segment_index(fz, pfns[i]));
		if (segment && fpr_block_due(fz, pfns[i], scan))
			fpr_refund(scan,
				   segment->stamp[fpr_block_bit(fz, pfns[i])]);
	}
}

/*
 * The blocks of a segment that were reported are to be reported once more: they
 * are pending as of @now.  Nobody has used them for that, so they are fresh.
 * They stay reported as well, for one that is in use, which the host has had to
 * back, will be freed.
 */
void fpr_forget_reported(struct fpr_zone *fz, unsigned long index, u32 now)
{
	struct fpr_segment *segment = fpr_segment(fz, index);
	unsigned long reported, anew;

	if (!segment)
		return;
	reported = segment->reported;
	anew = reported & ~segment->pending;
	fpr_set_pending(fz, index, segment, anew, now);
	segment->reported = reported;
	segment->fresh |= anew;
}
