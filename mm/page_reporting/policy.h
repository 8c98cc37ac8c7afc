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
 * @fine:	which of the trackers of the zone
 * @segment:	index of the next segment
 * @bit:	next block in it
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
	unsigned int bit;
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

#endif /* _MM_PAGE_REPORTING_POLICY_H */
