// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the order of a block, and changing it.
 *
 * The user chooses it, or the first backend; a backend whose hypervisor refuses
 * blocks of this order raises it.  A change gives all backends new trackers, or
 * changes nothing.  fpr_mutex protects the order, mem_hotplug_lock keeps the
 * zones as they are meanwhile.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/export.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "backend.h"
#include "hook.h"
#include "order.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"

/*
 * The order in use while a backend is registered, else the user's choice or
 * FPR_ORDER_UNSET.  Drivers may read it.
 */
unsigned int page_reporting_order = FPR_ORDER_UNSET;
EXPORT_SYMBOL_GPL(page_reporting_order);

/* Did the user choose the order?  Then no backend's wish counts. */
bool fpr_order_chosen;

/* Frees that merge to less cannot have completed a block: for the hook. */
unsigned int fpr_hook_order __read_mostly;

/* The order in use, or the one that would be used by a backend without wish. */
unsigned int fpr_current_order(void)
{
	unsigned int order = READ_ONCE(page_reporting_order);

	return order <= MAX_PAGE_ORDER ? order : pageblock_order;
}

/* === New trackers === */

static void fpr_discard(struct fpr_zone **trackers)
{
	unsigned int i;

	for (i = 0; i < nr_node_ids * MAX_NR_ZONES; i++)
		if (trackers[i])
			fpr_zone_free(trackers[i]);
	kvfree(trackers);
}

/* Would new trackers be like those that the backend has? */
static bool fpr_has_trackers(const struct fpr_backend *backend,
			     unsigned int order, bool pieces)
{
	return backend->order == order &&
	       fpr_has_pieces(backend, order, pieces) ==
	       fpr_has_pieces(backend, order, backend->pieces);
}

/*
 * Build trackers of @order for all zones that have none of that order, in an
 * array like fpr_table.  Switching pieces counts as another order for backends
 * that accept them.
 */
static struct fpr_zone **fpr_build_all(unsigned int order, bool pieces)
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

		if (!backend || fpr_has_trackers(backend, order, pieces))
			continue;
		fz = fpr_build(backend, zone, order, pieces);
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
static unsigned int fpr_smallest_order(unsigned int order, bool pieces)
{
	struct fpr_backend *backend;

	list_for_each_entry(backend, &fpr_backends, node)
		if (fpr_has_pieces(backend, order, pieces))
			return fpr_piece_order(order);
	return order;
}

static int fpr_exchange_trackers(unsigned int order, bool pieces)
{
	unsigned int smallest = fpr_smallest_order(order, pieces);
	struct fpr_zone **trackers;
	struct fpr_backend *backend;

	lockdep_assert_held(&fpr_mutex);
	trackers = fpr_build_all(order, pieces);
	if (!trackers)
		return -ENOMEM;
	/* The hook must not miss a block of either order meanwhile. */
	WRITE_ONCE(fpr_hook_order, min(fpr_hook_order, smallest));
	fpr_exchange_all(trackers);
	list_for_each_entry(backend, &fpr_backends, node) {
		WRITE_ONCE(backend->order, order);
		backend->pieces = pieces;
	}
	WRITE_ONCE(page_reporting_order, order);
	WRITE_ONCE(fpr_hook_order, smallest);
	synchronize_rcu();
	fpr_discard(trackers);
	return 0;
}

/*
 * Give all backends trackers of @order, or change nothing.  Not while a batch
 * of the old order is on its way: its backend looks at the order.
 */
int fpr_rebuild(unsigned int order, bool pieces)
{
	int err = fpr_pause_all();

	if (err)
		return err;
	err = fpr_exchange_trackers(order, pieces);
	fpr_resume_all();
	return err;
}

/* === Who changes it === */

/*
 * The least order that the hypervisor of @backend accepts, if it has refused
 * one: 0 while it has not.
 */
static unsigned int fpr_least_order(const struct fpr_backend *backend)
{
	return min_t(unsigned int, READ_ONCE(backend->prdev->least_order),
		     MAX_PAGE_ORDER);
}

/* A backend that has to have larger blocks than @order, or NULL. */
static struct fpr_backend *fpr_find_refusal(unsigned int order)
{
	struct fpr_backend *backend;

	list_for_each_entry(backend, &fpr_backends, node)
		if (order < fpr_least_order(backend))
			return backend;
	return NULL;
}

static int fpr_choose_order(unsigned int order)
{
	struct fpr_backend *backend = fpr_find_refusal(order);
	int err;

	lockdep_assert_held(&fpr_mutex);
	if (backend) {
		pr_notice("order %u is out of range, the hypervisor of backend %s allows %u to %u\n",
			  order, backend->name, fpr_least_order(backend),
			  MAX_PAGE_ORDER);
		return -ERANGE;
	}
	if (list_empty(&fpr_backends)) {
		WRITE_ONCE(page_reporting_order, order);
	} else {
		err = fpr_rebuild(order, fpr_tunables.piece_age_ms);
		if (err)
			return err;
	}
	fpr_order_chosen = true;
	fpr_kick_all();
	return 0;
}

/**
 * fpr_set_order() - change the order as the user wants
 * @order:	0 to MAX_PAGE_ORDER
 *
 * Context: Process context.  Takes mem_hotplug_lock and fpr_mutex.
 * Return:
 * * %0		- done
 * * %-EINVAL	- @order is larger than MAX_PAGE_ORDER
 * * %-ERANGE	- the hypervisor of a backend has refused such small blocks
 * * %-EBUSY	- a backend does not answer a report; the order is what it was
 * * %-ENOMEM	- no memory for the trackers; the order is what it was
 */
int fpr_set_order(unsigned int order)
{
	int err;

	if (order > MAX_PAGE_ORDER) {
		pr_notice("order %u is out of range, allowed are 0 to %u\n",
			  order, MAX_PAGE_ORDER);
		return -EINVAL;
	}
	get_online_mems();
	mutex_lock(&fpr_mutex);
	err = fpr_choose_order(order);
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	return err;
}

/* Set the age of pieces, 0 for none of them.  On error nothing changes. */
int fpr_set_piece_age(unsigned int ms)
{
	unsigned int old;
	int err = 0;

	get_online_mems();
	mutex_lock(&fpr_mutex);
	old = fpr_tunables.piece_age_ms;
	/* While there are trackers of pieces, there is an age. */
	if (ms)
		WRITE_ONCE(fpr_tunables.piece_age_ms, ms);
	if (!list_empty(&fpr_backends) && !ms != !old)
		err = fpr_rebuild(fpr_current_order(), ms);
	WRITE_ONCE(fpr_tunables.piece_age_ms, err ? old : ms);
	fpr_kick_all();
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	return err;
}

/*
 * Take up what a driver wrote to page_reporting_order while it reported, where
 * @before was: one that does not know page_reporting_raise_order() says so that
 * its hypervisor refuses small blocks, as hv_balloon does up to Linux 7.3.
 */
void fpr_note_written_order(struct fpr_backend *backend, unsigned int before)
{
	unsigned int written = READ_ONCE(page_reporting_order);

	if (written == before)
		return;
	WRITE_ONCE(page_reporting_order, before);
	if (written <= MAX_PAGE_ORDER && written > backend->order)
		page_reporting_raise_order(backend->prdev, written);
}

/*
 * Has the hypervisor refused blocks of this order, so that a report that failed
 * is to be repeated with larger ones?
 */
bool fpr_order_refused(const struct fpr_backend *backend)
{
	return backend->order < fpr_least_order(backend);
}

/* A user may have chosen a larger one meanwhile. */
static int fpr_raise_order(struct fpr_backend *backend)
{
	unsigned int least = fpr_least_order(backend);
	int err;

	lockdep_assert_held(&fpr_mutex);
	if (!fpr_order_refused(backend))
		return 0;
	err = fpr_rebuild(least, fpr_tunables.piece_age_ms);
	if (err)
		pr_warn_ratelimited("cannot raise the order to %u: %pe\n",
				    least, ERR_PTR(err));
	else
		pr_info("order %u, because the hypervisor of backend %s refuses less\n",
			least, backend->name);
	return err;
}

/* Raise the order to what the hypervisor of @backend accepts. */
int fpr_sync_order(struct fpr_backend *backend)
{
	int err;

	if (!fpr_order_refused(backend))
		return 0;
	get_online_mems();
	mutex_lock(&fpr_mutex);
	err = fpr_raise_order(backend);
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	if (err) {
		backend->backoff = HZ;
		backend->retry_at = jiffies + HZ;
		fpr_schedule(backend, HZ);
	}
	return err;
}
