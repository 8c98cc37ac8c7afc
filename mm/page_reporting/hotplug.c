// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: memory hotplug.
 *
 * Memory that goes online is tracked, memory that is offline is forgotten, and
 * unbacked memory is restored before it goes offline.  The memory notifier
 * calls this with mem_hotplug_lock held for writing.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/bitops.h>
#include <linux/init.h>
#include <linux/list.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "backend.h"
#include "restore.h"
#include "table.h"
#include "tracker.h"
#include "words.h"

static bool fpr_covers(const struct fpr_zone *fz, unsigned long start_pfn,
		       unsigned long end_pfn)
{
	return fz && fpr_segment_index(fz, start_pfn) < fz->nr_segments &&
	       fpr_segment_index(fz, end_pfn - 1) < fz->nr_segments;
}

/* Add segments with nothing pending where there are none. */
static int fpr_add_segments(struct fpr_zone *fz, unsigned long start_pfn,
			    unsigned long end_pfn)
{
	struct zone *zone = fz->zone;
	unsigned long i;

	for (i = fpr_segment_index(fz, start_pfn);
	     i <= fpr_segment_index(fz, end_pfn - 1); i++) {
		struct fpr_segment *segment;

		if (rcu_access_pointer(fz->segments[i]))
			continue;
		segment = fpr_segment_alloc(0, zone_to_nid(zone), jiffies);
		if (!segment)
			return -ENOMEM;
		spin_lock_irq(&zone->lock);
		fpr_segment_install(fz, i, segment);
		spin_unlock_irq(&zone->lock);
	}
	return 0;
}

/*
 * Memory is about to come online.  Its segments start with nothing pending:
 * the hook sees its pages when they enter the allocator.
 */
static void fpr_going_online(unsigned long start_pfn, unsigned long end_pfn)
{
	struct zone *zone = page_zone(pfn_to_page(start_pfn));
	struct fpr_backend *backend = fpr_backend_of(zone_to_nid(zone));
	struct fpr_zone *fz;

	if (!backend)
		return;
	fz = fpr_zone_of(zone);
	if (!fpr_covers(fz, start_pfn, end_pfn) ||
	    !fpr_is_current(backend, fz) ||
	    (fz->pieces && !fpr_covers(fz->pieces, start_pfn, end_pfn)))
		fz = fpr_grow(backend, zone);
	if (!fz || fpr_add_segments(fz, start_pfn, end_pfn) ||
	    (fz->pieces && fpr_add_segments(fz->pieces, start_pfn, end_pfn)))
		pr_warn("no memory to track page frames %#lx to %#lx, they will not be reported\n",
			start_pfn, end_pfn - 1);
}

/* Forget a segment, or the part of it that is offline if some is left. */
static void fpr_forget_segment(struct fpr_zone *fz, unsigned long index)
{
	unsigned long present = fpr_present_blocks(fz, index);
	unsigned long pfn = fpr_segment_pfn(fz, index);
	struct fpr_segment *segment = NULL;
	struct fpr_range block = { .nr_pages = fpr_block_pages(fz) };
	unsigned int bit;

	spin_lock_irq(&fz->zone->lock);
	if (!present)
		segment = fpr_segment_remove(fz, index);
	else
		for_each_clear_bit(bit, &present, FPR_SEGMENT_BLOCKS) {
			block.pfn = pfn + ((unsigned long)bit << fz->order);
			fpr_drop(fz, &block);
		}
	spin_unlock_irq(&fz->zone->lock);
	if (segment)
		kfree_rcu(segment, rcu);
}

static void fpr_forget(struct fpr_zone *fz, unsigned long start_pfn,
		       unsigned long end_pfn)
{
	unsigned long i;

	for (i = fpr_segment_index(fz, start_pfn);
	     i <= fpr_segment_index(fz, end_pfn - 1); i++)
		fpr_forget_segment(fz, i);
}

/* Memory has gone offline, or did not come online after all. */
static void fpr_offline(unsigned long start_pfn, unsigned long end_pfn)
{
	struct zone *zone = page_zone(pfn_to_page(start_pfn));
	struct fpr_zone *fz = fpr_zone_of(zone);

	if (!fpr_covers(fz, start_pfn, end_pfn))
		return;
	fpr_forget(fz, start_pfn, end_pfn);
	if (fz->pieces)
		fpr_forget(fz->pieces, start_pfn, end_pfn);
}

static int fpr_memory_notify(struct notifier_block *nb, unsigned long action,
			     void *data)
{
	const struct memory_notify *memory = data;
	unsigned long end_pfn = memory->start_pfn + memory->nr_pages;

	if (action == MEM_GOING_OFFLINE)
		return notifier_from_errno(fpr_restore_offlining(memory->start_pfn,
								 end_pfn));

	guard(mutex)(&fpr_mutex);
	switch (action) {
	case MEM_GOING_ONLINE:
		fpr_going_online(memory->start_pfn, end_pfn);
		break;
	case MEM_CANCEL_ONLINE:
	case MEM_OFFLINE:
		fpr_offline(memory->start_pfn, end_pfn);
		break;
	}
	return NOTIFY_OK;
}

static int __init fpr_hotplug_init(void)
{
	return hotplug_memory_notifier(fpr_memory_notify,
				       DEFAULT_CALLBACK_PRI);
}
subsys_initcall(fpr_hotplug_init);
