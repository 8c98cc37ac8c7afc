/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: blocks that the hypervisor keeps until they are restored.
 */
#ifndef _MM_PAGE_REPORTING_HELD_H
#define _MM_PAGE_REPORTING_HELD_H

#include <linux/atomic.h>
#include <linux/page-flags.h>
#include <linux/page_ref.h>
#include <linux/types.h>

struct fpr_backend;
struct fpr_range;
struct zone;

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

#endif /* _MM_PAGE_REPORTING_HELD_H */
