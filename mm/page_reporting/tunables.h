/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the tunables and counters.
 */
#ifndef _MM_PAGE_REPORTING_TUNABLES_H
#define _MM_PAGE_REPORTING_TUNABLES_H

#include <linux/atomic.h>
#include <linux/types.h>

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

extern atomic_long_t fpr_counters[FPR_NR_COUNTERS];
extern struct fpr_tunables fpr_tunables;

static inline void fpr_count(enum fpr_counter counter, unsigned long n)
{
	atomic_long_add(n, &fpr_counters[counter]);
}

#endif /* _MM_PAGE_REPORTING_TUNABLES_H */
