/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the directories of backends in sysfs.
 */
#ifndef _MM_PAGE_REPORTING_SYSFS_H
#define _MM_PAGE_REPORTING_SYSFS_H

struct fpr_backend;

#ifdef CONFIG_SYSFS
void fpr_sysfs_add(struct fpr_backend *backend);
void fpr_sysfs_remove(struct fpr_backend *backend);
#else
static inline void fpr_sysfs_add(struct fpr_backend *backend)
{
}

static inline void fpr_sysfs_remove(struct fpr_backend *backend)
{
}
#endif

#endif /* _MM_PAGE_REPORTING_SYSFS_H */
