// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the entries of a batch.
 *
 * Makes ranges of pages the entries that a backend accepts.  A batch belongs to
 * the worker of its backend; what others may look at says so.
 */
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pageblock-flags.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "batch.h"
#include "policy.h"
#include "words.h"

/*
 * No entry crosses such a border, so that none reaches from one region of the
 * host into the next: hypervisors then refuse it, cut it, or discard what is
 * behind.  Regions are plugged in units of a section.
 */
#ifdef CONFIG_SPARSEMEM
#define FPR_BORDER_PAGES	PAGES_PER_SECTION
#else
#define FPR_BORDER_PAGES \
	max(SZ_128M >> PAGE_SHIFT, (unsigned long)MAX_ORDER_NR_PAGES)
#endif

/*
 * Memory that a batch takes off the free lists, but for its first entry.  A
 * host discards as much in a few milliseconds, and nobody misses it for so
 * long.
 */
#define FPR_BATCH_PAGES		(SZ_256M >> PAGE_SHIFT)

int fpr_batch_init(struct fpr_batch *batch, unsigned int capacity, bool merge)
{
	batch->sgl = kvcalloc(capacity, sizeof(*batch->sgl), GFP_KERNEL);
	batch->entries = kvcalloc(capacity, sizeof(*batch->entries),
				  GFP_KERNEL);
	batch->isolated = kvcalloc(capacity, sizeof(*batch->isolated),
				   GFP_KERNEL);
	batch->capacity = capacity;
	batch->limit = capacity;
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

void fpr_batch_reset(struct fpr_batch *batch, unsigned long room)
{
	batch->nr_entries = 0;
	batch->nr_isolated = 0;
	batch->pages = 0;
	batch->isolated_pages = 0;
	batch->room = room;
}

bool fpr_batch_full(const struct fpr_batch *batch, unsigned long more)
{
	return batch->nr_entries == batch->limit ||
	       batch->nr_isolated == batch->limit ||
	       batch->isolated_pages + more > batch->room ||
	       (batch->isolated_pages &&
		batch->isolated_pages + more > FPR_BATCH_PAGES) ||
	       !fpr_may_isolate(batch->spare, batch->isolated_pages, more);
}

/* The whole pageblocks at the start of @range, up to the next border. */
static unsigned long fpr_pageblock_pages(const struct fpr_range *range)
{
	unsigned long border = ALIGN(range->pfn + 1, FPR_BORDER_PAGES);

	if (!pageblock_aligned(range->pfn))
		return 0;
	return round_down(min(range->nr_pages, border - range->pfn),
			  pageblock_nr_pages);
}

/*
 * Lengthen the last entry by the start of @range.  Returns pages taken.
 *
 * Only whole pageblocks become one entry: with anything smaller at either end,
 * a host whose pages are as large would discard nothing of it.
 */
static unsigned long fpr_batch_extend(struct fpr_batch *batch,
				      const struct fpr_range *range)
{
	unsigned long pages = fpr_pageblock_pages(range);
	struct fpr_range *last;

	if (!batch->nr_entries || range->pfn % FPR_BORDER_PAGES == 0)
		return 0;
	last = &batch->entries[batch->nr_entries - 1];
	if (last->pfn + last->nr_pages != range->pfn ||
	    !pageblock_aligned(last->pfn))
		return 0;
	last->nr_pages += pages;
	return pages;
}

/* What an entry can take of @range, which is not empty. */
static unsigned long fpr_entry_pages(const struct fpr_batch *batch,
				     const struct fpr_range *range)
{
	unsigned long pages = batch->merge ? fpr_pageblock_pages(range) : 0;

	return pages ?: fpr_aligned_pages(range);
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
			if (batch->nr_entries == batch->limit)
				break;
			pages = fpr_entry_pages(batch, &rest);
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

/* Was an entry reported, by a call that ended with @err? */
bool fpr_entry_reported(const struct fpr_batch *batch, unsigned int i, int err)
{
	return !err && batch->sgl[i].length;
}

/*
 * Is memory of a range in the batch?  Called with zone->lock held while the
 * zone has memory isolated.
 */
bool fpr_batch_overlaps(const struct fpr_batch *batch, unsigned long start_pfn,
			unsigned long end_pfn)
{
	unsigned int i;

	for (i = 0; i < batch->nr_isolated; i++)
		if (batch->isolated[i].pfn < end_pfn &&
		    batch->isolated[i].pfn + batch->isolated[i].nr_pages >
		    start_pfn)
			return true;
	return false;
}
