// SPDX-License-Identifier: GPL-2.0
/*
 * A backend that stands in for a hypervisor which keeps what it is given, for
 * tests of the core on machines without one.  It fills the blocks with a
 * pattern, and when it is asked for one it looks whether the pattern is intact:
 * if not, somebody has used memory that he does not have.
 *
 * What comes back is full of another pattern, as nobody may count on it to be
 * clear.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_reporting.h>

#define AWAY	0xa5
#define BACK	0x5a

static atomic_long_t damaged = ATOMIC_LONG_INIT(0);
static bool refuse;
module_param(refuse, bool, 0644);
MODULE_PARM_DESC(refuse, "Give nothing back");

static unsigned long give_kb = ULONG_MAX >> 10;
module_param(give_kb, ulong, 0644);
MODULE_PARM_DESC(give_kb, "Give so much back, in KiB, then nothing");

static unsigned int delay_ms;
module_param(delay_ms, uint, 0644);
MODULE_PARM_DESC(delay_ms, "Time that a report takes, in ms");

static bool busy;
module_param(busy, bool, 0444);
MODULE_PARM_DESC(busy, "A report is under way");

static unsigned long limit_kb;
module_param(limit_kb, ulong, 0444);
MODULE_PARM_DESC(limit_kb, "Most memory to keep, in KiB, 0 for no limit");

static DEFINE_SPINLOCK(give_lock);

static int damaged_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(&damaged));
}

static const struct kernel_param_ops damaged_ops = { .get = damaged_get };

module_param_cb(damaged_kb, &damaged_ops, NULL, 0444);
MODULE_PARM_DESC(damaged_kb, "Memory that was used while it was away, in KiB");

static void fill(struct page *page, u8 pattern)
{
	void *address = kmap_local_page(page);

	memset(address, pattern, PAGE_SIZE);
	kunmap_local(address);
}

static bool is_intact(struct page *page)
{
	void *address = kmap_local_page(page);
	bool intact = !memchr_inv(address, AWAY, PAGE_SIZE);

	kunmap_local(address);
	return intact;
}

static int keeping_report(struct page_reporting_dev_info *reporting,
			  struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i, j;

	WRITE_ONCE(busy, true);
	msleep(READ_ONCE(delay_ms));
	for_each_sg(sgl, sg, nents, i)
		for (j = 0; j < sg->length >> PAGE_SHIFT; j++)
			fill(sg_page(sg) + j, AWAY);
	WRITE_ONCE(busy, false);
	return 0;
}

static bool may_give(unsigned long kb)
{
	unsigned long flags;
	bool may;

	spin_lock_irqsave(&give_lock, flags);
	may = !refuse && kb <= give_kb;
	if (may)
		give_kb -= kb;
	spin_unlock_irqrestore(&give_lock, flags);
	return may;
}

static int keeping_restore(struct page_reporting_dev_info *reporting,
			   struct page *page, unsigned int order)
{
	unsigned int i;

	if (!may_give(PAGE_SIZE / 1024 << order))
		return -ENOMEM;
	for (i = 0; i < 1U << order; i++) {
		struct page *this = page + i;

		if (!is_intact(this))
			atomic_long_add(PAGE_SIZE / 1024, &damaged);
		fill(this, BACK);
	}
	return 0;
}

static struct page_reporting_dev_info reporting = {
	.report = keeping_report,
	.restore = keeping_restore,
	.order = PAGE_REPORTING_ORDER_UNSPECIFIED,
	.name = KBUILD_MODNAME,
};

static int __init keeping_init(void)
{
	reporting.unbacked_max = limit_kb / (PAGE_SIZE / 1024);
	return page_reporting_register(&reporting);
}

static void __exit keeping_exit(void)
{
	page_reporting_unregister(&reporting);
}

module_init(keeping_init);
module_exit(keeping_exit);
MODULE_DESCRIPTION("Keeps what it is given, to test unbacked blocks");
MODULE_LICENSE("GPL");
