/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: the order of a block, and changing it.
 */
#ifndef _MM_PAGE_REPORTING_ORDER_H
#define _MM_PAGE_REPORTING_ORDER_H

#include <linux/types.h>

struct fpr_backend;

#define FPR_ORDER_UNSET		((unsigned int)-1)

extern bool fpr_order_chosen;
unsigned int fpr_current_order(void);
int fpr_rebuild(unsigned int order, bool fine);
int fpr_set_order(unsigned int order);
int fpr_set_fine_age(unsigned int ms);
int fpr_follow_order(struct fpr_backend *backend);

#endif /* _MM_PAGE_REPORTING_ORDER_H */
