// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: flush, which has all that is free reported now, if
 * wanted also what was reported before.
 *
 * Asks the worker of every backend for a pass that heeds no age (pass.c), and
 * waits for them.  Callers are sysfs.c and whoever in the kernel wants memory
 * back at the host.
 */
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "backend.h"
#include "flush.h"
#include "hook.h"
#include "table.h"
#include "tracker.h"

/* One flush at a time, so that each knows what it reported. */
static DEFINE_MUTEX(fpr_flush_mutex);

/* Ask every backend for a flush; returns how many there are. */
static unsigned int fpr_begin_flush(struct fpr_backend **backends)
{
	struct fpr_backend *backend;
	unsigned int nr = 0;

	guard(mutex)(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node) {
		if (backend->stopping)
			continue;
		refcount_inc(&backend->refs);
		WRITE_ONCE(backend->flush_wanted, backend->flush_wanted + 1);
		queue_work(backend->wq, &backend->work);
		backends[nr++] = backend;
	}
	return nr;
}

/* Tell those who wait for flush @number and earlier ones that it is over. */
void fpr_end_flush(struct fpr_backend *backend, unsigned long number,
		   unsigned long pages, int err)
{
	backend->flush_part = 0;
	backend->flush_pages = pages;
	backend->flush_error = err;
	/* Pairs with smp_load_acquire() in fpr_flush_over(). */
	smp_store_release(&backend->flush_done, number);
	wake_up_all(&backend->flushed);
}

static bool fpr_flush_over(const struct fpr_backend *backend,
			   unsigned long number)
{
	/* Pairs with smp_store_release() in fpr_end_flush(). */
	return (long)(smp_load_acquire(&backend->flush_done) - number) >= 0;
}

/* Wait for the flush that was asked for, and add to @pages what it did. */
static int fpr_await_flush(struct fpr_backend *backend, unsigned long *pages)
{
	unsigned long number = READ_ONCE(backend->flush_wanted);
	int err;

	err = wait_event_interruptible(backend->flushed,
				       fpr_flush_over(backend, number) ||
				       READ_ONCE(backend->stopping));
	if (err)
		return err;
	if (!fpr_flush_over(backend, number))
		return -ENODEV;
	*pages += backend->flush_pages;
	return backend->flush_error;
}

static int fpr_flush_all(struct fpr_backend **backends, unsigned long *pages)
{
	unsigned int nr, i;
	int err;

	drain_all_pages(NULL);
	nr = fpr_begin_flush(backends);
	err = nr ? 0 : -ENODEV;
	for (i = 0; i < nr; i++) {
		int this_err = fpr_await_flush(backends[i], pages);

		fpr_backend_put(backends[i]);
		err = err ?: this_err;
	}
	return err;
}

/* Forget what was reported of a segment.  Returns whether more may follow. */
static bool fpr_forget_segment(struct zone *zone, bool pieces,
			       unsigned long index)
{
	struct fpr_zone *fz;
	bool more = false;

	spin_lock_irq(&zone->lock);
	fz = fpr_tracker_of(fpr_zone_get_locked(zone), pieces);
	/* What is unbacked the hypervisor has for certain. */
	if (fz && !fz->backend->restores && index < fz->nr_segments) {
		fpr_forget_reported(fz, index, jiffies);
		more = true;
	}
	spin_unlock_irq(&zone->lock);
	return more;
}

/*
 * The lock is held for a segment at a time.  A tracker that replaces another
 * one meanwhile has everything pending, or has longer the same segments.
 */
static void fpr_forget_zone(struct zone *zone, bool pieces)
{
	unsigned long index = 0;

	while (fpr_forget_segment(zone, pieces, index++))
		cond_resched();
}

/*
 * What was reported of all zones is to be reported once more.
 *
 * Context: Process context, may sleep.
 */
void fpr_forget_all(void)
{
	struct zone *zone;

	if (!READ_ONCE(fpr_table))
		return;
	for_each_populated_zone(zone) {
		fpr_forget_zone(zone, false);
		fpr_forget_zone(zone, true);
	}
}

static int fpr_flush(unsigned long *pages, bool anew)
{
	struct fpr_backend **backends;
	int err;

	*pages = 0;
	backends = kcalloc(nr_node_ids, sizeof(*backends), GFP_KERNEL);
	if (!backends)
		return -ENOMEM;
	err = mutex_lock_interruptible(&fpr_flush_mutex);
	if (!err) {
		if (anew)
			fpr_forget_all();
		err = fpr_flush_all(backends, pages);
		mutex_unlock(&fpr_flush_mutex);
	}
	kfree(backends);
	return err;
}

/**
 * page_reporting_flush() - report all that is free now
 * @pages:	number of pages that were reported, also when an error is
 *		returned
 *
 * Reports every free block that was not reported since it became free, whatever
 * its age, and returns when the backends have acknowledged all of it.  What the
 * watermarks keep back, what is in pageblocks that must be left alone, and what
 * is freed meanwhile is not waited for.
 *
 * Context: Process context, may sleep.  Must not be called from the report
 * callback, nor while workqueues are frozen; freezing waits for a flush.
 * Return:
 * * %0		- all was reported
 * * %-EIO	- the backend could not report some entries
 * * %-ENODEV	- there is no backend, or it was unregistered meanwhile
 * * %-EPERM	- reporting is switched off
 * * %-EAGAIN	- a backend cannot report at the moment
 * * %-ENOMEM	- out of memory
 * * %-EINTR or %-ERESTARTSYS - a signal came
 * * another error with which a backend failed, now or before
 */
int page_reporting_flush(unsigned long *pages)
{
	return fpr_flush(pages, false);
}
EXPORT_SYMBOL_GPL(page_reporting_flush);

/**
 * page_reporting_flush_anew() - report all that is free once more
 * @pages:	number of pages that were reported, also when an error is
 *		returned
 *
 * Like page_reporting_flush(), for a hypervisor that may have put memory
 * behind free pages by itself, as saving or migrating a guest can do: what was
 * reported before is reported again.  When it fails, the rest is reported
 * later, as if it had just been freed.  What a hypervisor keeps until it is
 * restored is left as it is.  Nothing of this counts as memory that was wanted
 * again.
 *
 * Context: As for page_reporting_flush().
 * Return: As page_reporting_flush().
 */
int page_reporting_flush_anew(unsigned long *pages)
{
	return fpr_flush(pages, true);
}
EXPORT_SYMBOL_GPL(page_reporting_flush_anew);
