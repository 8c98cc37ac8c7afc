// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting to the host that User Mode Linux runs on.
 *
 * The physical memory of the guest is a file of the host, on tmpfs as a rule,
 * that is mapped shared.  A hole that is punched into the file gives memory back
 * to the host, whoever has it mapped, and reads as zeroes.  The host fills it
 * again when the guest touches it.
 *
 * When the host has no memory for the file then, it kills the guest.  That is so
 * for memory that was never touched, too, and it is up to whoever starts the
 * guest: the switch is on the kernel command line, and off by default.
 */
#define pr_fmt(fmt) "uml: page reporting: " fmt

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/page_reporting.h>
#include <linux/printk.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#include <mem.h>
#include <os.h>

static bool upr_wanted __initdata;
core_param(uml_page_reporting, upr_wanted, bool, 0);

/* === The callback of the core === */

static int upr_punch(phys_addr_t address, unsigned int length)
{
	unsigned long long offset;
	int fd = phys_mapping(address, &offset);

	return os_falloc_punch(fd, offset, length);
}

/* A signal came, or the host has no room now, not even for less. */
static bool upr_is_temporary(int err)
{
	return err == -EINTR || err == -ENOMEM || err == -ENOSPC;
}

static int upr_report(struct page_reporting_dev_info *prdev,
		      struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i;
	int err;

	for_each_sg(sgl, sg, nents, i) {
		err = upr_punch(sg_phys(sg), sg->length);
		if (upr_is_temporary(err))
			page_reporting_entry_failed(sg);
		else if (err)
			return err;
	}
	return 0;
}

static struct page_reporting_dev_info upr_prdev = {
	.report = upr_report,
	.order = PAGE_REPORTING_ORDER_UNSPECIFIED,
	.flags = PAGE_REPORTING_MERGE | PAGE_REPORTING_PIECES,
	.name = "uml",
};

/* === On and off === */

/* Try it with a page that nobody uses. */
static int __init upr_try(void)
{
	struct page *page = alloc_page(GFP_KERNEL);
	int err;

	if (!page)
		return -ENOMEM;
	err = upr_punch(page_to_phys(page), PAGE_SIZE);
	__free_page(page);
	return err;
}

/* Late, so that memory which is only used to boot is not reported. */
static int __init upr_init(void)
{
	int err;

	if (!upr_wanted)
		return 0;
	/* A page that is free must keep a pattern, and a hole has none. */
	if (page_poisoning_enabled_static()) {
		pr_warn("off, because free pages are poisoned\n");
		return 0;
	}
	err = upr_try();
	if (err) {
		pr_warn("off, because no hole can be punched into the file with the memory (%pe); have TMPDIR name a directory on tmpfs\n",
			ERR_PTR(err));
		return 0;
	}
	return page_reporting_register(&upr_prdev);
}
late_initcall(upr_init);
