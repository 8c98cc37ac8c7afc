// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: the tunables with their defaults, and the counters.
 *
 * Both are read without a lock.  The tunables are written by sysfs.c and the
 * parameters in core.c, the counters by whoever counts.
 */
#include <linux/cache.h>

#include "tunables.h"

struct fpr_counters fpr_total;

struct fpr_tunables fpr_tunables __read_mostly = {
	.enabled = true,
	/*
	 * Most of what is freed by a program that goes on is used again sooner;
	 * who watches the host's memory does not see half a second.
	 */
	.age_ms = 500,
	/*
	 * A job that repeats, as a build does, pauses for a few seconds at
	 * most.  After this time its memory is better used by others.
	 */
	.max_age_ms = 10000,
	/*
	 * Off: a piece that is reported splits the huge page behind it at the
	 * host, which the user has to weigh.
	 */
	.piece_age_ms = 0,
	/* What is free is of no use to this guest. */
	.unbacked_max_kb = FPR_NO_LIMIT,
	/*
	 * Enough for a program to start while the hypervisor has no memory, and
	 * little of what is gained.
	 */
	.unbacked_reserve_percent = 5,
	/*
	 * A GiB in fragments is whole after some seconds, and a guest that is
	 * at rest has no better use for a fifth of a processor.
	 */
	.consolidate_percent = 20,
	/*
	 * A pass over less costs more processor time than the memory is worth
	 * to the host for a second; and nobody misses it for a second.
	 */
	.threshold_kb = 8192,
	.max_delay_ms = 1000,
};
