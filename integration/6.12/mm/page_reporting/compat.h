/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: what Linux 6.12 has other names for.  The Kbuild file has
 * it included ahead of everything else.
 */
#ifndef _MM_PAGE_REPORTING_COMPAT_H
#define _MM_PAGE_REPORTING_COMPAT_H

#define timer_container_of	from_timer
#define __folio_index		index

#endif /* _MM_PAGE_REPORTING_COMPAT_H */
