/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the worker of a backend.
 */
#ifndef _MM_PAGE_REPORTING_PASS_H
#define _MM_PAGE_REPORTING_PASS_H

struct work_struct;

void fpr_work(struct work_struct *work);

#endif /* _MM_PAGE_REPORTING_PASS_H */
