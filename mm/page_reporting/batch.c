// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the entries of a batch.
 *
 * Makes ranges of pages the entries that a backend accepts.  A batch belongs to
 * the worker of its backend, which alone calls this; no lock is needed.
 */
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#include "internal.h"

int fpr_batch_init(struct fpr_batch *batch, unsigned int capacity, bool merge)
{
	batch->sgl = kvcalloc(capacity, sizeof(*batch->sgl), GFP_KERNEL);
	batch->entries = kvcalloc(capacity, sizeof(*batch->entries),
				  GFP_KERNEL);
	batch->isolated = kvcalloc(capacity, sizeof(*batch->isolated),
				   GFP_KERNEL);
	batch->capacity = capacity;
	batch->merge = merge;
	if (!batch->sgl || !batch->entries || !batch->isolated)
		return -ENOMEM;
	return 0;
}

void fpr_batch_destroy(struct fpr_batch *batch)
{
	kvfree(batch->isolated);
	kvfree(batch->entries);
	kvfree(batch->sgl);
}

void fpr_batch_reset(struct fpr_batch *batch, unsigned long spare,
			    unsigned long room)
{
	batch->nr_entries = 0;
	batch->nr_isolated = 0;
	batch->pages = 0;
	batch->isolated_pages = 0;
	batch->spare = spare;
	batch->room = room;
}

bool fpr_batch_full(const struct fpr_batch *batch, unsigned long more)
{
	return batch->nr_entries == batch->capacity ||
	       batch->nr_isolated == batch->capacity ||
	       batch->isolated_pages + more > batch->room ||
	       !fpr_may_isolate(batch->spare, batch->isolated_pages, more);
}

/* Lengthen the last entry by the start of @range.  Returns pages taken. */
static unsigned long fpr_batch_extend(struct fpr_batch *batch,
				      const struct fpr_range *range)
{
	struct fpr_range *last;

	if (!batch->nr_entries)
		return 0;
	last = &batch->entries[batch->nr_entries - 1];
	/* The length of a scatterlist entry is an unsigned int. */
	if (last->pfn + last->nr_pages != range->pfn ||
	    last->nr_pages + range->nr_pages > UINT_MAX >> PAGE_SHIFT)
		return 0;
	last->nr_pages += range->nr_pages;
	return range->nr_pages;
}

/*
 * Make @range, which is not empty, entries of the batch.  Shortens @range to
 * what there was room for; returns whether that was all of it.
 */
bool fpr_batch_add(struct fpr_batch *batch, struct fpr_range *range)
{
	struct fpr_range rest = *range;

	while (rest.nr_pages) {
		unsigned long pages = 0;

		if (batch->merge)
			pages = fpr_batch_extend(batch, &rest);
		if (!pages) {
			if (batch->nr_entries == batch->capacity)
				break;
			pages = batch->merge ? rest.nr_pages :
					       fpr_aligned_pages(&rest);
			batch->entries[batch->nr_entries].pfn = rest.pfn;
			batch->entries[batch->nr_entries++].nr_pages = pages;
		}
		batch->pages += pages;
		rest.pfn += pages;
		rest.nr_pages -= pages;
	}
	range->nr_pages -= rest.nr_pages;
	return !rest.nr_pages;
}

/* Show the entries to the backend as a scatterlist. */
void fpr_batch_seal(struct fpr_batch *batch)
{
	unsigned int i;

	sg_init_table(batch->sgl, batch->nr_entries);
	for (i = 0; i < batch->nr_entries; i++)
		sg_set_page(&batch->sgl[i], pfn_to_page(batch->entries[i].pfn),
			    batch->entries[i].nr_pages << PAGE_SHIFT, 0);
}
