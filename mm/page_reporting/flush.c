// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: flush, which has all that is free reported now.
 *
 * Asks the worker of every backend for a pass that heeds no age (cycle.c), and
 * waits for them.  Callers are sysfs.c and whoever in the kernel wants memory
 * back at the host.
 */
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "internal.h"

/* One flush at a time, so that each knows what it reported. */
static DEFINE_MUTEX(fpr_flush_mutex);

/* Pages reported by the last flush. */
static atomic_long_t fpr_flushed_pages;

unsigned long fpr_last_flush_pages(void)
{
	return atomic_long_read(&fpr_flushed_pages);
}

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
	atomic_long_set(&fpr_flushed_pages, *pages);
	return err;
}

/**
 * page_reporting_flush() - report all that is free now
 * @pages:	number of pages that were reported, also when an error is
 *		returned
 *
 * Reports every free block, whatever its age, and returns when the backends
 * have acknowledged all of it.  What the watermarks keep back, what is in
 * pageblocks that must be left alone, and what is freed meanwhile is not
 * waited for.
 *
 * Context: Process context, may sleep.  Must not be called from the report
 * callback, nor while workqueues are frozen; freezing waits for a flush.
 * Return:
 * * %0		- all was reported
 * * %-EIO	- the backend could not report some entries
 * * %-ENODEV	- there is no backend, or it went away
 * * %-EPERM	- reporting is switched off
 * * %-EAGAIN	- a backend cannot report at the moment
 * * %-ENOMEM	- out of memory
 * * %-EINTR or %-ERESTARTSYS - a signal came
 * * another error with which a backend failed, now or before
 */
int page_reporting_flush(unsigned long *pages)
{
	struct fpr_backend **backends;
	int err;

	*pages = 0;
	backends = kcalloc(nr_node_ids, sizeof(*backends), GFP_KERNEL);
	if (!backends)
		return -ENOMEM;
	err = mutex_lock_interruptible(&fpr_flush_mutex);
	if (!err) {
		err = fpr_flush_all(backends, pages);
		mutex_unlock(&fpr_flush_mutex);
	}
	kfree(backends);
	return err;
}
EXPORT_SYMBOL_GPL(page_reporting_flush);
