// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the order of a block, and changing it.
 *
 * The user chooses it, or the first backend, or a driver that writes
 * page_reporting_order.  A change gives all backends new trackers, or changes
 * nothing.  fpr_mutex protects the order, mem_hotplug_lock keeps the zones as
 * they are meanwhile.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/export.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/memory_hotplug.h>
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
 * FPR_ORDER_UNSET.  Drivers may read it, and one writes it: hv_balloon asks for
 * pageblock_order when its host refuses less, which fpr_follow_order() obeys.
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

static int fpr_exchange_trackers(unsigned int order, bool fine)
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

/*
 * Give all backends trackers of @order, or change nothing.  Not while a batch
 * of the old order is on its way: its backend looks at the order.
 */
int fpr_rebuild(unsigned int order, bool fine)
{
	int err = fpr_pause_all();

	if (err)
		return err;
	err = fpr_exchange_trackers(order, fine);
	fpr_resume_all();
	return err;
}

/* === Who changes it === */

/**
 * fpr_set_order() - change the order as the user wants
 * @order:	0 to MAX_PAGE_ORDER
 *
 * Context: Process context.  Takes mem_hotplug_lock and fpr_mutex.
 * Return:
 * * %0		- done
 * * %-EINVAL	- @order is larger than MAX_PAGE_ORDER
 * * %-EBUSY	- a backend does not answer a report; the order is what it was
 * * %-ENOMEM	- no memory for the trackers; the order is what it was
 */
int fpr_set_order(unsigned int order)
{
	int err = 0;

	if (order > MAX_PAGE_ORDER) {
		pr_notice("order %u is out of range, allowed are 0 to %u\n",
			  order, MAX_PAGE_ORDER);
		return -EINVAL;
	}
	get_online_mems();
	mutex_lock(&fpr_mutex);
	if (list_empty(&fpr_backends))
		WRITE_ONCE(page_reporting_order, order);
	else
		err = fpr_rebuild(order, fpr_tunables.fine_age_ms);
	if (!err)
		fpr_order_chosen = true;
	fpr_kick_all();
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	return err;
}

/* Set the age of the finer order, 0 for none.  On error nothing changes. */
int fpr_set_fine_age(unsigned int ms)
{
	unsigned int old;
	int err = 0;

	get_online_mems();
	mutex_lock(&fpr_mutex);
	old = fpr_tunables.fine_age_ms;
	/* While there are trackers of the finer order, there is an age. */
	if (ms)
		WRITE_ONCE(fpr_tunables.fine_age_ms, ms);
	if (!list_empty(&fpr_backends) && !ms != !old)
		err = fpr_rebuild(fpr_current_order(), ms);
	WRITE_ONCE(fpr_tunables.fine_age_ms, err ? old : ms);
	fpr_kick_all();
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	return err;
}

/* Obey a driver that changed page_reporting_order. */
int fpr_follow_order(struct fpr_backend *backend)
{
	int err;

	if (READ_ONCE(page_reporting_order) == READ_ONCE(backend->order))
		return 0;
	get_online_mems();
	mutex_lock(&fpr_mutex);
	err = fpr_rebuild(fpr_current_order(), fpr_tunables.fine_age_ms);
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	if (err) {
		pr_warn_ratelimited("cannot change the order to %u: %pe\n",
				    fpr_current_order(), ERR_PTR(err));
		fpr_schedule(backend, HZ);
	}
	return err;
}
