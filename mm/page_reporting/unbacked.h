/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: blocks that the hypervisor has until they are restored.
 */
#ifndef _MM_PAGE_REPORTING_UNBACKED_H
#define _MM_PAGE_REPORTING_UNBACKED_H

#include <linux/atomic.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/types.h>

struct fpr_backend;
struct fpr_batch;
struct fpr_range;

/*
 * The order of the unbacked block that begins with @page, while it is one: it
 * is kept where a folio has its index.
 */
static inline unsigned int fpr_unbacked_order(const struct page *page)
{
	return page->__folio_index;
}

static inline void fpr_set_unbacked_order(struct page *page, unsigned int order)
{
	page->__folio_index = order;
}

/* Is the page one that the hypervisor has? */
static inline bool fpr_is_unbacked(struct page *page)
{
	return PageOffline(page) && !page_count(page);
}

#ifdef CONFIG_PAGE_REPORTING_RESTORE
/**
 * struct fpr_unbacked - the unbacked blocks of a zone
 * @backend:	M: which restores them, NULL if there is none
 * @blocks:	Z: first pages of the blocks, by order, linked through page->lru
 * @nr_blocks:	Z: length of each of these lists
 * @nr_pages:	Z: number of pages in them
 * @progress:	Z: restores that brought anything back
 * @next:	Z: order at which the search goes on, 0 after a restore that
 *		brought anything back
 * @backoff:	Z: jiffies to wait after a failure, 0 if the last restore went
 *		well
 * @retry_at:	Z: no allocation tries before, while @backoff is not 0
 *
 * M: written under fpr_mutex, read under zone->lock and RCU.
 * Z: written under zone->lock, the numbers also read without a lock.
 *
 * The first page of a block has its order, and in page->private how many of its
 * last pages are back.  It is PagePrivate until the block is whole again, and
 * only on a list while nobody is restoring it.
 */
struct fpr_unbacked {
	struct fpr_backend *backend;
	struct list_head blocks[NR_PAGE_ORDERS];
	unsigned long nr_blocks[NR_PAGE_ORDERS];
	unsigned long nr_pages;
	unsigned long progress;
	unsigned int next;
	u32 backoff;
	u32 retry_at;
};

extern struct fpr_unbacked *fpr_unbacked_table;
extern atomic_long_t fpr_lost;

struct fpr_unbacked *fpr_unbacked_of(struct zone *zone);
unsigned long fpr_unbacked_in(struct zone *zone);
unsigned long fpr_unbacked_pages(const struct fpr_backend *backend);
void fpr_link(struct zone *zone, struct page *page);
void fpr_unlink(struct zone *zone, struct page *page);
bool fpr_is_unbacked_block(struct page *page);
void fpr_clear_offline(const struct fpr_range *entry);
struct page *fpr_first_block(struct fpr_unbacked *unbacked, unsigned int order);
struct page *fpr_search_up(struct fpr_unbacked *unbacked, unsigned int order);
struct page *fpr_search_down(struct fpr_unbacked *unbacked, unsigned int order);
struct page *fpr_find_larger(struct fpr_unbacked *unbacked, unsigned int order);
struct page *fpr_find_smaller(struct fpr_unbacked *unbacked,
			      unsigned int order);
unsigned long fpr_unbacked_limit(const struct fpr_backend *backend);
unsigned long fpr_unbacked_room(const struct fpr_backend *backend);
unsigned long fpr_unbacked_reserve(const struct fpr_backend *backend,
				   struct zone *zone);
void fpr_unbacked_begin(struct fpr_backend *backend);
void fpr_unbacked_end(struct fpr_backend *backend, int err);
void fpr_return_unbacked(struct zone *zone, const struct fpr_batch *batch,
			 const struct fpr_range *range, unsigned int *at,
			 int err);
int fpr_unbacked_attach(struct fpr_backend *backend);
unsigned long fpr_unbacked_abandon(struct fpr_backend *backend);
void fpr_unbacked_forget(const struct fpr_backend *backend);

static inline unsigned long fpr_lost_pages(void)
{
	return atomic_long_read(&fpr_lost);
}
#else /* CONFIG_PAGE_REPORTING_RESTORE */
static inline unsigned long fpr_unbacked_pages(const struct fpr_backend *backend)
{
	return 0;
}

static inline unsigned long fpr_unbacked_room(const struct fpr_backend *backend)
{
	return ULONG_MAX;
}

static inline unsigned long
fpr_unbacked_reserve(const struct fpr_backend *backend, struct zone *zone)
{
	return 0;
}

static inline void fpr_unbacked_begin(struct fpr_backend *backend)
{
}

static inline void fpr_unbacked_end(struct fpr_backend *backend, int err)
{
}

static inline void fpr_return_unbacked(struct zone *zone,
				       const struct fpr_batch *batch,
				       const struct fpr_range *range,
				       unsigned int *at, int err)
{
}

static inline int fpr_unbacked_attach(struct fpr_backend *backend)
{
	return 0;
}

static inline unsigned long fpr_lost_pages(void)
{
	return 0;
}
#endif /* CONFIG_PAGE_REPORTING_RESTORE */
#endif /* _MM_PAGE_REPORTING_UNBACKED_H */
