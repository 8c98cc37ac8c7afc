// SPDX-License-Identifier: GPL-2.0
// Target: drivers/hv/hv_balloon.c
// Looks for: the assignment to page_reporting_order in hv_free_page_report()
// Places: 1
//
// A host that refuses small blocks is what page_reporting_raise_order() is for.

@refused@
identifier prdev;
expression order;
@@
 hv_free_page_report(struct page_reporting_dev_info *prdev, ...)
 {
 <...
- page_reporting_order = order;
+ page_reporting_raise_order(prdev, order);
 ...>
 }
