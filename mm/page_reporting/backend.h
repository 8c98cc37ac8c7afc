/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the registered backends.
 */
#ifndef _MM_PAGE_REPORTING_BACKEND_H
#define _MM_PAGE_REPORTING_BACKEND_H

#include <linux/atomic.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/page_reporting.h>
#include <linux/refcount.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "batch.h"
#include "reuse.h"
#include "tunables.h"

struct fpr_consolidation;
struct fpr_zone;
struct kobject;

/**
 * struct fpr_backend - a registered backend
 * @prdev:	C: what the driver registered
 * @node:	M: in fpr_backends
 * @nodes:	C: NUMA nodes it reports
 * @name:	C: for humans
 * @dir:	M: its directory in sysfs, NULL if there is none
 * @counters:	A: what was done for it
 * @restores:	C: it has a restore callback, so what it reported is unbacked
 * @order:	M: order of its trackers
 * @pieces:	M: pieces were asked for when they were built
 * @unbacked_max: A: pages that may be unbacked for it
 * @excess_backoff: W: jiffies to wait after what exceeds a limit could not be
 *		restored, 0 if it could
 * @excess_retry_at: W: it is not tried before, while that is not 0
 * @timer:	starts a pass when blocks are due
 * @wake:	arms @timer for those who must not
 * @wake_at:	A: the time for that, in jiffies, 0 for none
 * @work:	the pass
 * @wq:		C: freezable, because Xen suspends without a PM notifier
 * @consolidation: C: what it does with fragments, NULL if that is left out
 * @consolidation_wq: C: for that, freezable as well
 * @batch_count: W: odd while a batch has memory off the free lists
 * @batch_over:	woken up when it is all back
 * @next_slot:	W: zone with which the next pass begins, as an index of fpr_table
 * @batch:	W: the batch; what others may look at says so
 * @candidates:	W: page frames of due blocks
 * @histogram:	W: ages of the zone that the worker is at
 * @stopping:	M: being unregistered, set once
 * @error:	A: why the core stopped calling it, 0 while it does
 * @backoff:	W: jiffies to wait after -EAGAIN, 0 if the last batch went well
 * @retry_at:	W: no pass before this time, while @backoff is not 0
 * @entry_backoff: W: jiffies that entries which failed wait, 0 if none did
 *		lately
 * @entry_retry_at: W: when those that failed last will be tried again
 * @refs:	A: one for the registration and one for each other user
 * @flush_wanted: M: number of the last flush asked for
 * @flush_done:	W: number of the last flush that ended
 * @flush_part:	W: pages that a flush which was interrupted has reported so far
 * @flush_pages: W: pages that this flush reported, valid after @flush_done
 * @flush_error: W: and its result
 * @flushed:	woken up when a flush ended
 *
 * A: written at any time, without a lock.
 * C: constant once it is registered.
 * M: written under fpr_mutex.
 * W: written by the worker; enabling writes the back-off times too.
 */
struct fpr_backend {
	struct page_reporting_dev_info *prdev;
	struct list_head node;
	nodemask_t nodes;
	const char *name;
	struct kobject *dir;
	struct fpr_counters counters;
	bool restores;
	unsigned int order;
	bool pieces;
	unsigned long unbacked_max;
	u32 excess_backoff;
	u32 excess_retry_at;
	struct timer_list timer;
	struct irq_work wake;
	atomic_long_t wake_at;
	struct work_struct work;
	struct workqueue_struct *wq;
	struct fpr_consolidation *consolidation;
	struct workqueue_struct *consolidation_wq;
	unsigned int batch_count;
	wait_queue_head_t batch_over;
	unsigned int next_slot;
	struct fpr_batch batch;
	unsigned long *candidates;
	struct fpr_age_histogram histogram;
	bool stopping;
	int error;
	u32 backoff;
	u32 retry_at;
	u32 entry_backoff;
	u32 entry_retry_at;
	refcount_t refs;
	unsigned long flush_wanted;
	unsigned long flush_done;
	unsigned long flush_part;
	unsigned long flush_pages;
	int flush_error;
	wait_queue_head_t flushed;
};

extern struct mutex fpr_mutex;
extern struct list_head fpr_backends;
void fpr_schedule(struct fpr_backend *backend, u32 delay);
void fpr_init_wakeup(struct fpr_backend *backend);
void fpr_end_wakeup(struct fpr_backend *backend);
void fpr_wake_in(const struct fpr_zone *fz, unsigned int ms);
void fpr_wake(const struct fpr_zone *fz);
void fpr_kick_all(void);
void fpr_set_enabled(bool enabled);
bool fpr_paused(void);
int fpr_pause_all(void);
void fpr_resume_all(void);
bool fpr_begin_batch(struct fpr_backend *backend);
void fpr_end_batch(struct fpr_backend *backend);
unsigned int fpr_batch_count(const struct fpr_backend *backend);
int fpr_await_batch(struct fpr_backend *backend, unsigned int count);
void fpr_backend_destroy(struct fpr_backend *backend);
struct fpr_backend *fpr_backend_get(struct page_reporting_dev_info *prdev);
void fpr_backend_put(struct fpr_backend *backend);
struct fpr_backend **fpr_backends_get(void);
void fpr_backends_put(struct fpr_backend **backends);
struct fpr_backend *fpr_backend_of(int nid);

#endif /* _MM_PAGE_REPORTING_BACKEND_H */
