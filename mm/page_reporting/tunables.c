// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the tunables with their defaults, and the counters.
 *
 * Both are read without a lock.  The tunables are written by sysfs.c and the
 * parameters in core.c under fpr_mutex, the counters by whoever counts.
 */
#include <linux/atomic.h>
#include <linux/cache.h>

#include "tunables.h"

atomic_long_t fpr_counters[FPR_NR_COUNTERS];

struct fpr_tunables fpr_tunables __read_mostly = {
	.age_ms = 500,
	.max_age_ms = 10000,
	.threshold_kb = 8192,
	.max_delay_ms = 1000,
	.held_max_kb = FPR_HELD_KB_MAX,
	.held_reserve_percent = 5,
	.enabled = true,
};
