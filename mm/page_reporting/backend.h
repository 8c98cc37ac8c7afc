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
#include "policy.h"

struct fpr_zone;

/**
 * struct fpr_backend - a registered backend
 * @prdev:	what the driver registered
 * @node:	in fpr_backends, under fpr_mutex
 * @nodes:	NUMA nodes it reports, constant
 * @name:	for humans, constant
 * @holds:	what it reports is held, because it has a restore callback, constant
 * @order:	order of its trackers, written under fpr_mutex
 * @fine:	a finer order was asked for when they were built, same
 * @held_max:	pages that may be held for it, written without a lock
 * @excess_backoff: jiffies to wait after the worker could not restore what
 *		exceeds a limit, 0 if it could
 * @excess_retry_at: it does not try before this time, while that is not 0
 * @timer:	starts a pass when blocks are due
 * @wake:	arms @timer for those who must not
 * @wake_at:	the time for that, in jiffies, 0 for none
 * @work:	the pass
 * @wq:		freezable, so that nothing is isolated during suspend
 * @batch_count: odd while the worker has memory off the free lists
 * @batch_over:	woken up when it is all back
 * @next_slot:	zone with which the next pass begins, as an index of fpr_table
 * @batch:	storage of the worker, allocated at registration
 * @candidates:	page frames of due blocks, same
 * @census:	ages of the zone that the worker is at
 * @stopping:	being unregistered, set once
 * @error:	why the core stopped calling it, 0 while it does
 * @backoff:	jiffies to wait after -EAGAIN, 0 if the last batch went well
 * @retry_at:	no pass before this time, while @backoff is not 0
 * @entry_backoff: jiffies that entries which failed wait, 0 if none did lately
 * @entry_retry_at: when those that failed last will be tried again
 * @refs:	one for the registration and one for each other user
 * @flush_wanted: number of the last flush asked for, under fpr_mutex
 * @flush_done:	number of the last flush that ended, written by the worker
 * @flush_part:	pages that a flush which was interrupted has reported so far
 * @flush_pages: pages that this flush reported, valid after @flush_done
 * @flush_error: and its result
 * @flushed:	woken up when a flush ended
 */
struct fpr_backend {
	struct page_reporting_dev_info *prdev;
	struct list_head node;
	nodemask_t nodes;
	const char *name;
	bool holds;
	unsigned int order;
	bool fine;
	unsigned long held_max;
	u32 excess_backoff;
	u32 excess_retry_at;
	struct timer_list timer;
	struct irq_work wake;
	atomic_long_t wake_at;
	struct work_struct work;
	struct workqueue_struct *wq;
	unsigned int batch_count;
	wait_queue_head_t batch_over;
	unsigned int next_slot;
	struct fpr_batch batch;
	unsigned long *candidates;
	struct fpr_census census;
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
