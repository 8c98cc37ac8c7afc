// SPDX-License-Identifier: GPL-2.0
/*
 * A backend that says yes to everything and does nothing, so that what the core
 * does is all there is to measure.  It can be told to poison a page of a batch
 * while it has it.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>

static unsigned int capacity;
module_param(capacity, uint, 0444);
MODULE_PARM_DESC(capacity, "Entries in a batch, 0 for what the core takes");

static bool merge;
module_param(merge, bool, 0444);
MODULE_PARM_DESC(merge, "Have adjacent blocks become one entry");

static bool poison;
module_param(poison, bool, 0444);
MODULE_PARM_DESC(poison, "Poison a page of the next batch; off when done");

static int null_report(struct page_reporting_dev_info *prdev,
		       struct scatterlist *sgl, unsigned int nents)
{
	unsigned long middle = (sgl->length >> PAGE_SHIFT) / 2;

	/* The answer says what became of a user, and there is none. */
	if (poison)
		memory_failure(page_to_pfn(sg_page(sgl)) + middle,
			       MF_SW_SIMULATED);
	poison = false;
	return 0;
}

static struct page_reporting_dev_info null_backend = {
	.report = null_report,
	.order = PAGE_REPORTING_ORDER_UNSPECIFIED,
	.name = KBUILD_MODNAME,
};

static int __init null_init(void)
{
	null_backend.capacity = capacity;
	null_backend.flags = merge ? PAGE_REPORTING_MERGE : 0;
	return page_reporting_register(&null_backend);
}
module_init(null_init);

static void __exit null_exit(void)
{
	page_reporting_unregister(&null_backend);
}
module_exit(null_exit);

MODULE_DESCRIPTION("Says yes to everything, to measure the core");
MODULE_LICENSE("GPL");
