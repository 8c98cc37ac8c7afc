/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: what will be wanted again.
 */
#ifndef _MM_PAGE_REPORTING_RESERVE_H
#define _MM_PAGE_REPORTING_RESERVE_H

struct fpr_zone;

void fpr_expect_reuse(struct fpr_zone *fz, unsigned long pages,
		      unsigned long reused);
void fpr_release_reserve(struct fpr_zone *fz, unsigned long pages);
unsigned long fpr_note_free(struct fpr_zone *fz, unsigned long freed);
void fpr_learn(struct fpr_zone *fz, unsigned long pages, unsigned long reused);

#endif /* _MM_PAGE_REPORTING_RESERVE_H */
