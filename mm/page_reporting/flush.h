/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: reporting all that is free at once.
 */
#ifndef _MM_PAGE_REPORTING_FLUSH_H
#define _MM_PAGE_REPORTING_FLUSH_H

unsigned long fpr_last_flush_pages(void);

#endif /* _MM_PAGE_REPORTING_FLUSH_H */
