/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: memory that the guest keeps because it will be wanted
 * again.
 */
#ifndef _MM_PAGE_REPORTING_RETAIN_H
#define _MM_PAGE_REPORTING_RETAIN_H

#include <linux/types.h>

struct fpr_age_histogram;
struct fpr_backend;
struct fpr_range;
struct fpr_scan;
struct fpr_zone;

#ifdef CONFIG_PAGE_REPORTING_RETAIN
void fpr_retain_init(struct fpr_zone *fz);
void fpr_retain_inherit(struct fpr_zone *fz, const struct fpr_zone *old);
void fpr_account_free(struct fpr_zone *fz, unsigned long freed,
		      unsigned long backed);
void fpr_account_refault(struct fpr_zone *fz, unsigned long backed);
void fpr_account_reported(struct fpr_zone *fz, unsigned long pages);
void fpr_account_moved(struct fpr_zone *fz, const struct fpr_range *range,
		       const struct fpr_scan *scan);
void fpr_build_histogram(struct fpr_zone *fz,
			 struct fpr_age_histogram *histogram, u32 now,
			 u32 ceiling);
void fpr_retain(struct fpr_backend *backend, struct fpr_zone *fz,
		struct fpr_scan *scan);
#else /* CONFIG_PAGE_REPORTING_RETAIN */
static inline void fpr_retain_init(struct fpr_zone *fz)
{
}

static inline void fpr_retain_inherit(struct fpr_zone *fz,
				      const struct fpr_zone *old)
{
}

static inline void fpr_account_free(struct fpr_zone *fz, unsigned long freed,
				    unsigned long backed)
{
}

static inline void fpr_account_refault(struct fpr_zone *fz,
				       unsigned long backed)
{
}

static inline void fpr_account_reported(struct fpr_zone *fz,
					unsigned long pages)
{
}

static inline void fpr_account_moved(struct fpr_zone *fz,
				     const struct fpr_range *range,
				     const struct fpr_scan *scan)
{
}

static inline void fpr_retain(struct fpr_backend *backend, struct fpr_zone *fz,
			      struct fpr_scan *scan)
{
}
#endif /* CONFIG_PAGE_REPORTING_RETAIN */
#endif /* _MM_PAGE_REPORTING_RETAIN_H */
