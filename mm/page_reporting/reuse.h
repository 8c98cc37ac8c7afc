/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: how memory is used again, as pure functions.
 */
#ifndef _MM_PAGE_REPORTING_REUSE_H
#define _MM_PAGE_REPORTING_REUSE_H

#include <linux/types.h>

#include "policy.h"

/* So many ages are told apart: with the default of max_age_ms, 160 ms each. */
#define FPR_AGE_BUCKETS	64

/**
 * struct fpr_age_histogram - how old the pending blocks of a zone are
 * @width:	what a bucket stands for, in jiffies
 * @blocks:	pending blocks by age, all older ones in the last bucket
 */
struct fpr_age_histogram {
	u32 width;
	unsigned long blocks[FPR_AGE_BUCKETS];
};

/**
 * struct fpr_window - an amount of memory that is forgotten after a while
 * @pages:	what was added in this window and in the one before
 * @since:	when this window began
 */
struct fpr_window {
	unsigned long pages[2];
	u32 since;
};

/**
 * struct fpr_reuse_peak - how the free memory of a zone went up and down lately
 * @low:	least that was free, in this window and in the one before
 * @high:	most that was free since the least was
 * @reused:	most that was freed and then taken again
 * @since:	when this window began
 */
struct fpr_reuse_peak {
	unsigned long low[2];
	unsigned long high[2];
	unsigned long reused[2];
	u32 since;
};

bool fpr_expired(const struct fpr_scan *scan, u32 stamp);
void fpr_choose_age(struct fpr_scan *scan,
		    const struct fpr_age_histogram *histogram,
		    unsigned long retained, u32 floor, u32 ceiling);
void fpr_window_add(struct fpr_window *window, unsigned long pages, u32 now,
		    u32 length);
unsigned long fpr_window_consume(struct fpr_window *window, unsigned long pages,
				 u32 now, u32 length);
void fpr_reuse_peak_init(struct fpr_reuse_peak *peak, unsigned long free,
			 u32 now);
unsigned long fpr_reuse_peak_note(struct fpr_reuse_peak *peak,
				  unsigned long before, unsigned long free,
				  u32 now, u32 length);

#endif /* _MM_PAGE_REPORTING_REUSE_H */
