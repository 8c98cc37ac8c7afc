/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: reporting all that is free at once.
 */
#ifndef _MM_PAGE_REPORTING_FLUSH_H
#define _MM_PAGE_REPORTING_FLUSH_H

struct fpr_backend;

void fpr_end_flush(struct fpr_backend *backend, unsigned long number,
		   unsigned long pages, int err);
void fpr_forget_all(void);

#endif /* _MM_PAGE_REPORTING_FLUSH_H */
