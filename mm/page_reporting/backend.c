// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the registered backends.
 *
 * The list of them under fpr_mutex, references that outlive the registration,
 * and the timer that starts the pass of one.
 */
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "internal.h"

/* Protects fpr_backends, writers of fpr_table and of the order. */
DEFINE_MUTEX(fpr_mutex);

LIST_HEAD(fpr_backends);

/* === When a pass starts === */

/* Start a pass of @backend in @delay jiffies, if none is due sooner. */
void fpr_schedule(struct fpr_backend *backend, u32 delay)
{
	timer_reduce(&backend->timer, jiffies + delay);
}

void fpr_timer(struct timer_list *timer)
{
	struct fpr_backend *backend = from_timer(backend, timer, timer);

	queue_work(backend->wq, &backend->work);
}

void fpr_wake_in(const struct fpr_zone *fz, unsigned int ms)
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

void fpr_kick_all(void)
{
	struct fpr_backend *backend;

	lockdep_assert_held(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node)
		fpr_schedule(backend, 1);
}

/* === References === */

void fpr_backend_destroy(struct fpr_backend *backend)
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
