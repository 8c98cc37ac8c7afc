/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: what the files of the core share.
 *
 * core.c	registration, life cycle, the lock order
 * sysfs.c	tunables, state and counters
 * hotplug.c	memory that comes and goes
 * events.c	suspend, hibernation and kexec
 * hook.c	what the allocator calls
 * cycle.c	the worker: collect, isolate, report, return
 * flush.c	reporting all that is free at once, and waiting for it
 * order.c	the order of a block, and changing it
 * held.c	blocks that the hypervisor keeps until they are restored
 * table.c	which tracker a zone has; builds and exchanges them
 * reserve.c	what will be wanted again
 * backend.c	registered backends: list, references, timer
 * freelist.c	find, judge and put back what is on the free lists
 * tracker.c	segments: which blocks are pending, reported, and since when
 * batch.c	entries of a batch
 * policy.c	when and how much, as pure functions
 * tunables.c	tunables and counters
 *
 * A block is memory of the reporting order, naturally aligned.  It is pending
 * when it became free and was not reported since.  Times are jiffies, cut to
 * 32 bits and compared as differences.
 */
#ifndef _MM_PAGE_REPORTING_INTERNAL_H
#define _MM_PAGE_REPORTING_INTERNAL_H

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/irq_work.h>
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/nodemask.h>
#include <linux/page_reporting.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define FPR_SEGMENT_BLOCKS	BITS_PER_LONG
#define FPR_SEGMENT_SHIFT	(BITS_PER_LONG == 64 ? 6 : 5)

/**
 * struct fpr_segment - state of FPR_SEGMENT_BLOCKS consecutive blocks
 * @pending:	blocks that became free and were not reported since
 * @reported:	blocks that were reported and not freed into since
 * @fresh:	pending blocks that nobody has used since they are tracked, or
 *		since they were reported
 * @stamp:	when the block last changed to pending or reported
 * @rcu:	for freeing, the collect stage reads without a lock
 *
 * Written under zone->lock.
 */
struct fpr_segment {
	unsigned long pending;
	unsigned long reported;
	unsigned long fresh;
	u32 stamp[FPR_SEGMENT_BLOCKS];
	struct rcu_head rcu;
};

/**
 * struct fpr_recent - an amount of memory that is forgotten after a while
 * @pages:	what was added in this window and in the one before
 * @since:	when this window began
 */
struct fpr_recent {
	unsigned long pages[2];
	u32 since;
};

/**
 * struct fpr_swing - how the free memory of a zone went up and down lately
 * @low:	least that was free, in this window and in the one before
 * @high:	most that was free since the least was
 * @reused:	most that was freed and then taken again
 * @since:	when this window began
 */
struct fpr_swing {
	unsigned long low[2];
	unsigned long high[2];
	unsigned long reused[2];
	u32 since;
};

/**
 * struct fpr_zone - what is tracked of a zone
 * @zone:	the zone
 * @backend:	to which its blocks are reported
 * @order:	order of a block
 * @below:	free list entries of this order and larger are left alone
 * @fine:	the tracker of a finer order for what is left alone by this one,
 *		or NULL
 * @base:	number of the first segment, counted from page frame 0
 * @nr_segments: length of @segments
 * @nr_pending:	blocks that are pending
 * @since:	when @nr_pending last left zero, or a pass last ended
 * @recent:	memory that was reported lately
 * @reserve:	pages that are held back because they will be wanted again
 * @swing:	how much was freed and taken again lately, the most to hold back
 * @isolated:	pages that a batch has taken off the free lists
 * @age:	age at which the last pass reported, in jiffies
 * @summary:	a bit per segment, set while any of its blocks is pending
 * @segments:	NULL where there is no memory
 *
 * Members from @nr_pending on are written under zone->lock; the others do not
 * change once the structure is published.
 */
struct fpr_zone {
	struct zone *zone;
	struct fpr_backend *backend;
	unsigned int order;
	unsigned int below;
	struct fpr_zone *fine;
	unsigned long base;
	unsigned long nr_segments;
	unsigned long nr_pending;
	u32 since;
	struct fpr_recent recent;
	unsigned long reserve;
	struct fpr_swing swing;
	unsigned long isolated;
	u32 age;
	unsigned long *summary;
	struct fpr_segment __rcu *segments[] __counted_by(nr_segments);
};

/**
 * struct fpr_scan - where the collect stage is in a zone, and what is due
 * @fine:	which of the trackers of the zone
 * @segment:	index of the next segment
 * @order:	order of the tracker that @segment belongs to
 * @now:	time at which the ages are taken
 * @age:	a block may be due once it has been pending for so long
 * @hold:	and is due for certain when it has been for so much longer
 * @quota:	blocks that are due although they are younger than that
 * @ceiling:	when a block that is held back will be due at the latest
 * @next:	time until the first block that was seen will be due
 */
struct fpr_scan {
	bool fine;
	unsigned long segment;
	unsigned int order;
	u32 now;
	u32 age;
	u32 hold;
	unsigned long quota;
	u32 ceiling;
	u32 next;
};

#define FPR_CENSUS_BUCKETS	64

/**
 * struct fpr_census - how old the pending blocks of a zone are
 * @width:	what a bucket stands for, in jiffies
 * @blocks:	pending blocks by age, all older ones in the last bucket
 */
struct fpr_census {
	u32 width;
	unsigned long blocks[FPR_CENSUS_BUCKETS];
};

#define FPR_NEVER	U32_MAX

/**
 * struct fpr_range - consecutive pages of one zone
 * @pfn:	first page frame
 * @nr_pages:	number of pages
 */
struct fpr_range {
	unsigned long pfn;
	unsigned long nr_pages;
};

/**
 * struct fpr_batch - what is off the free lists at the moment
 * @sgl:	the entries as the backend sees them
 * @entries:	the same entries; a backend may change @sgl
 * @nr_entries:	number of entries
 * @isolated:	what was taken off the free lists, a range per free list entry
 * @nr_isolated: number of those
 * @capacity:	length of the arrays
 * @limit:	entries that the next batch may have; fewer after -EAGAIN
 * @merge:	make adjacent blocks one entry
 * @fine:	its blocks are those of the finer order
 * @order:	order of a block when the batch was isolated
 * @pages:	pages in @entries
 * @isolated_pages: pages in @isolated
 * @spare:	pages above the high watermark before isolation
 * @room:	pages that may be isolated because they may be held
 * @retry_stamp: when entries that fail count as freed; may be ahead
 * @failed:	some entries were not reported
 *
 * Owned by the worker.  @isolated and @nr_isolated are written under zone->lock,
 * for those who want the memory.
 */
struct fpr_batch {
	struct scatterlist *sgl;
	struct fpr_range *entries;
	unsigned int nr_entries;
	struct fpr_range *isolated;
	unsigned int nr_isolated;
	unsigned int capacity;
	unsigned int limit;
	bool merge;
	bool fine;
	unsigned int order;
	unsigned long pages;
	unsigned long isolated_pages;
	unsigned long spare;
	unsigned long room;
	u32 retry_stamp;
	bool failed;
};

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

/* Counters, in the order of fpr_counter_names. */
enum fpr_counter {
	FPR_REPORTED,		/* pages that a backend reported */
	FPR_REFAULTED,		/* pages wanted again soon after a report */
	FPR_FAILED,		/* pages that a backend could not report */
	FPR_SKIPPED,		/* pages found in use when their turn came */
	FPR_DEFERRED,		/* pages left for later: see cycle.c */
	FPR_RESTORED,		/* held pages that came back */
	FPR_TAKEN,		/* held pages that a balloon driver took over */
	FPR_NR_PAGE_COUNTERS,
	FPR_PASSES = FPR_NR_PAGE_COUNTERS,
	FPR_BATCHES,
	FPR_NR_COUNTERS
};

/* Tunables.  Read without a lock, written through sysfs and parameters. */
struct fpr_tunables {
	unsigned int age_ms;
	unsigned int max_age_ms;
	unsigned int threshold_kb;
	unsigned int max_delay_ms;
	unsigned int fine_age_ms;
	unsigned int held_max_kb;
	unsigned int held_reserve_percent;
	bool enabled;
};

#define FPR_MS_MAX		600000		/* ten minutes */
#define FPR_THRESHOLD_KB_MAX	1073741824U	/* a tebibyte */
#define FPR_HELD_KB_MAX		4294967295U	/* four of them: no limit */
#define FPR_HELD_PERCENT_MAX	100

/* tunables.c */
extern atomic_long_t fpr_counters[FPR_NR_COUNTERS];
extern struct fpr_tunables fpr_tunables;

static inline void fpr_count(enum fpr_counter counter, unsigned long n)
{
	atomic_long_add(n, &fpr_counters[counter]);
}

/* backend.c */
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
int fpr_await_batch(struct fpr_backend *backend);
void fpr_backend_destroy(struct fpr_backend *backend);
struct fpr_backend *fpr_backend_get(struct page_reporting_dev_info *prdev);
void fpr_backend_put(struct fpr_backend *backend);
struct fpr_backend **fpr_backends_get(void);
void fpr_backends_put(struct fpr_backend **backends);
struct fpr_backend *fpr_backend_of(int nid);

/* reserve.c */
void fpr_expect_reuse(struct fpr_zone *fz, unsigned long pages,
		      unsigned long reused);
void fpr_release_reserve(struct fpr_zone *fz, unsigned long pages);
unsigned long fpr_note_free(struct fpr_zone *fz, unsigned long freed);
void fpr_learn(struct fpr_zone *fz, unsigned long pages, unsigned long reused);

/* order.c */
#define FPR_ORDER_UNSET		((unsigned int)-1)

extern bool fpr_order_chosen;
unsigned int fpr_current_order(void);
int fpr_rebuild(unsigned int order, bool fine);
int fpr_set_order(unsigned int order);
int fpr_set_fine_age(unsigned int ms);
int fpr_follow_order(struct fpr_backend *backend);

/* table.c */
extern struct fpr_zone __rcu **fpr_table;
int fpr_alloc_table(void);
struct fpr_zone *fpr_zone_of(struct zone *zone);
unsigned long fpr_present_blocks(const struct fpr_zone *fz,
				 unsigned long index);
bool fpr_has_fine(const struct fpr_backend *backend, unsigned int order,
		  bool fine);
unsigned int fpr_fine_order(unsigned int order);
struct fpr_zone *fpr_build(struct fpr_backend *backend, struct zone *zone,
			   unsigned int order, bool fine);
struct fpr_zone *fpr_publish(struct zone *zone, struct fpr_zone *fz);
int fpr_await_batch_at(struct zone *zone, unsigned long start_pfn,
		       unsigned long end_pfn);
unsigned long fpr_pending_pages(void);
unsigned long fpr_isolated_pages(void);
u32 fpr_current_age(void);
void fpr_remove_trackers(struct fpr_backend *backend);
struct fpr_zone *fpr_grow(struct fpr_backend *backend, struct zone *zone);
bool fpr_is_current(const struct fpr_backend *backend,
		    const struct fpr_zone *fz);

static inline struct fpr_zone __rcu **fpr_slot(struct zone *zone)
{
	return &fpr_table[zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone)];
}

/* The tracker of @zone or NULL.  Context: RCU read side. */
static inline struct fpr_zone *fpr_zone_get(struct zone *zone)
{
	return rcu_dereference(*fpr_slot(zone));
}

/* The tracker of @zone or NULL, for as long as zone->lock is held. */
static inline struct fpr_zone *fpr_zone_get_locked(struct zone *zone)
{
	return rcu_dereference_protected(*fpr_slot(zone),
					 lockdep_is_held(&zone->lock));
}

/* tracker.c */
struct fpr_zone *fpr_zone_alloc(struct zone *zone, unsigned long start_pfn,
				unsigned long end_pfn, unsigned int order);
void fpr_zone_free(struct fpr_zone *fz);
struct fpr_segment *fpr_segment_alloc(unsigned long pending, int nid, u32 now);
void fpr_segment_install(struct fpr_zone *fz, unsigned long index,
			 struct fpr_segment *segment);
struct fpr_segment *fpr_segment_remove(struct fpr_zone *fz,
				       unsigned long index);
void fpr_inherit(struct fpr_zone *fz, struct fpr_zone *old);
unsigned long fpr_mark_freed(struct fpr_zone *fz, unsigned long pfn,
			     unsigned int freed_order, u32 now);
void fpr_mark_pending(struct fpr_zone *fz, const struct fpr_range *range,
		      u32 now);
void fpr_drop(struct fpr_zone *fz, const struct fpr_range *range);
unsigned long fpr_mark_reported(struct fpr_zone *fz,
				const struct fpr_range *range, u32 now);
bool fpr_clear_pending(struct fpr_zone *fz, unsigned long pfn);
bool fpr_restamp(struct fpr_zone *fz, unsigned long pfn, u32 now);
bool fpr_block_due(struct fpr_zone *fz, unsigned long pfn,
		   const struct fpr_scan *scan);
bool fpr_block_expired(struct fpr_zone *fz, unsigned long pfn,
		       const struct fpr_scan *scan);
bool fpr_next_due(struct fpr_zone *fz, unsigned long pfn, unsigned long end,
		  const struct fpr_scan *scan, struct fpr_range *range);
unsigned int fpr_collect(struct fpr_zone *fz, struct fpr_scan *scan,
			 unsigned long *pfns, unsigned int max);
void fpr_rewind(struct fpr_zone *fz, struct fpr_scan *scan,
		const unsigned long *pfns, unsigned int nr);
void fpr_take_census(struct fpr_zone *fz, struct fpr_census *census, u32 now,
		     u32 ceiling);
void fpr_forget_reported(struct fpr_zone *fz, unsigned long index, u32 now);

static inline unsigned long fpr_block_pages(const struct fpr_zone *fz)
{
	return 1UL << fz->order;
}

/* The tracker of one of the two orders, NULL if there is none. */
static inline struct fpr_zone *fpr_level(struct fpr_zone *fz, bool fine)
{
	return fz && fine ? fz->fine : fz;
}

/* What is pending beyond what is held back: only that is worth a pass. */
static inline unsigned long fpr_excess_pages(const struct fpr_zone *fz)
{
	unsigned long pending = READ_ONCE(fz->nr_pending) << fz->order;
	unsigned long reserve = READ_ONCE(fz->reserve);

	return pending > reserve ? pending - reserve : 0;
}

static inline unsigned long fpr_segment_index(const struct fpr_zone *fz,
					      unsigned long pfn)
{
	return (pfn >> (fz->order + FPR_SEGMENT_SHIFT)) - fz->base;
}

static inline unsigned int fpr_block_bit(const struct fpr_zone *fz,
					 unsigned long pfn)
{
	return (pfn >> fz->order) % FPR_SEGMENT_BLOCKS;
}

static inline unsigned long fpr_segment_pfn(const struct fpr_zone *fz,
					    unsigned long index)
{
	return (fz->base + index) << (fz->order + FPR_SEGMENT_SHIFT);
}

/* flush.c */
unsigned long fpr_last_flush_pages(void);

/* policy.c */

/* Backing off ends here: a host that recovers is noticed within a minute. */
#define FPR_BACKOFF_MAX		((u32)HZ * 60)

bool fpr_due(const struct fpr_scan *scan, u32 stamp);
bool fpr_held_back(struct fpr_scan *scan, u32 stamp);
void fpr_refund(struct fpr_scan *scan, u32 stamp);
bool fpr_expired(const struct fpr_scan *scan, u32 stamp);
u32 fpr_until_due(const struct fpr_scan *scan, u32 stamp);
void fpr_choose_age(struct fpr_scan *scan, const struct fpr_census *census,
		    unsigned long reserve, u32 floor, u32 ceiling);
void fpr_recent_add(struct fpr_recent *recent, unsigned long pages, u32 now,
		    u32 window);
unsigned long fpr_recent_take(struct fpr_recent *recent, unsigned long pages,
			      u32 now, u32 window);
void fpr_swing_init(struct fpr_swing *swing, unsigned long free, u32 now);
unsigned long fpr_swing_note(struct fpr_swing *swing, unsigned long free,
			     u32 now, u32 window);
bool fpr_pass_wanted(unsigned long excess_kb, unsigned long threshold_kb,
		     u32 waited, u32 max_delay);
bool fpr_may_isolate(unsigned long spare, unsigned long isolated,
		     unsigned long more);
u32 fpr_backoff_left(u32 backoff, u32 retry_at, u32 now);
u32 fpr_next_backoff(u32 backoff, u32 base);

/* batch.c */
int fpr_batch_init(struct fpr_batch *batch, unsigned int capacity, bool merge);
void fpr_batch_destroy(struct fpr_batch *batch);
void fpr_batch_reset(struct fpr_batch *batch, unsigned long spare,
		     unsigned long room);
bool fpr_batch_full(const struct fpr_batch *batch, unsigned long more);
bool fpr_batch_add(struct fpr_batch *batch, struct fpr_range *range);
void fpr_batch_seal(struct fpr_batch *batch);
bool fpr_batch_overlaps(const struct fpr_batch *batch, unsigned long start_pfn,
			unsigned long end_pfn);

/* The largest naturally aligned power of two at the start of @range. */
static inline unsigned long fpr_aligned_pages(const struct fpr_range *range)
{
	unsigned long pages = rounddown_pow_of_two(range->nr_pages);

	return range->pfn ? min(pages, 1UL << __ffs(range->pfn)) : pages;
}

/* freelist.c */
struct page *fpr_find_buddy(const struct fpr_zone *fz, unsigned long pfn);
bool fpr_must_defer(const struct fpr_zone *fz, struct page *page);
bool fpr_split_by_isolation(const struct fpr_zone *fz, unsigned long pfn);
bool fpr_isolate(struct page *buddy, unsigned int order);
void fpr_put_back(const struct fpr_range *range);

/* cycle.c */
void fpr_work(struct work_struct *work);

/* held.c */
extern atomic_long_t fpr_lost;
int fpr_restore_excess(struct fpr_backend *backend, unsigned long limit);
int fpr_held_attach(struct fpr_backend *backend);
void fpr_held_detach(struct fpr_backend *backend);
unsigned long fpr_held_pages(const struct fpr_backend *backend);
unsigned long fpr_held_room(const struct fpr_backend *backend);
int page_reporting_restore_range(unsigned long start_pfn,
				 unsigned long end_pfn);
bool fpr_has_holes(unsigned long start_pfn, unsigned long end_pfn);
unsigned long fpr_held_reserve(struct zone *zone);
unsigned long fpr_unusable_pages(struct zone *zone);
void fpr_obey_limit(struct fpr_backend *backend);
void fpr_conceal(const struct fpr_range *entry);
void fpr_reveal(const struct fpr_range *entry);
void fpr_hold(struct zone *zone, const struct fpr_range *entry);

static inline unsigned long fpr_lost_pages(void)
{
	return atomic_long_read(&fpr_lost);
}

/* Is the page one that the hypervisor keeps? */
static inline bool fpr_is_held(struct page *page)
{
	return PageOffline(page) && !page_count(page);
}

#endif /* _MM_PAGE_REPORTING_INTERNAL_H */
