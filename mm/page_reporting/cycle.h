/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: one batch, from collecting to returning.
 */
#ifndef _MM_PAGE_REPORTING_CYCLE_H
#define _MM_PAGE_REPORTING_CYCLE_H

#include <linux/jiffies.h>
#include <linux/types.h>

struct fpr_backend;
struct fpr_scan;
struct zone;

/*
 * What could not be reported is not tried again sooner: a second is long for
 * what keeps a block from being reported, and short for the host.
 */
#define FPR_RETRY		((u32)HZ)

/**
 * struct fpr_pass - what a pass has to do and has done
 * @deadline:	when it should end, to go on later
 * @flush:	report everything, whatever its age and until done
 * @failed:	some entries could not be reported
 * @late:	it ended because of the deadline
 * @paused:	it ended early, and will be repeated
 * @pages:	pages reported so far
 * @err:	why it ended early, or 0
 */
struct fpr_pass {
	unsigned long deadline;
	bool flush;
	bool failed;
	bool late;
	bool paused;
	unsigned long pages;
	int err;
};

unsigned int fpr_collect_stage(struct zone *zone, struct fpr_scan *scan,
			       struct fpr_backend *backend);
unsigned int fpr_run_batch(struct fpr_backend *backend, struct zone *zone,
			   struct fpr_scan *scan, struct fpr_pass *pass,
			   unsigned int nr);
void fpr_forget_failed_entries(struct fpr_backend *backend);

#endif /* _MM_PAGE_REPORTING_CYCLE_H */
