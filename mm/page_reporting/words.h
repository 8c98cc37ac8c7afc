/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: what all files of the core share.
 *
 * A block is memory of the reporting order, naturally aligned.  It is pending
 * when it became free and was not reported since.  Times are jiffies, cut to
 * 32 bits and compared as differences.
 */
#ifndef _MM_PAGE_REPORTING_WORDS_H
#define _MM_PAGE_REPORTING_WORDS_H

#include <linux/bitops.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/types.h>

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

/* The largest naturally aligned power of two at the start of @range. */
static inline unsigned long fpr_aligned_pages(const struct fpr_range *range)
{
	unsigned long pages = rounddown_pow_of_two(range->nr_pages);

	return range->pfn ? min(pages, 1UL << __ffs(range->pfn)) : pages;
}

#endif /* _MM_PAGE_REPORTING_WORDS_H */
