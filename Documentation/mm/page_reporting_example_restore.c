// SPDX-License-Identifier: GPL-2.0
/*
 * A backend that restores, for a hypervisor that does not exist: memory that it
 * was given is gone, a guest has to ask for each page again, and there may be
 * none.
 *
 * Blocks are got back from their last page down.  So one number says how far
 * that went: page_private() of the first page counts the pages that are back.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_reporting.h>
#include <linux/scatterlist.h>
#include <linux/sysfs.h>
#include <linux/types.h>

#define KB_SHIFT	(PAGE_SHIFT - 10)

/* Pages that the hypervisor has for whoever asks. */
static atomic_long_t spare = ATOMIC_LONG_INIT(0);

static int spare_set(const char *val, const struct kernel_param *kp)
{
	unsigned int kb;
	int err = kstrtouint(val, 0, &kb);

	if (!err)
		atomic_long_set(&spare, kb >> KB_SHIFT);
	return err;
}

static int spare_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&spare) << KB_SHIFT);
}

static const struct kernel_param_ops spare_ops = {
	.set = spare_set,
	.get = spare_get,
};

module_param_cb(spare_kb, &spare_ops, NULL, 0644);
MODULE_PARM_DESC(spare_kb, "KiB that the hypervisor has, as other guests leave it");

/* Takes the place of a hypercall that takes an entry, or none of it. */
static int example_give(unsigned long pfn, unsigned long nr)
{
	atomic_long_add(nr, &spare);
	return 0;
}

/* Takes the place of a hypercall that has memory behind a page again. */
static int example_take(unsigned long pfn)
{
	return atomic_long_dec_if_positive(&spare) < 0 ? -ENOMEM : 0;
}

static int example_report(struct page_reporting_dev_info *prdev,
			  struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgl, sg, nents, i) {
		unsigned long nr = sg->length >> PAGE_SHIFT;

		if (example_give(page_to_pfn(sg_page(sg)), nr))
			page_reporting_entry_failed(sg);
	}
	return 0;
}

static int example_restore(struct page_reporting_dev_info *prdev,
			   struct page *page, unsigned int order)
{
	unsigned long nr = 1UL << order;
	unsigned long missing = nr - page_private(page);
	int err = 0;

	while (missing && !err) {
		err = example_take(page_to_pfn(page) + missing - 1);
		if (!err)
			missing--;
	}
	set_page_private(page, missing ? nr - missing : 0);
	return err;
}

static struct page_reporting_dev_info example_backend = {
	.report = example_report,
	.restore = example_restore,
	.order = PAGE_REPORTING_ORDER_UNSPECIFIED,
	.name = KBUILD_MODNAME,
};

static int __init example_init(void)
{
	return page_reporting_register(&example_backend);
}
module_init(example_init);

static void __exit example_exit(void)
{
	page_reporting_unregister(&example_backend);
}
module_exit(example_exit);

MODULE_DESCRIPTION("Example of a free page reporting backend that restores");
MODULE_LICENSE("GPL");
