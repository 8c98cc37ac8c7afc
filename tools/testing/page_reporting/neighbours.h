/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting in user space: what the files under test need of those
 * that are not, in place of their headers.
 */
#ifndef _PAGE_REPORTING_NEIGHBOURS_H
#define _PAGE_REPORTING_NEIGHBOURS_H

#include "kernel.h"
#include "reuse.h"
#include "tunables.h"

#define _MM_PAGE_REPORTING_BACKEND_H

struct fpr_backend {
	struct fpr_counters counters;
	struct fpr_age_histogram histogram;
};

#define _MM_PAGE_REPORTING_HOOK_H

static inline unsigned long page_reporting_unbacked(struct zone *zone)
{
	return 0;
}

static inline void trace_page_reporting_refault(struct zone *zone,
						unsigned long backed,
						unsigned long refaulted,
						unsigned long retained)
{
}

#endif /* _PAGE_REPORTING_NEIGHBOURS_H */
