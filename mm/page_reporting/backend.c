// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the registered backends.
 *
 * The list of them under fpr_mutex, references that outlive the registration,
 * what starts the pass of one, and stopping all of them between two batches.
 *
 * A timer starts the pass.  Most who ask for one have zone->lock, under which
 * no timer may be armed: with DEBUG_OBJECTS_TIMERS that may allocate memory.
 * They have an irq_work do it.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "backend.h"
#include "batch.h"
#include "policy.h"
#include "tracker.h"
#include "tunables.h"

/* Protects fpr_backends, writers of fpr_table and of the order. */
DEFINE_MUTEX(fpr_mutex);

LIST_HEAD(fpr_backends);

/*
 * A host that takes longer for a batch is taken for dead by those who cannot
 * wait for ever.  One that is busy answers within a fraction of a second.
 */
#define FPR_BATCH_PATIENCE	(2 * HZ)

/* === When a pass starts === */

/*
 * Start a pass of @backend in @delay jiffies, if none is due sooner.  Not with
 * zone->lock held: a kernel that tracks timers may allocate memory here.
 */
void fpr_schedule(struct fpr_backend *backend, u32 delay)
{
	timer_reduce(&backend->timer, jiffies + delay);
}

static void fpr_timer(struct timer_list *timer)
{
	struct fpr_backend *backend =
		timer_container_of(backend, timer, timer);

	queue_work(backend->wq, &backend->work);
}

static void fpr_wake_timer(struct irq_work *wake)
{
	struct fpr_backend *backend =
		container_of(wake, struct fpr_backend, wake);
	unsigned long at = atomic_long_xchg(&backend->wake_at, 0);

	if (at)
		timer_reduce(&backend->timer, at);
}

void fpr_init_wakeup(struct fpr_backend *backend)
{
	timer_setup(&backend->timer, fpr_timer, 0);
	init_irq_work(&backend->wake, fpr_wake_timer);
}

/* Nothing starts a pass any more.  The backend has no tracker left. */
void fpr_end_wakeup(struct fpr_backend *backend)
{
	irq_work_sync(&backend->wake);
}

/* Have @wake arm the timer for @at, or sooner if somebody asked for that. */
static void fpr_wake_at(struct fpr_backend *backend, unsigned long at)
{
	long old = atomic_long_read(&backend->wake_at);

	at = at ?: 1;
	do {
		if (old && time_before_eq((unsigned long)old, at))
			return;
	} while (!atomic_long_try_cmpxchg(&backend->wake_at, &old, at));
	irq_work_queue(&backend->wake);
}

/* As fpr_schedule(), also with zone->lock held. */
static void fpr_schedule_locked(struct fpr_backend *backend, u32 delay)
{
	unsigned long at = jiffies + delay;

	/*
	 * A pass that is to come sees what was marked before.  Pairs with the
	 * barriers on the way from the timer to the worker.
	 */
	smp_mb();
	if (!timer_pending(&backend->timer) ||
	    time_before(at, READ_ONCE(backend->timer.expires)))
		fpr_wake_at(backend, at);
}

void fpr_wake_in(const struct fpr_zone *fz, unsigned int ms)
{
	if (READ_ONCE(fpr_tunables.enabled) && !READ_ONCE(fz->backend->error))
		fpr_schedule_locked(fz->backend, msecs_to_jiffies(ms) + 1);
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

/* Pause or resume all backends; resuming forgives those that failed. */
void fpr_set_enabled(bool enabled)
{
	struct fpr_backend *backend;

	mutex_lock(&fpr_mutex);
	WRITE_ONCE(fpr_tunables.enabled, enabled);
	if (enabled) {
		list_for_each_entry(backend, &fpr_backends, node) {
			WRITE_ONCE(backend->error, 0);
			WRITE_ONCE(backend->backoff, 0);
			WRITE_ONCE(backend->entry_backoff, 0);
		}
		fpr_kick_all();
	}
	mutex_unlock(&fpr_mutex);
}

/* === Between two batches === */

/*
 * How often it was asked that no batch be taken off the free lists.  Written
 * under fpr_mutex.
 */
static atomic_t fpr_pauses = ATOMIC_INIT(0);

bool fpr_paused(void)
{
	return atomic_read(&fpr_pauses);
}

/* May memory be taken off the free lists?  Ended by fpr_end_batch() if so. */
bool fpr_begin_batch(struct fpr_backend *backend)
{
	WRITE_ONCE(backend->batch_count, backend->batch_count + 1);
	smp_mb(); /* pairs with the one in fpr_pause_all() */
	if (!fpr_paused())
		return true;
	fpr_end_batch(backend);
	return false;
}

void fpr_end_batch(struct fpr_backend *backend)
{
	/* Pairs with smp_load_acquire() in fpr_batch_count(). */
	smp_store_release(&backend->batch_count, backend->batch_count + 1);
	wake_up_all(&backend->batch_over);
}

unsigned int fpr_batch_count(const struct fpr_backend *backend)
{
	/* Pairs with smp_store_release() in fpr_end_batch(). */
	return smp_load_acquire(&backend->batch_count);
}

/*
 * Wait until batch @count of the backend is back, if that was one.
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EBUSY if the backend does not answer.
 */
int fpr_await_batch(struct fpr_backend *backend, unsigned int count)
{
	if (!(count % 2) ||
	    wait_event_idle_timeout(backend->batch_over,
				    fpr_batch_count(backend) != count,
				    FPR_BATCH_PATIENCE))
		return 0;
	pr_notice_ratelimited("backend %s has not answered a report for %u s\n",
			      backend->name, FPR_BATCH_PATIENCE / HZ);
	return -EBUSY;
}

/*
 * Stop all backends before their next batch, and wait for those in flight.
 *
 * Context: Process context, may sleep.
 * Return: 0, to be followed by fpr_resume_all(); or -EBUSY if a backend does
 * not answer, and then none is stopped.
 */
int fpr_pause_all(void)
{
	struct fpr_backend *backend;

	lockdep_assert_held(&fpr_mutex);
	atomic_inc(&fpr_pauses);
	smp_mb__after_atomic(); /* pairs with the one in fpr_begin_batch() */
	list_for_each_entry(backend, &fpr_backends, node) {
		int err = fpr_await_batch(backend, fpr_batch_count(backend));

		if (err) {
			fpr_resume_all();
			return err;
		}
	}
	return 0;
}

void fpr_resume_all(void)
{
	lockdep_assert_held(&fpr_mutex);
	if (atomic_dec_and_test(&fpr_pauses))
		fpr_kick_all();
}

/* === References === */

void fpr_backend_destroy(struct fpr_backend *backend)
{
	if (backend->wq)
		destroy_workqueue(backend->wq);
	if (backend->consolidation_wq)
		destroy_workqueue(backend->consolidation_wq);
	kfree(backend->consolidation);
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
 * All backends in an array that NULL ends, or NULL for no memory.  What a
 * driver registered may go while they are referenced.
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
