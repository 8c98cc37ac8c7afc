/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: getting unbacked blocks back from the hypervisor.
 */
#ifndef _MM_PAGE_REPORTING_RESTORE_H
#define _MM_PAGE_REPORTING_RESTORE_H

#include <linux/types.h>

struct fpr_backend;
struct page;
struct page_reporting_dev_info;
struct zone;

#ifdef CONFIG_PAGE_REPORTING_RESTORE
int fpr_restore_block(struct zone *zone, struct fpr_backend *backend,
		      struct page *page, bool wanted);
int fpr_restore_excess(struct fpr_backend *backend, unsigned long limit);
int fpr_restore_range(unsigned long start_pfn, unsigned long end_pfn);
int fpr_restore_offlining(unsigned long start_pfn, unsigned long end_pfn);
unsigned long fpr_restore_for_oom(struct zone *zone);
void fpr_enforce_limit(struct fpr_backend *backend);
void fpr_restore_detach(struct fpr_backend *backend);
void fpr_restore_enable(const struct page_reporting_dev_info *prdev);
void fpr_restore_disable(const struct page_reporting_dev_info *prdev);
#else /* CONFIG_PAGE_REPORTING_RESTORE */
static inline int fpr_restore_excess(struct fpr_backend *backend,
				     unsigned long limit)
{
	return 0;
}

static inline int fpr_restore_range(unsigned long start_pfn,
				    unsigned long end_pfn)
{
	return 0;
}

static inline int fpr_restore_offlining(unsigned long start_pfn,
					unsigned long end_pfn)
{
	return 0;
}

static inline unsigned long fpr_restore_for_oom(struct zone *zone)
{
	return 0;
}

static inline void fpr_enforce_limit(struct fpr_backend *backend)
{
}

static inline void fpr_restore_detach(struct fpr_backend *backend)
{
}

static inline void
fpr_restore_enable(const struct page_reporting_dev_info *prdev)
{
}

static inline void
fpr_restore_disable(const struct page_reporting_dev_info *prdev)
{
}
#endif /* CONFIG_PAGE_REPORTING_RESTORE */
#endif /* _MM_PAGE_REPORTING_RESTORE_H */
