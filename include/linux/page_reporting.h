/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the interface for backends.
 *
 * A backend tells the hypervisor which blocks of guest memory are free.  The
 * core finds such blocks, takes them off the allocator's free lists, hands
 * them to the backend in batches and puts them back afterwards.  See
 * Documentation/mm/page_reporting.rst for the design and for a complete
 * example of a backend.
 */
#ifndef _LINUX_PAGE_REPORTING_H
#define _LINUX_PAGE_REPORTING_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/list.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

/**
 * define PAGE_REPORTING_CAPACITY - entries in a batch, if the backend does
 * not say
 */
#define PAGE_REPORTING_CAPACITY		32

/**
 * define PAGE_REPORTING_CAPACITY_MAX - most entries that a backend may ask for
 */
#define PAGE_REPORTING_CAPACITY_MAX	1024

/**
 * define PAGE_REPORTING_MERGE - the backend accepts entries that are no power
 * of two pages, so adjacent pageblocks become one entry
 */
#define PAGE_REPORTING_MERGE		BIT(0)

/**
 * define PAGE_REPORTING_PIECES - the backend accepts entries that are smaller
 * than the order in use, so free memory that is no whole block can be reported
 * if the user sets an age for it
 */
#define PAGE_REPORTING_PIECES		BIT(1)

/**
 * define PAGE_REPORTING_ORDER_UNSPECIFIED - order of a backend that leaves the
 * choice to the core
 */
#define PAGE_REPORTING_ORDER_UNSPECIFIED	-1

/**
 * struct page_reporting_dev_info - a backend that reports free blocks
 * @report:	Required.  Tells the hypervisor that the @nents entries of @sg
 *		are free.  Called from process context with no lock held, may
 *		sleep, is never entered concurrently for one backend.  Every
 *		entry is off the free lists until the callback ends, and it
 *		must not end before the hypervisor is done with the batch or
 *		can no longer act on it.  An entry is a power of two pages,
 *		naturally aligned, of the order in use or more, unless @flags
 *		say otherwise.  None crosses the border of a section.
 *		Must not call page_reporting_unregister() nor
 *		page_reporting_limit_unbacked().
 *
 *		A result of 0 says that the batch was reported, but for the
 *		entries for which page_reporting_entry_failed() was called.
 *		With -EAGAIN nothing was reported, and the core tries again,
 *		waiting longer each time, with fewer entries at a time.  That
 *		all entries failed is the same.  With any other negative error
 *		code nothing was reported, and the core stops calling the
 *		backend until it is enabled again through sysfs; but if
 *		page_reporting_raise_order() was called, it tries again with
 *		larger blocks.
 * @restore:	Optional.  Says that the hypervisor does not fault memory back
 *		in.  Blocks that were reported are then unbacked: the core
 *		keeps them off the free lists until this callback has brought
 *		back the one of 2^@order pages at @page, which is an entry that
 *		was reported.  Called in any context in which memory is
 *		allocated: must not sleep nor allocate memory, may be entered on
 *		several processors at once for different blocks, and while
 *		@report runs for yet others.  The contents of the pages do not
 *		matter.
 *
 *		A result of 0 says that every page of the block is backed by
 *		memory.  With a negative error code the block stays unbacked,
 *		and the core tries again later.  page_private() of @page, which
 *		is 0 when a block is reported, says how many pages of the block
 *		are back, and it is the callback that writes it.  These must be
 *		the last pages, because the core may split the block; of a part
 *		that is back already, only a result of 0 is asked for.
 *
 *		While a block is reported and unbacked, all its pages are
 *		PageOffline.  Cannot be combined with any of @flags nor with
 *		debug_pagealloc, and needs CONFIG_PAGE_REPORTING_RESTORE.
 * @unbacked_max: Optional.  Most pages that may be unbacked, 0 for no limit of
 *		the backend's own.  See page_reporting_limit_unbacked().
 * @order:	Required.  Smallest block to be reported, as a page order of at
 *		most MAX_PAGE_ORDER.  PAGE_REPORTING_ORDER_UNSPECIFIED leaves
 *		the choice to the core, which takes pageblock_order.  The choice
 *		of a user, or of a backend that is registered already, overrides
 *		it.
 * @capacity:	Optional.  Most entries in a batch.  0 stands for
 *		PAGE_REPORTING_CAPACITY, and more than
 *		PAGE_REPORTING_CAPACITY_MAX for that.
 * @flags:	Optional.  PAGE_REPORTING_MERGE and PAGE_REPORTING_PIECES.
 * @name:	Optional.  Identifies the backend in sysfs, traces and log
 *		messages.  NULL stands for "unnamed".
 * @nodes:	Optional.  The NUMA nodes whose memory is reported through
 *		this backend, copied at registration.  NULL stands for all
 *		nodes.
 *
 * The backend owns the structure and must leave it alone and keep it valid
 * from page_reporting_register() until page_reporting_unregister() returns.
 * Members that are not used must be zero.
 */
struct page_reporting_dev_info {
	int (*report)(struct page_reporting_dev_info *prdev,
		      struct scatterlist *sg, unsigned int nents);
	int (*restore)(struct page_reporting_dev_info *prdev,
		       struct page *page, unsigned int order);
	unsigned long unbacked_max;
	unsigned int order;
	unsigned int capacity;
	unsigned int flags;
	const char *name;
	const nodemask_t *nodes;
	/* private: written by page_reporting_raise_order() */
	unsigned int least_order;
};

/**
 * page_reporting_entry_failed() - say that one entry was not reported
 * @sg:		Entry of the batch that was passed to the report callback.
 *
 * The core tries the entry again later.
 *
 * Context: Only from within the report callback.
 */
static inline void page_reporting_entry_failed(struct scatterlist *sg)
{
	sg->length = 0;
}

/**
 * page_reporting_raise_order() - say that the hypervisor refuses small blocks
 * @prdev:	Backend whose report callback is running.
 * @order:	Smallest order that the hypervisor accepts, as a page order.
 *
 * To be called before the callback returns an error.  The core then uses blocks
 * of @order at least, for all backends, and does not let the user choose less.
 *
 * Context: Only from within the report callback.
 */
static inline void
page_reporting_raise_order(struct page_reporting_dev_info *prdev,
			   unsigned int order)
{
	WRITE_ONCE(prdev->least_order, order);
}

int page_reporting_register(struct page_reporting_dev_info *prdev);
void page_reporting_unregister(struct page_reporting_dev_info *prdev);
int page_reporting_flush(unsigned long *pages);
int page_reporting_flush_anew(unsigned long *pages);

/* With CONFIG_PAGE_REPORTING_RESTORE, for backends with a restore callback. */
int page_reporting_limit_unbacked(struct page_reporting_dev_info *prdev,
				  unsigned long pages);
unsigned long page_reporting_claim(struct page_reporting_dev_info *prdev,
				   gfp_t gfp, unsigned long max_pages,
				   struct list_head *pages);

#ifdef CONFIG_PAGE_REPORTING
int page_reporting_restore_all(void);
void page_reporting_resume(void);
#else
static inline int page_reporting_restore_all(void)
{
	return 0;
}

static inline void page_reporting_resume(void)
{
}
#endif

/* The order in use, or the one asked for while there is no backend. */
extern unsigned int page_reporting_order;

#endif /* _LINUX_PAGE_REPORTING_H */
