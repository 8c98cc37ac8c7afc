// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: registry, life cycle, and the hook.
 *
 * Backends call page_reporting_register() and page_reporting_unregister(), the
 * allocator calls __page_reporting_notify_free().  Every zone of a backend's
 * nodes has a tracker (struct fpr_zone), found through fpr_table (table.c).
 *
 * Lock order:
 *
 *	mem_hotplug_lock
 *	    fpr_mutex: fpr_backends, fpr_table, the order
 *	        fpr_backend.in_flight: what the worker has off the free lists
 *	            zone->lock (interrupts off): a tracker and its segments, what
 *	            |		is held
 *	                timer base lock
 *
 * A pass has only in_flight while it is in report().  Trackers and
 * segments are published under zone->lock and freed after a grace period, so
 * holding zone->lock or the RCU read lock keeps them alive.
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

#include "hook.h"
#include "internal.h"

#define FPR_ORDER_UNSET		((unsigned int)-1)

DEFINE_STATIC_KEY_FALSE(page_reporting_enabled);

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

/* Protects fpr_backends, writers of fpr_table and of the order. */
DEFINE_MUTEX(fpr_mutex);

LIST_HEAD(fpr_backends);

atomic_long_t fpr_counters[FPR_NR_COUNTERS];

struct fpr_tunables fpr_tunables __read_mostly = {
	.age_ms = 500,
	.max_age_ms = 10000,
	.threshold_kb = 8192,
	.max_delay_ms = 1000,
	.held_max_kb = FPR_HELD_KB_MAX,
	.held_reserve_percent = 5,
	.enabled = true,
};

/* === The hook and the timer === */

/* Start a pass of @backend in @delay jiffies, if none is due sooner. */
void fpr_schedule(struct fpr_backend *backend, u32 delay)
{
	timer_reduce(&backend->timer, jiffies + delay);
}

static void fpr_timer(struct timer_list *timer)
{
	struct fpr_backend *backend = from_timer(backend, timer, timer);

	queue_work(backend->wq, &backend->work);
}

static void fpr_wake_in(const struct fpr_zone *fz, unsigned int ms)
{
	if (READ_ONCE(fpr_tunables.enabled) && !READ_ONCE(fz->backend->error))
		fpr_schedule(fz->backend, msecs_to_jiffies(ms) + 1);
}

/* Start a pass when there is something for it to do. */
void fpr_wake(const struct fpr_zone *fz)
{
	unsigned long excess_kb = fpr_excess_pages(fz) << (PAGE_SHIFT - 10);
	unsigned int threshold = READ_ONCE(fpr_tunables.threshold_kb);
	unsigned int ms = READ_ONCE(fpr_tunables.max_delay_ms);

	if (fpr_pass_wanted(excess_kb, threshold, 0, 1))
		ms = min(ms, READ_ONCE(fpr_tunables.age_ms));
	fpr_wake_in(fz, ms);
}

/*
 * Note how much of a zone is free after so many pages were freed; what the
 * worker has isolated is as good as free.  Returns how much was freed and taken
 * again at a time lately, to the nearest block, because the kernel's count of
 * free pages is not exact.
 */
unsigned long fpr_note_free(struct fpr_zone *fz, unsigned long freed)
{
	u32 window = msecs_to_jiffies(READ_ONCE(fpr_tunables.max_age_ms));
	unsigned long free = zone_page_state(fz->zone, NR_FREE_PAGES) +
			     fz->isolated;
	unsigned long reused;

	lockdep_assert_held(&fz->zone->lock);
	fpr_swing_note(&fz->swing, free - min(free, freed), jiffies, window);
	reused = fpr_swing_note(&fz->swing, free, jiffies, window);
	return round_down(reused + fpr_block_pages(fz) / 2,
			  fpr_block_pages(fz));
}

/* Memory of so many pages was used that the host had to back for that. */
void fpr_learn(struct fpr_zone *fz, unsigned long pages, unsigned long reused)
{
	u32 window = msecs_to_jiffies(READ_ONCE(fpr_tunables.max_age_ms));
	unsigned long refaulted = fpr_recent_take(&fz->recent, pages, jiffies,
						  window);

	fpr_count(FPR_REFAULTED, refaulted);
	fpr_expect_reuse(fz, refaulted, reused);
	trace_page_reporting_refault(fz->zone, pages, refaulted, fz->reserve);
}

static void fpr_notify_block(struct fpr_zone *fz, unsigned long pfn,
			     unsigned int freed_order)
{
	unsigned long reused = fpr_note_free(fz, 1UL << freed_order);
	unsigned long backed = fpr_mark_freed(fz, pfn, freed_order, jiffies);

	if (backed)
		fpr_learn(fz, backed << fz->order, reused);
	fpr_wake(fz);
}

/* The same for the finer order, which holds nothing back: its age is high. */
static void fpr_notify_piece(struct fpr_zone *fz, unsigned long pfn,
			     unsigned int freed_order)
{
	unsigned long backed = fpr_mark_freed(fz, pfn, freed_order, jiffies);

	if (backed)
		fpr_learn(fz, backed << fz->order, 0);
	fpr_wake_in(fz, READ_ONCE(fpr_tunables.fine_age_ms));
}

/* What has become part of a whole block is a matter of the block. */
static void fpr_drop_pieces(struct fpr_zone *fz, unsigned long pfn,
			    unsigned int freed_order)
{
	unsigned int order = max(freed_order, fz->below);
	struct fpr_range range = {
		.pfn = round_down(pfn, 1UL << order), .nr_pages = 1UL << order,
	};

	fpr_drop(fz, &range);
}

/* The part of page_reporting_notify_free() that is not inlined. */
void __page_reporting_notify_free(struct zone *zone, unsigned long pfn,
				  unsigned int freed_order,
				  unsigned int merged_order)
{
	struct fpr_zone *fz;

	lockdep_assert_held(&zone->lock);
	/* The key is on before the table is there. */
	if (!READ_ONCE(fpr_table))
		return;
	fz = fpr_zone_get_locked(zone);
	if (!fz)
		return;
	if (merged_order >= fz->order) {
		fpr_notify_block(fz, pfn, freed_order);
		if (fz->fine)
			fpr_drop_pieces(fz->fine, pfn, freed_order);
	} else if (fz->fine && merged_order >= fz->fine->order) {
		fpr_notify_piece(fz->fine, pfn, freed_order);
	}
}

void fpr_kick_all(void)
{
	struct fpr_backend *backend;

	lockdep_assert_held(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node)
		fpr_schedule(backend, 1);
}

/* Pause or resume all backends; resuming forgives those that failed. */
void fpr_set_enabled(bool enabled)
{
	struct fpr_backend *backend;

	mutex_lock(&fpr_mutex);
	WRITE_ONCE(fpr_tunables.enabled, enabled);
	if (enabled) {
		list_for_each_entry(backend, &fpr_backends, node)
			WRITE_ONCE(backend->error, 0);
		fpr_kick_all();
	}
	mutex_unlock(&fpr_mutex);
}

/* Add up what @pages returns for the tracker of each zone. */
static unsigned long fpr_sum(unsigned long (*pages)(const struct fpr_zone *fz))
{
	unsigned long sum = 0;
	struct fpr_zone *fz;
	struct zone *zone;

	if (!READ_ONCE(fpr_table))
		return 0;
	rcu_read_lock();
	for_each_populated_zone(zone) {
		fz = fpr_zone_get(zone);
		if (fz)
			sum += pages(fz);
	}
	rcu_read_unlock();
	return sum;
}

static unsigned long fpr_zone_pending(const struct fpr_zone *fz)
{
	unsigned long pages = READ_ONCE(fz->nr_pending) << fz->order;

	if (fz->fine)
		pages += READ_ONCE(fz->fine->nr_pending) << fz->fine->order;
	return pages;
}

static unsigned long fpr_zone_isolated(const struct fpr_zone *fz)
{
	return READ_ONCE(fz->isolated);
}

unsigned long fpr_pending_pages(void)
{
	return fpr_sum(fpr_zone_pending);
}

/* Pages that are off the free lists because they are being reported. */
unsigned long fpr_isolated_pages(void)
{
	return fpr_sum(fpr_zone_isolated);
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

/* === The order === */

/* The order in use, or the one that would be used by a backend without wish. */
unsigned int fpr_current_order(void)
{
	unsigned int order = READ_ONCE(page_reporting_order);

	return order <= MAX_PAGE_ORDER ? order : pageblock_order;
}

/**
 * fpr_set_order() - change the order as the user wants
 * @order:	0 to MAX_PAGE_ORDER
 *
 * Context: Process context.  Takes mem_hotplug_lock and fpr_mutex.
 * Return:
 * * %0		- done
 * * %-EINVAL	- @order is larger than MAX_PAGE_ORDER
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
		pr_warn_ratelimited("no memory to change the order to %u\n",
				    fpr_current_order());
		fpr_schedule(backend, HZ);
	}
	return err;
}

/* === Registration === */

static const char *fpr_name(const struct page_reporting_dev_info *prdev)
{
	return prdev->name ?: "unnamed";
}

static int fpr_validate(const struct page_reporting_dev_info *prdev)
{
	if (!prdev->report) {
		pr_err("backend %s has no report callback\n", fpr_name(prdev));
		return -EINVAL;
	}
	if (prdev->order > MAX_PAGE_ORDER) {
		pr_err("backend %s asks for order %u, allowed are 0 to %u\n",
		       fpr_name(prdev), prdev->order, MAX_PAGE_ORDER);
		return -ERANGE;
	}
	if (prdev->capacity > PAGE_REPORTING_CAPACITY_MAX) {
		pr_err("backend %s asks for capacity %u, allowed are 0 to %u\n",
		       fpr_name(prdev), prdev->capacity,
		       PAGE_REPORTING_CAPACITY_MAX);
		return -E2BIG;
	}
	if (prdev->restore && prdev->merge) {
		pr_err("backend %s asks for merged entries, which cannot be restored\n",
		       fpr_name(prdev));
		return -EINVAL;
	}
	/* Restoring a piece would not help who needs a block. */
	if (prdev->restore && prdev->pieces) {
		pr_err("backend %s asks for pieces, which cannot be held\n",
		       fpr_name(prdev));
		return -EINVAL;
	}
	if (prdev->restore && debug_pagealloc_enabled()) {
		pr_err("backend %s cannot hold memory with debug_pagealloc, which unmaps it\n",
		       fpr_name(prdev));
		return -EOPNOTSUPP;
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

static void fpr_backend_destroy(struct fpr_backend *backend)
{
	if (backend->wq)
		destroy_workqueue(backend->wq);
	kvfree(backend->candidates);
	fpr_batch_destroy(&backend->batch);
	kfree_const(backend->name);
	kfree(backend);
}

void fpr_backend_put(struct fpr_backend *backend)
{
	if (refcount_dec_and_test(&backend->refs))
		fpr_backend_destroy(backend);
}

/* The backend that @prdev was registered as, or NULL.  To be put. */
struct fpr_backend *fpr_backend_get(struct page_reporting_dev_info *prdev)
{
	struct fpr_backend *backend;

	guard(mutex)(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node) {
		if (backend->prdev == prdev && !backend->stopping) {
			refcount_inc(&backend->refs);
			return backend;
		}
	}
	return NULL;
}

/*
 * All backends in an array that NULL ends, or NULL for no memory.  What a driver
 * registered may go while they are referenced.
 */
struct fpr_backend **fpr_backends_get(void)
{
	struct fpr_backend **backends, *backend;
	unsigned int nr = 0;

	/* No node has two backends. */
	backends = kcalloc(nr_node_ids + 1, sizeof(*backends), GFP_KERNEL);
	if (!backends)
		return NULL;
	guard(mutex)(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node) {
		refcount_inc(&backend->refs);
		backends[nr++] = backend;
	}
	return backends;
}

void fpr_backends_put(struct fpr_backend **backends)
{
	struct fpr_backend **backend;

	for (backend = backends; backend && *backend; backend++)
		fpr_backend_put(*backend);
	kfree(backends);
}

static struct fpr_backend *
fpr_backend_create(struct page_reporting_dev_info *prdev)
{
	unsigned int capacity = prdev->capacity ?: PAGE_REPORTING_CAPACITY;
	struct fpr_backend *backend = kzalloc(sizeof(*backend), GFP_KERNEL);

	if (!backend)
		return NULL;
	backend->prdev = prdev;
	backend->name = kstrdup_const(fpr_name(prdev), GFP_KERNEL);
	backend->holds = prdev->restore;
	backend->nodes = prdev->nodes ? *prdev->nodes : node_possible_map;
	backend->order = FPR_ORDER_UNSET;
	backend->held_max = prdev->held_max ?: ULONG_MAX;
	timer_setup(&backend->timer, fpr_timer, 0);
	INIT_WORK(&backend->work, fpr_work);
	refcount_set(&backend->refs, 1);
	init_waitqueue_head(&backend->flushed);
	mutex_init(&backend->in_flight);
	backend->wq = alloc_workqueue("page_reporting",
				      WQ_UNBOUND | WQ_FREEZABLE, 1);
	backend->candidates = kvcalloc(capacity, sizeof(long), GFP_KERNEL);
	if (fpr_batch_init(&backend->batch, capacity, prdev->merge) ||
	    !backend->wq || !backend->candidates || !backend->name) {
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
	if (fpr_order_chosen || !backend->prdev->order)
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
	err = fpr_alloc_table() ?: fpr_held_attach(backend);
	if (err)
		return err;
	order = list_empty(&fpr_backends) ? fpr_first_order(backend) :
					    fpr_current_order();
	list_add_tail(&backend->node, &fpr_backends);
	err = fpr_rebuild(order, fpr_tunables.fine_age_ms);
	if (err) {
		list_del(&backend->node);
		fpr_held_detach(backend);
		return err;
	}
	trace_page_reporting_register(backend->name, order);
	pr_info("backend %s enabled, order %u, %u entries a batch, nodes %*pbl\n",
		backend->name, order, backend->batch.capacity,
		nodemask_pr_args(&backend->nodes));
	fpr_schedule(backend, msecs_to_jiffies(fpr_tunables.age_ms) + 1);
	return 0;
}

static void fpr_disable_hooks(const struct page_reporting_dev_info *prdev)
{
	if (prdev->restore)
		static_branch_dec(&page_reporting_holding);
	static_branch_dec(&page_reporting_enabled);
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
 * * %-EINVAL	- there is no report callback, or @prdev asks for merged entries
 *		  or pieces together with a restore callback
 * * %-EOPNOTSUPP - held memory and debug_pagealloc exclude each other
 * * %-ERANGE	- the order is larger than MAX_PAGE_ORDER
 * * %-E2BIG	- the capacity is larger than PAGE_REPORTING_CAPACITY_MAX
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

	/* Takes cpu_hotplug_lock, which is ordered before mem_hotplug_lock. */
	static_branch_inc(&page_reporting_enabled);
	if (prdev->restore)
		static_branch_inc(&page_reporting_holding);
	get_online_mems();
	mutex_lock(&fpr_mutex);
	err = fpr_add_backend(backend);
	mutex_unlock(&fpr_mutex);
	put_online_mems();
	if (err) {
		fpr_disable_hooks(prdev);
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
	fpr_held_detach(backend);
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
 * runs and none will.  Held memory that the hypervisor does not give back is
 * lost to the system, with a message; a backend that can stay should call
 * page_reporting_limit_held() before, which tells.  A callback that waits for
 * the hypervisor is waited for: it is up to the backend to end that wait first
 * if it has to.
 *
 * Context: Process context, may sleep.  Takes mem_hotplug_lock for reading and
 * an internal mutex; must not be called from the report callback.
 */
void page_reporting_unregister(struct page_reporting_dev_info *prdev)
{
	struct fpr_backend *backend = fpr_begin_removal(prdev);

	if (!backend)
		return;
	/* The hook may go on to arm the timer; from here on that is ignored. */
	timer_shutdown_sync(&backend->timer);
	cancel_work_sync(&backend->work);
	fpr_end_removal(backend);
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

static int __init fpr_init(void)
{
	int err = fpr_tracker_init();

	if (err)
		return err;
	fpr_hotplug_init();
	return fpr_held_init() ?: fpr_sysfs_init();
}
subsys_initcall(fpr_init);
