/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the free lists of the allocator.
 */
#ifndef _MM_PAGE_REPORTING_FREELIST_H
#define _MM_PAGE_REPORTING_FREELIST_H

#include <linux/types.h>

#include "words.h"

struct fpr_zone;
struct page;
struct zone;

struct page *fpr_find_buddy(const struct fpr_zone *fz, unsigned long pfn);
bool fpr_must_defer(const struct fpr_zone *fz, struct page *page);
bool fpr_split_by_isolation(const struct fpr_zone *fz, unsigned long pfn);
bool fpr_isolate(struct page *buddy, unsigned int order);
unsigned long fpr_unusable_pages(struct zone *zone);
void fpr_putback(const struct fpr_range *range);

#endif /* _MM_PAGE_REPORTING_FREELIST_H */
