// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: registration and the life cycle of backends.
 *
 * Backends call page_reporting_register() and page_reporting_unregister().
 * Every zone of a backend's nodes has a tracker (struct fpr_zone), found
 * through fpr_table (table.c).
 *
 * Lock order:
 *
 *	fpr_flush_mutex
 *	fpr_slice_mutex: a slice of consolidation
 *	mem_hotplug_lock
 *	    fpr_takers: what consolidation has isolated
 *	    fpr_mutex: fpr_backends, fpr_table, the order, directories in sysfs
 *	        zone->lock (interrupts off): a tracker and its segments, what is
 *			isolated, what is unbacked
 *
 * A pass has no lock while it is in report(); whoever needs its memory waits
 * for the batch to end (backend.c), never for ever.  Trackers and segments are
 * published under zone->lock and freed after a grace period, so holding
 * zone->lock or the RCU read lock keeps them alive.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/export.h>
#include <linux/init.h>
#include <linux/jump_label.h>
#include <linux/list.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#define CREATE_TRACE_POINTS
#include <trace/events/page_reporting.h>

#include "backend.h"
#include "batch.h"
#include "consolidate.h"
#include "hook.h"
#include "order.h"
#include "pass.h"
#include "restore.h"
#include "sysfs.h"
#include "table.h"
#include "tunables.h"
#include "unbacked.h"

/* === Registration === */

#define FPR_KNOWN_FLAGS		(PAGE_REPORTING_MERGE | PAGE_REPORTING_PIECES)

static const char *fpr_name(const struct page_reporting_dev_info *prdev)
{
	return prdev->name ?: "unnamed";
}

/* What a backend that restores cannot do, or what cannot be done with it. */
static int fpr_validate_restore(const struct page_reporting_dev_info *prdev)
{
	if (!IS_ENABLED(CONFIG_PAGE_REPORTING_RESTORE)) {
		pr_err("backend %s has a restore callback, which needs CONFIG_PAGE_REPORTING_RESTORE\n",
		       fpr_name(prdev));
		return -EOPNOTSUPP;
	}
	/* Merged entries are no blocks; a piece is no use to who needs one. */
	if (prdev->flags) {
		pr_err("backend %s asks for merged entries or pieces, which cannot be restored\n",
		       fpr_name(prdev));
		return -EINVAL;
	}
	if (debug_pagealloc_enabled()) {
		pr_err("backend %s cannot have unbacked memory with debug_pagealloc, which unmaps it\n",
		       fpr_name(prdev));
		return -EOPNOTSUPP;
	}
	return 0;
}

static int fpr_validate(const struct page_reporting_dev_info *prdev)
{
	if (!prdev->report) {
		pr_err("backend %s has no report callback\n", fpr_name(prdev));
		return -EINVAL;
	}
	if (prdev->order != PAGE_REPORTING_ORDER_UNSPECIFIED &&
	    prdev->order > MAX_PAGE_ORDER) {
		pr_err("backend %s asks for order %u, allowed are 0 to %u\n",
		       fpr_name(prdev), prdev->order, MAX_PAGE_ORDER);
		return -ERANGE;
	}
	if (prdev->flags & ~FPR_KNOWN_FLAGS) {
		pr_err("backend %s asks for flags %#x, known are %#lx\n",
		       fpr_name(prdev), prdev->flags, FPR_KNOWN_FLAGS);
		return -EINVAL;
	}
	if (prdev->restore) {
		int err = fpr_validate_restore(prdev);

		if (err)
			return err;
	}
	if (prdev->nodes && !nodes_intersects(*prdev->nodes,
					      node_possible_map)) {
		pr_err("backend %s asks for nodes %*pbl, possible are %*pbl\n",
		       fpr_name(prdev), nodemask_pr_args(prdev->nodes),
		       nodemask_pr_args(&node_possible_map));
		return -ENODEV;
	}
	return 0;
}

static struct fpr_backend *
fpr_backend_create(struct page_reporting_dev_info *prdev)
{
	/* A driver may say how long its queue is. */
	unsigned int capacity = min(prdev->capacity ?: PAGE_REPORTING_CAPACITY,
				    PAGE_REPORTING_CAPACITY_MAX);
	struct fpr_backend *backend = kzalloc(sizeof(*backend), GFP_KERNEL);

	if (!backend)
		return NULL;
	backend->prdev = prdev;
	/* The hypervisor may be another one than last time. */
	prdev->least_order = 0;
	backend->name = kstrdup_const(fpr_name(prdev), GFP_KERNEL);
	backend->restores = prdev->restore;
	backend->nodes = prdev->nodes ? *prdev->nodes : node_possible_map;
	backend->order = FPR_ORDER_UNSET;
	backend->unbacked_max = prdev->unbacked_max ?: ULONG_MAX;
	fpr_init_wakeup(backend);
	INIT_WORK(&backend->work, fpr_work);
	refcount_set(&backend->refs, 1);
	init_waitqueue_head(&backend->flushed);
	init_waitqueue_head(&backend->batch_over);
	backend->wq = alloc_workqueue("page_reporting",
				      WQ_UNBOUND | WQ_FREEZABLE, 1);
	backend->candidates = kvcalloc(capacity, sizeof(long), GFP_KERNEL);
	if (fpr_batch_init(&backend->batch, capacity,
			   prdev->flags & PAGE_REPORTING_MERGE) ||
	    !backend->wq || !backend->candidates || !backend->name ||
	    !fpr_consolidation_init(backend)) {
		fpr_backend_destroy(backend);
		return NULL;
	}
	return backend;
}

static struct fpr_backend *
fpr_find_overlap(const struct fpr_backend *backend)
{
	struct fpr_backend *other;

	list_for_each_entry(other, &fpr_backends, node)
		if (nodes_intersects(other->nodes, backend->nodes))
			return other;
	return NULL;
}

/* The first backend has a say in the order, unless the user chose it. */
static unsigned int fpr_first_order(const struct fpr_backend *backend)
{
	if (fpr_order_chosen ||
	    backend->prdev->order == PAGE_REPORTING_ORDER_UNSPECIFIED)
		return fpr_current_order();
	return backend->prdev->order;
}

static int fpr_add_backend(struct fpr_backend *backend)
{
	struct fpr_backend *other = fpr_find_overlap(backend);
	unsigned int order;
	int err;

	lockdep_assert_held(&fpr_mutex);
	if (other) {
		pr_err("backend %s shares nodes with backend %s\n",
		       backend->name, other->name);
		return -EBUSY;
	}
	err = fpr_alloc_table() ?: fpr_unbacked_attach(backend);
	if (err)
		return err;
	order = list_empty(&fpr_backends) ? fpr_first_order(backend) :
					    fpr_current_order();
	list_add_tail(&backend->node, &fpr_backends);
	err = fpr_rebuild(order, fpr_tunables.piece_age_ms);
	if (err) {
		list_del(&backend->node);
		fpr_restore_detach(backend);
		return err;
	}
	fpr_sysfs_add(backend);
	trace_page_reporting_register(backend->name, order);
	pr_info("backend %s enabled, order %u, %u entries a batch, nodes %*pbl\n",
		backend->name, order, backend->batch.capacity,
		nodemask_pr_args(&backend->nodes));
	fpr_schedule(backend, msecs_to_jiffies(fpr_tunables.age_ms) + 1);
	return 0;
}

/* Take cpu_hotplug_lock, which is ordered before mem_hotplug_lock. */
static void fpr_enable_hooks(const struct page_reporting_dev_info *prdev)
{
	static_branch_inc(&page_reporting_enabled);
	fpr_restore_enable(prdev);
}

static void fpr_disable_hooks(const struct page_reporting_dev_info *prdev)
{
	fpr_restore_disable(prdev);
	static_branch_dec(&page_reporting_enabled);
}

/* The hook may go on to arm the timer; from here on that is ignored. */
static void fpr_stop_work(struct fpr_backend *backend)
{
	timer_shutdown_sync(&backend->timer);
	cancel_work_sync(&backend->work);
	fpr_consolidation_end(backend);
}

/**
 * page_reporting_register() - start reporting free blocks through a backend
 * @prdev:	backend, see struct page_reporting_dev_info
 *
 * Everything that is free at this time will be reported, and what is freed
 * later.  The callback may be called before this function returns.
 *
 * Context: Process context, may sleep.  Takes mem_hotplug_lock for reading and
 * an internal mutex; must not be called from the report callback.
 * Return:
 * * %0		- @prdev is registered
 * * %-EINVAL	- there is no report callback, a flag is not known, or there are
 *		  flags together with a restore callback
 * * %-EOPNOTSUPP - there is a restore callback, and debug_pagealloc or no
 *		  CONFIG_PAGE_REPORTING_RESTORE
 * * %-ERANGE	- the order is larger than MAX_PAGE_ORDER
 * * %-ENODEV	- none of the nodes is possible on this system
 * * %-EBUSY	- a registered backend reports one of the nodes
 * * %-ENOMEM	- out of memory
 */
int page_reporting_register(struct page_reporting_dev_info *prdev)
{
	struct fpr_backend *backend;
	int err = fpr_validate(prdev);

	if (err)
		return err;
	backend = fpr_backend_create(prdev);
	if (!backend)
		return -ENOMEM;

	fpr_enable_hooks(prdev);
	get_online_mems();
	mutex_lock(&fpr_mutex);
	err = fpr_add_backend(backend);
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	if (err) {
		fpr_stop_work(backend);
		fpr_disable_hooks(prdev);
		fpr_end_wakeup(backend);
		fpr_backend_destroy(backend);
	}
	return err;
}
EXPORT_SYMBOL_GPL(page_reporting_register);

static struct fpr_backend *
fpr_begin_removal(struct page_reporting_dev_info *prdev)
{
	struct fpr_backend *backend;

	guard(mutex)(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node) {
		if (backend->prdev == prdev && !backend->stopping) {
			WRITE_ONCE(backend->stopping, true);
			wake_up_all(&backend->flushed);
			return backend;
		}
	}
	return NULL;
}

static void fpr_end_removal(struct fpr_backend *backend)
{
	get_online_mems();
	mutex_lock(&fpr_mutex);
	fpr_sysfs_remove(backend);
	fpr_restore_detach(backend);
	fpr_remove_trackers(backend);
	list_del(&backend->node);
	if (list_empty(&fpr_backends) && !fpr_order_chosen)
		WRITE_ONCE(page_reporting_order, FPR_ORDER_UNSET);
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	fpr_disable_hooks(backend->prdev);
}

/**
 * page_reporting_unregister() - stop reporting through a backend
 * @prdev:	backend; one that is not registered is ignored
 *
 * When this function returns, all memory is back in the allocator, no callback
 * runs and none will.  Unbacked memory that the hypervisor does not give back
 * is lost to the system, with a message; a backend that can stay should call
 * page_reporting_limit_unbacked() before, which tells.  A callback that waits
 * for the hypervisor is waited for: it is up to the backend to end that wait
 * first if it has to.
 *
 * Context: Process context, may sleep.  Takes mem_hotplug_lock for reading and
 * an internal mutex; must not be called from the report callback.
 */
void page_reporting_unregister(struct page_reporting_dev_info *prdev)
{
	struct fpr_backend *backend = fpr_begin_removal(prdev);

	if (!backend)
		return;
	fpr_stop_work(backend);
	fpr_end_removal(backend);
	fpr_end_wakeup(backend);
	trace_page_reporting_unregister(backend->name, backend->order);
	pr_info("backend %s disabled\n", backend->name);
	fpr_backend_put(backend);
}
EXPORT_SYMBOL_GPL(page_reporting_unregister);

/* === Parameters === */

static int fpr_param_set_order(const char *val, const struct kernel_param *kp)
{
	unsigned int order;
	int err = kstrtouint(val, 0, &order);

	return err ?: fpr_set_order(order);
}

/* Signed, so that an order that was not set reads -1. */
static const struct kernel_param_ops fpr_param_order_ops = {
	.set = fpr_param_set_order,
	.get = param_get_int,
};

module_param_cb(page_reporting_order, &fpr_param_order_ops,
		&page_reporting_order, 0644);
MODULE_PARM_DESC(page_reporting_order,
		 "Smallest block to report, as a page order (default: pageblock order)");

static int fpr_param_set_age(const char *val, const struct kernel_param *kp)
{
	int err;

	mutex_lock(&fpr_mutex);
	err = param_set_uint_minmax(val, kp, 0, FPR_MS_MAX);
	if (!err)
		fpr_kick_all();
	mutex_unlock(&fpr_mutex);
	return err;
}

static const struct kernel_param_ops fpr_param_age_ops = {
	.set = fpr_param_set_age,
	.get = param_get_uint,
};

module_param_cb(page_reporting_delay_ms, &fpr_param_age_ops,
		&fpr_tunables.age_ms, 0644);
MODULE_PARM_DESC(page_reporting_delay_ms,
		 "Time that a block stays free before it is reported, in ms (the age_ms of sysfs)");
