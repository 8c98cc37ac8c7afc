// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the table of trackers.
 *
 * Every zone of a backend's nodes has a tracker, found through fpr_table.  Here
 * they are built, exchanged when the order changes, made longer when memory
 * comes, and removed.  core.c and order.c call that when backends and the
 * order change, hotplug.c when memory does, all with fpr_mutex and mem_hotplug_lock held.
 */
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "backend.h"
#include "batch.h"
#include "hook.h"
#include "retain.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"

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

/* The tracker of @zone or NULL, for as long as fpr_mutex is held. */
struct fpr_zone *fpr_zone_of(struct zone *zone)
{
	if (!fpr_table)
		return NULL;
	return rcu_dereference_protected(*fpr_slot(zone),
					 lockdep_is_held(&fpr_mutex));
}

struct fpr_zone *fpr_publish(struct zone *zone, struct fpr_zone *fz)
{
	struct fpr_zone *old;

	lockdep_assert_held(&fpr_mutex);
	spin_lock_irq(&zone->lock);
	old = fpr_zone_get_locked(zone);
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

/* Order of a piece: a block has as many as a segment has blocks. */
unsigned int fpr_piece_order(unsigned int order)
{
	return order > FPR_SEGMENT_SHIFT ? order - FPR_SEGMENT_SHIFT : 0;
}

/* With pieces asked for and blocks of @order, are there any for @backend? */
bool fpr_has_pieces(const struct fpr_backend *backend, unsigned int order,
		    bool pieces)
{
	return IS_ENABLED(CONFIG_PAGE_REPORTING_PIECES) && pieces && order &&
	       backend->prdev->flags & PAGE_REPORTING_PIECES;
}

/*
 * Allocate the tracker of a zone up to page frame @end, with one of pieces if
 * they are asked for.
 */
static struct fpr_zone *fpr_alloc(struct fpr_backend *backend,
				  struct zone *zone, unsigned long end,
				  unsigned int order, bool pieces)
{
	unsigned long start = zone->zone_start_pfn;
	struct fpr_zone *fz = fpr_zone_alloc(zone, start, end, order);

	if (!fz)
		return NULL;
	fz->backend = backend;
	if (!fpr_has_pieces(backend, order, pieces))
		return fz;
	fz->pieces = fpr_zone_alloc(zone, start, end, fpr_piece_order(order));
	if (!fz->pieces) {
		fpr_zone_free(fz);
		return NULL;
	}
	fz->pieces->backend = backend;
	fz->pieces->end_order = order;
	return fz;
}

/* Build the tracker of a zone, with every block of it pending. */
struct fpr_zone *fpr_build(struct fpr_backend *backend, struct zone *zone,
			   unsigned int order, bool pieces)
{
	struct fpr_zone *fz = fpr_alloc(backend, zone, zone_end_pfn(zone),
					order, pieces);

	if (!fz)
		return NULL;
	if (fpr_fill(fz) || (fz->pieces && fpr_fill(fz->pieces))) {
		fpr_zone_free(fz);
		return NULL;
	}
	fpr_retain_init(fz);
	return fz;
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

	fz = fpr_alloc(backend, zone, end, backend->order, backend->pieces);
	if (!fz)
		return NULL;
	fz->since = jiffies;
	fpr_retain_init(fz);

	spin_lock_irq(&zone->lock);
	old = fpr_zone_get_locked(zone);
	/* A zone that was empty when the order changed has one of another. */
	if (old && old->order == fz->order) {
		fpr_inherit(fz, old);
		if (fz->pieces && old->pieces) {
			fpr_inherit(fz->pieces, old->pieces);
			fpr_retain_inherit(fz->pieces, old->pieces);
		}
	}
	if (old) {
		fpr_retain_inherit(fz, old);
		/* A batch that is on its way comes back to the new one. */
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
	       !fz->pieces == !fpr_has_pieces(backend, fz->order,
					      backend->pieces);
}

/* === Memory that is wanted by address === */

/*
 * The backend that has memory of a range off the free lists, to be put, and the
 * number of the batch that it is in.
 */
static struct fpr_backend *fpr_backend_at(struct zone *zone,
					  unsigned long start_pfn,
					  unsigned long end_pfn,
					  unsigned int *count)
{
	struct fpr_backend *backend = NULL;
	struct fpr_zone *fz;

	if (!READ_ONCE(fpr_table))
		return NULL;
	spin_lock_irq(&zone->lock);
	fz = fpr_zone_get_locked(zone);
	if (fz && fz->isolated &&
	    fpr_batch_overlaps(&fz->backend->batch, start_pfn, end_pfn)) {
		backend = fz->backend;
		refcount_inc(&backend->refs);
		*count = fpr_batch_count(backend);
	}
	spin_unlock_irq(&zone->lock);
	return backend;
}

/*
 * Wait for the batch that has memory of a range, if any.  Its pageblocks are
 * isolated, so no later batch takes any.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EBUSY if the backend does not answer.
 */
int fpr_await_batch_at(struct zone *zone, unsigned long start_pfn,
		       unsigned long end_pfn)
{
	struct fpr_backend *backend;
	unsigned int count;
	int err;

	backend = fpr_backend_at(zone, start_pfn, end_pfn, &count);
	if (!backend)
		return 0;
	err = fpr_await_batch(backend, count);
	fpr_backend_put(backend);
	return err;
}

/* === Sums over all zones === */

/*
 * Add up what @pages returns for the tracker of each zone of @backend, or of
 * all if that is NULL.
 */
static unsigned long fpr_sum(const struct fpr_backend *backend,
			     unsigned long (*pages)(const struct fpr_zone *fz))
{
	unsigned long sum = 0;
	struct fpr_zone *fz;
	struct zone *zone;

	if (!READ_ONCE(fpr_table))
		return 0;
	rcu_read_lock();
	for_each_populated_zone(zone) {
		fz = fpr_zone_get(zone);
		if (fz && (!backend || fz->backend == backend))
			sum += pages(fz);
	}
	rcu_read_unlock();
	return sum;
}

static unsigned long fpr_zone_pending(const struct fpr_zone *fz)
{
	unsigned long pages = READ_ONCE(fz->nr_pending) << fz->order;

	if (fz->pieces)
		pages += READ_ONCE(fz->pieces->nr_pending) << fz->pieces->order;
	return pages;
}

static unsigned long fpr_zone_isolated(const struct fpr_zone *fz)
{
	return READ_ONCE(fz->isolated);
}

/* Pages that wait to be reported. */
unsigned long fpr_pending_pages(const struct fpr_backend *backend)
{
	return fpr_sum(backend, fpr_zone_pending);
}

/* Pages that are off the free lists because they are being reported. */
unsigned long fpr_isolated_pages(const struct fpr_backend *backend)
{
	return fpr_sum(backend, fpr_zone_isolated);
}

/*
 * The highest age, in jiffies, at which the zones were last reported.  Where
 * nothing is pending, what is freed next is due at the age that was asked for.
 */
u32 fpr_current_age(void)
{
	u32 age = msecs_to_jiffies(READ_ONCE(fpr_tunables.age_ms));
	struct fpr_zone *fz;
	struct zone *zone;

	if (!READ_ONCE(fpr_table))
		return age;
	rcu_read_lock();
	for_each_populated_zone(zone) {
		fz = fpr_zone_get(zone);
		if (fz && READ_ONCE(fz->nr_pending))
			age = max(age, READ_ONCE(fz->age));
	}
	rcu_read_unlock();
	return age;
}
