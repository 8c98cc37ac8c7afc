/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: when to report, and how much at once, as pure functions.
 */
#ifndef _MM_PAGE_REPORTING_POLICY_H
#define _MM_PAGE_REPORTING_POLICY_H

#include <linux/jiffies.h>
#include <linux/types.h>

/**
 * struct fpr_scan - where the collect stage is in a zone, and what is due
 * @pieces:	which of the trackers of the zone
 * @segment:	index of the next segment
 * @bit:	next block in it
 * @order:	order of the tracker that @segment belongs to
 * @now:	time at which the ages are taken
 * @age:	a block may be due once it has been pending for so long
 * @slack:	and is due for certain when it has been for so much longer
 * @quota:	blocks that are due although they are younger than that
 * @ceiling:	when a block that is retained will be due at the latest
 * @next:	time until the first block that was seen will be due
 */
struct fpr_scan {
	bool pieces;
	unsigned long segment;
	unsigned int bit;
	unsigned int order;
	u32 now;
	u32 age;
	u32 slack;
	unsigned long quota;
	u32 ceiling;
	u32 next;
};

/* Backing off ends here: a host that recovers is noticed within a minute. */
#define FPR_BACKOFF_MAX		((u32)HZ * 60)

bool fpr_due(const struct fpr_scan *scan, u32 stamp);
bool fpr_retained(struct fpr_scan *scan, u32 stamp);
void fpr_refund(struct fpr_scan *scan, u32 stamp);
u32 fpr_until_due(const struct fpr_scan *scan, u32 stamp);
bool fpr_pass_wanted(unsigned long excess_kb, unsigned long threshold_kb,
		     u32 waited, u32 max_delay);
bool fpr_may_isolate(unsigned long spare, unsigned long isolated,
		     unsigned long more);
u32 fpr_backoff_left(u32 backoff, u32 retry_at, u32 now);
u32 fpr_next_backoff(u32 backoff, u32 base);

#endif /* _MM_PAGE_REPORTING_POLICY_H */
