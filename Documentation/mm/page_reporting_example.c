// SPDX-License-Identifier: GPL-2.0
/*
 * A complete backend of free page reporting, for a hypervisor that does not
 * exist: it counts what it would hand over.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/module.h>
#include <linux/page_reporting.h>
#include <linux/printk.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

static bool refuse;
module_param(refuse, bool, 0644);
MODULE_PARM_DESC(refuse, "Have the hypervisor refuse all memory");

static unsigned long reported_kb;
module_param(reported_kb, ulong, 0444);
MODULE_PARM_DESC(reported_kb, "KiB that the hypervisor took");

/* Takes the place of a hypercall that returns when the memory is discarded. */
static int example_discard(phys_addr_t address, unsigned int length)
{
	if (READ_ONCE(refuse))
		return -ENOMEM;
	pr_debug("discard %#llx, %u bytes\n", (u64)address, length);
	return 0;
}

static int example_report(struct page_reporting_dev_info *prdev,
			  struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgl, sg, nents, i) {
		if (example_discard(sg_phys(sg), sg->length))
			page_reporting_entry_failed(sg);
		else
			WRITE_ONCE(reported_kb,
				   reported_kb + (sg->length >> 10));
	}
	return 0;
}

static struct page_reporting_dev_info example_backend = {
	.report = example_report,
	.order = PAGE_REPORTING_ORDER_UNSPECIFIED,
	.name = KBUILD_MODNAME,
	.flags = PAGE_REPORTING_MERGE,
};

static int __init example_init(void)
{
	return page_reporting_register(&example_backend);
}
module_init(example_init);

static void __exit example_exit(void)
{
	page_reporting_unregister(&example_backend);
	pr_info("%lu KiB were reported\n", reported_kb);
}
module_exit(example_exit);

MODULE_DESCRIPTION("Example of a free page reporting backend");
MODULE_LICENSE("GPL");
