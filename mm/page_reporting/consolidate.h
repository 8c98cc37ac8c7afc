/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: making whole blocks of free memory that is scattered.
 */
#ifndef _MM_PAGE_REPORTING_CONSOLIDATE_H
#define _MM_PAGE_REPORTING_CONSOLIDATE_H

#include <linux/types.h>

struct fpr_backend;

#ifdef CONFIG_PAGE_REPORTING_CONSOLIDATE
bool fpr_consolidation_init(struct fpr_backend *backend);
void fpr_consolidation_wake(struct fpr_backend *backend);
void fpr_consolidation_end(struct fpr_backend *backend);
#else /* CONFIG_PAGE_REPORTING_CONSOLIDATE */
static inline bool fpr_consolidation_init(struct fpr_backend *backend)
{
	return true;
}

static inline void fpr_consolidation_wake(struct fpr_backend *backend)
{
}

static inline void fpr_consolidation_end(struct fpr_backend *backend)
{
}
#endif /* CONFIG_PAGE_REPORTING_CONSOLIDATE */
#endif /* _MM_PAGE_REPORTING_CONSOLIDATE_H */
