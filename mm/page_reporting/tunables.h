/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the tunables and counters.
 */
#ifndef _MM_PAGE_REPORTING_TUNABLES_H
#define _MM_PAGE_REPORTING_TUNABLES_H

#include <linux/atomic.h>
#include <linux/limits.h>
#include <linux/types.h>

/* What is counted. */
enum fpr_counter {
	FPR_REPORTED,		/* pages that a backend reported */
	FPR_FLUSHED,		/* those of them that a flush asked for */
	FPR_FAILED,		/* pages that a backend could not report */
	FPR_SKIPPED,		/* pages found in use when their turn came */
	FPR_DEFERRED,		/* pages left for later: see cycle.c */
	FPR_REFAULTED,		/* pages wanted again soon after a report */
	FPR_RESTORED,		/* unbacked pages that came back */
	FPR_CLAIMED,		/* unbacked pages that a balloon has now */
	FPR_CONSOLIDATED,	/* pages of blocks that were made whole */
	FPR_MOVED,		/* pages that were moved for that */
	FPR_NR_PAGE_COUNTERS,
	FPR_PASSES = FPR_NR_PAGE_COUNTERS,
	FPR_BATCHES,
	FPR_NR_COUNTERS
};

/* What was counted, for a backend or for all that ever were. */
struct fpr_counters {
	atomic_long_t n[FPR_NR_COUNTERS];
};

/**
 * struct fpr_tunables - what the user may set, and what only tests do
 * @enabled:	false while nothing is to be reported
 * @age_ms:	time that a block has to be free before it is reported
 * @max_age_ms:	and the most, if it is retained
 * @piece_age_ms: time that a piece has to be free, 0 for not to report any
 * @unbacked_max_kb: most that may be unbacked for a backend
 * @unbacked_reserve_percent: of a zone, stays backed beyond the watermarks
 * @consolidate_percent: most of a CPU that making blocks whole takes, 0 for not
 *		to do that
 * @threshold_kb: so much has to be pending in a zone for a pass; for tests
 * @max_delay_ms: or has to be pending for so long; for tests
 *
 * Written under fpr_mutex, read without a lock.
 */
struct fpr_tunables {
	bool enabled;
	unsigned int age_ms;
	unsigned int max_age_ms;
	unsigned int piece_age_ms;
	unsigned int unbacked_max_kb;
	unsigned int unbacked_reserve_percent;
	unsigned int consolidate_percent;
	unsigned int threshold_kb;
	unsigned int max_delay_ms;
};

/* No user waits longer, and sums of ages stay far from wrapping. */
#define FPR_MS_MAX		600000

/* Read and written as "max". */
#define FPR_NO_LIMIT		UINT_MAX

extern struct fpr_counters fpr_total;
extern struct fpr_tunables fpr_tunables;

static inline void fpr_count(struct fpr_counters *counters,
			     enum fpr_counter counter, unsigned long n)
{
	atomic_long_add(n, &counters->n[counter]);
	atomic_long_add(n, &fpr_total.n[counter]);
}

#endif /* _MM_PAGE_REPORTING_TUNABLES_H */
