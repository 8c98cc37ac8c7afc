/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the entries of a batch.
 */
#ifndef _MM_PAGE_REPORTING_BATCH_H
#define _MM_PAGE_REPORTING_BATCH_H

#include <linux/types.h>

#include "words.h"

struct scatterlist;

/**
 * struct fpr_batch - what is off the free lists at the moment
 * @sgl:	the entries as the backend sees them
 * @entries:	the same entries; a backend may change @sgl
 * @nr_entries:	number of entries
 * @isolated:	what was taken off the free lists, a range per free list entry
 * @nr_isolated: number of those
 * @capacity:	length of the arrays
 * @limit:	entries that the next batch may have; fewer after -EAGAIN
 * @merge:	make adjacent blocks one entry
 * @pieces:	its blocks are those of the piece order
 * @order:	order of a block when the batch was isolated
 * @pages:	pages in @entries
 * @isolated_pages: pages in @isolated
 * @spare:	pages above the high watermark, those in @isolated included
 * @room:	pages that may be isolated, because so many may become unbacked
 * @retry_stamp: when entries that fail count as freed; may be ahead
 * @failed:	some entries were not reported
 *
 * Owned by the worker.  @isolated and @nr_isolated are written under
 * zone->lock, for those who want the memory.
 */
struct fpr_batch {
	struct scatterlist *sgl;
	struct fpr_range *entries;
	unsigned int nr_entries;
	struct fpr_range *isolated;
	unsigned int nr_isolated;
	unsigned int capacity;
	unsigned int limit;
	bool merge;
	bool pieces;
	unsigned int order;
	unsigned long pages;
	unsigned long isolated_pages;
	unsigned long spare;
	unsigned long room;
	u32 retry_stamp;
	bool failed;
};

int fpr_batch_init(struct fpr_batch *batch, unsigned int capacity, bool merge);
void fpr_batch_destroy(struct fpr_batch *batch);
void fpr_batch_reset(struct fpr_batch *batch, unsigned long room);
bool fpr_batch_full(const struct fpr_batch *batch, unsigned long more);
bool fpr_batch_add(struct fpr_batch *batch, struct fpr_range *range);
void fpr_batch_seal(struct fpr_batch *batch);
bool fpr_entry_reported(const struct fpr_batch *batch, unsigned int i,
			int err);
bool fpr_batch_overlaps(const struct fpr_batch *batch, unsigned long start_pfn,
			unsigned long end_pfn);

#endif /* _MM_PAGE_REPORTING_BATCH_H */
