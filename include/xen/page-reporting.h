/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting to Xen: what the balloon sees.
 */
#ifndef _XEN_PAGE_REPORTING_H
#define _XEN_PAGE_REPORTING_H

#include <linux/types.h>

struct page;

#ifdef CONFIG_XEN_PAGE_REPORTING
unsigned long xen_page_reporting_claim(unsigned long nr_pages, gfp_t gfp,
				       void (*append)(struct page *page));
#else
static inline unsigned long
xen_page_reporting_claim(unsigned long nr_pages, gfp_t gfp,
			 void (*append)(struct page *page))
{
	return 0;
}
#endif

#endif /* _XEN_PAGE_REPORTING_H */
