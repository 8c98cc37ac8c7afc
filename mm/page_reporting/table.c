// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the table of trackers.
 *
 * Every zone of a backend's nodes has a tracker, found through fpr_table.  Here
 * they are built, exchanged when the order changes, made longer when memory
 * comes, and removed.  core.c calls that when backends come and go, hotplug.c
 * when memory does, both with fpr_mutex and mem_hotplug_lock held.
 */
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "hook.h"
#include "internal.h"

/* The tracker of every zone of every node, allocated with the first backend. */
struct fpr_zone __rcu **fpr_table __read_mostly;

int fpr_alloc_table(void)
{
	void *table;

	if (fpr_table)
		return 0;
	table = kvcalloc(nr_node_ids * MAX_NR_ZONES, sizeof(*fpr_table),
			 GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	/* Pairs with the READ_ONCE() of lockless readers. */
	smp_store_release(&fpr_table, table);
	return 0;
}

/* The backend that reports a node, or NULL. */
struct fpr_backend *fpr_backend_of(int nid)
{
	struct fpr_backend *backend;

	lockdep_assert_held(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node)
		if (node_isset(nid, backend->nodes))
			return backend;
	return NULL;
}

/* The tracker of @zone or NULL, for as long as fpr_mutex is held. */
struct fpr_zone *fpr_zone_of(struct zone *zone)
{
	if (!fpr_table)
		return NULL;
	return rcu_dereference_protected(*fpr_slot(zone),
					 lockdep_is_held(&fpr_mutex));
}

static struct fpr_zone *fpr_publish(struct zone *zone, struct fpr_zone *fz)
{
	struct fpr_zone *old;

	lockdep_assert_held(&fpr_mutex);
	spin_lock_irq(&zone->lock);
	old = fpr_zone_get_locked(zone);
	/* A batch that is on its way comes back to the new one. */
	if (old && fz)
		fz->isolated = old->isolated;
	rcu_assign_pointer(*fpr_slot(zone), fz);
	spin_unlock_irq(&zone->lock);
	return old;
}

/*
 * Which blocks of a segment are memory of the zone?  Memory comes and goes in
 * units of a pageblock or more.
 */
unsigned long fpr_present_blocks(const struct fpr_zone *fz, unsigned long index)
{
	unsigned long pfn = fpr_segment_pfn(fz, index);
	unsigned long present = 0;
	bool here = false;
	unsigned int bit;

	for (bit = 0; bit < FPR_SEGMENT_BLOCKS; bit++) {
		if (!bit || pageblock_aligned(pfn)) {
			struct page *page = pfn_to_online_page(pfn);

			here = page && page_zone(page) == fz->zone;
		}
		if (here)
			present |= BIT(bit);
		pfn += fpr_block_pages(fz);
	}
	return present;
}

static int fpr_fill(struct fpr_zone *fz)
{
	int nid = zone_to_nid(fz->zone);
	u32 now = jiffies;
	unsigned long i;

	for (i = 0; i < fz->nr_segments; i++) {
		unsigned long present = fpr_present_blocks(fz, i);
		struct fpr_segment *segment;

		if (!present)
			continue;
		segment = fpr_segment_alloc(present, nid, now);
		if (!segment)
			return -ENOMEM;
		fpr_segment_install(fz, i, segment);
		cond_resched();
	}
	fz->since = now;
	return 0;
}

/* The finer order: a block has as many parts as a segment has blocks. */
static unsigned int fpr_fine_order(unsigned int order)
{
	return order > FPR_SEGMENT_SHIFT ? order - FPR_SEGMENT_SHIFT : 0;
}

static bool fpr_has_fine(const struct fpr_backend *backend, unsigned int order,
			 bool fine)
{
	return fine && order && backend->prdev->pieces;
}

/*
 * Allocate the tracker of a zone up to page frame @end, with one of the finer
 * order if @fine.
 */
static struct fpr_zone *fpr_alloc(struct fpr_backend *backend,
				  struct zone *zone, unsigned long end,
				  unsigned int order, bool fine)
{
	unsigned long start = zone->zone_start_pfn;
	struct fpr_zone *fz = fpr_zone_alloc(zone, start, end, order);

	if (!fz)
		return NULL;
	fz->backend = backend;
	if (!fpr_has_fine(backend, order, fine))
		return fz;
	fz->fine = fpr_zone_alloc(zone, start, end, fpr_fine_order(order));
	if (!fz->fine) {
		fpr_zone_free(fz);
		return NULL;
	}
	fz->fine->backend = backend;
	fz->fine->below = order;
	return fz;
}

/* Build the tracker of a zone, with every block of it pending. */
static struct fpr_zone *fpr_build(struct fpr_backend *backend,
				  struct zone *zone, unsigned int order,
				  bool fine)
{
	struct fpr_zone *fz = fpr_alloc(backend, zone, zone_end_pfn(zone),
					order, fine);

	if (!fz)
		return NULL;
	if (fpr_fill(fz) || (fz->fine && fpr_fill(fz->fine))) {
		fpr_zone_free(fz);
		return NULL;
	}
	fpr_swing_init(&fz->swing, zone_page_state(zone, NR_FREE_PAGES),
		       jiffies);
	return fz;
}

static void fpr_discard(struct fpr_zone **trackers)
{
	unsigned int i;

	for (i = 0; i < nr_node_ids * MAX_NR_ZONES; i++)
		if (trackers[i])
			fpr_zone_free(trackers[i]);
	kvfree(trackers);
}

/*
 * Build trackers of @order for all zones that have none of that order, in an
 * array like fpr_table.  Switching the finer order counts as another order for
 * backends that accept it.
 */
static struct fpr_zone **fpr_build_all(unsigned int order, bool fine)
{
	struct fpr_zone **trackers;
	struct zone *zone;

	trackers = kvcalloc(nr_node_ids * MAX_NR_ZONES, sizeof(*trackers),
			    GFP_KERNEL);
	if (!trackers)
		return NULL;
	for_each_populated_zone(zone) {
		struct fpr_backend *backend = fpr_backend_of(zone_to_nid(zone));
		struct fpr_zone *fz;

		if (!backend || (backend->order == order &&
				 fpr_has_fine(backend, order, fine) ==
				 fpr_has_fine(backend, order, backend->fine)))
			continue;
		fz = fpr_build(backend, zone, order, fine);
		if (!fz) {
			fpr_discard(trackers);
			return NULL;
		}
		trackers[fpr_slot(zone) - fpr_table] = fz;
	}
	return trackers;
}

/* Publish @trackers and leave those that they replace in their place. */
static void fpr_exchange_all(struct fpr_zone **trackers)
{
	struct zone *zone;

	for_each_populated_zone(zone) {
		unsigned int slot = fpr_slot(zone) - fpr_table;

		if (trackers[slot])
			trackers[slot] = fpr_publish(zone, trackers[slot]);
	}
}

/* The smallest order of a tracker when the order is @order. */
static unsigned int fpr_finest_order(unsigned int order, bool fine)
{
	struct fpr_backend *backend;

	list_for_each_entry(backend, &fpr_backends, node)
		if (fpr_has_fine(backend, order, fine))
			return fpr_fine_order(order);
	return order;
}

/* Give all backends trackers of @order, or change nothing. */
int fpr_rebuild(unsigned int order, bool fine)
{
	unsigned int finest = fpr_finest_order(order, fine);
	struct fpr_zone **trackers;
	struct fpr_backend *backend;

	lockdep_assert_held(&fpr_mutex);
	trackers = fpr_build_all(order, fine);
	if (!trackers)
		return -ENOMEM;
	/* The hook must not miss a block of either order meanwhile. */
	WRITE_ONCE(fpr_hook_order, min(fpr_hook_order, finest));
	fpr_exchange_all(trackers);
	list_for_each_entry(backend, &fpr_backends, node) {
		WRITE_ONCE(backend->order, order);
		backend->fine = fine;
	}
	WRITE_ONCE(page_reporting_order, order);
	WRITE_ONCE(fpr_hook_order, finest);
	synchronize_rcu();
	fpr_discard(trackers);
	return 0;
}

/* Also those of nodes that have gone offline: they may come back. */
void fpr_remove_trackers(struct fpr_backend *backend)
{
	unsigned int i;

	for (i = 0; i < nr_node_ids * MAX_NR_ZONES; i++) {
		struct fpr_zone *fz;

		fz = rcu_dereference_protected(fpr_table[i],
					       lockdep_is_held(&fpr_mutex));
		if (!fz || fz->backend != backend)
			continue;
		fpr_publish(fz->zone, NULL);
		synchronize_rcu();
		fpr_zone_free(fz);
	}
}

/*
 * Replace the tracker of @zone by a longer one that has the same segments.  It
 * has room for as much again, because memory comes in many small portions.
 */
struct fpr_zone *fpr_grow(struct fpr_backend *backend, struct zone *zone)
{
	unsigned long end = zone_end_pfn(zone) + zone->spanned_pages;
	struct fpr_zone *old, *fz;

	fz = fpr_alloc(backend, zone, end, backend->order, backend->fine);
	if (!fz)
		return NULL;
	fz->since = jiffies;

	spin_lock_irq(&zone->lock);
	old = fpr_zone_get_locked(zone);
	/* A zone that was empty when the order changed has one of another. */
	if (old && old->order == fz->order) {
		fpr_inherit(fz, old);
		if (fz->fine && old->fine)
			fpr_inherit(fz->fine, old->fine);
	}
	if (old) {
		fz->reserve = old->reserve;
		fz->swing = old->swing;
		fz->isolated = old->isolated;
	}
	rcu_assign_pointer(*fpr_slot(zone), fz);
	spin_unlock_irq(&zone->lock);
	if (old) {
		synchronize_rcu();
		fpr_zone_free(old);
	}
	return fz;
}

/* Is a tracker what it would be if it were built now? */
bool fpr_is_current(const struct fpr_backend *backend,
		    const struct fpr_zone *fz)
{
	return fz->backend == backend && fz->order == backend->order &&
	       !fz->fine == !fpr_has_fine(backend, fz->order, backend->fine);
}
