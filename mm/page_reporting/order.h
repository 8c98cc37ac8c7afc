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
int fpr_rebuild(unsigned int order, bool pieces);
int fpr_set_order(unsigned int order);
int fpr_set_piece_age(unsigned int ms);
void fpr_note_written_order(struct fpr_backend *backend, unsigned int before);
bool fpr_order_refused(const struct fpr_backend *backend);
int fpr_sync_order(struct fpr_backend *backend);

#endif /* _MM_PAGE_REPORTING_ORDER_H */
