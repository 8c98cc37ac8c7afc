// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting to Xen.
 *
 * Free blocks are given away with XENMEM_decrease_reservation and taken back
 * with XENMEM_populate_physmap before they are used again.  Xen does not fault
 * memory back in: what was given away is unbacked until the restore callback
 * brought it back.
 *
 * What Xen does and does not do shapes this file:
 *
 * - Memory that a domain gave away reaches the next one as it is.  Every page
 *   is cleared first.
 * - Memory that was given away and is touched all the same reads as all ones
 *   where the hypervisor translates guest addresses, and writes to it vanish.
 *   So a block is either wholly there or unbacked, whatever goes wrong.
 * - Xen may give the memory to somebody else and then has none to give back.
 * - An extent of 2 MiB of which Xen took only a part counts as none.
 *
 * Blocks are given away from their first page up and taken back from their last
 * page down.  What is missing of a block are then always its first pages,
 * however far either got, and a single number describes it: page_private() of
 * the first page counts the pages that are back.
 *
 * To the domain's balloon, what is unbacked belongs to what is present, and
 * leaves it and comes back to it.  Only when the balloon has to give memory
 * away itself it claims what is unbacked, because that is with Xen already.
 */
#define pr_fmt(fmt) "xen: page reporting: " fmt

#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/kstrtox.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/page_reporting.h>
#include <linux/printk.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/string_choices.h>
#include <linux/workqueue.h>

#include <asm/tlbflush.h>
#include <asm/xen/hypercall.h>

#include <xen/balloon.h>
#include <xen/interface/memory.h>
#include <xen/mem-reservation.h>
#include <xen/page-reporting.h>
#include <xen/page.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

/* The largest extent that Xen takes from every domain: 2 MiB. */
#define XPR_EXTENT_ORDER	9
#define XPR_EXTENT_PAGES	BIT(XPR_EXTENT_ORDER)

/* Frames that are taken back at a time; they are on the stack. */
#define XPR_TAKE_FRAMES		64

/* In xenstore, relative to the domain. */
#define XPR_NODE_DIR		"memory"
#define XPR_NODE		"free-page-reporting"
#define XPR_PATH		XPR_NODE_DIR "/" XPR_NODE

/* === Giving away: process context, one at a time === */

static void xpr_scrub(struct page *page, unsigned long nr)
{
	unsigned long i;

	for (i = 0; i < nr; i++)
		clear_highpage(page + i);
}

static bool xpr_memory_op_extent(unsigned int op, unsigned long pfn)
{
	xen_pfn_t frame = pfn;
	struct xen_memory_reservation reservation = {
		.nr_extents = 1,
		.extent_order = XPR_EXTENT_ORDER,
		.domid = DOMID_SELF,
	};

	set_xen_guest_handle(reservation.extent_start, &frame);
	return HYPERVISOR_memory_op(op, &reservation) == 1;
}

/* A page that was cleared and went reads as all ones. */
static bool xpr_is_gone(struct page *page)
{
	unsigned long *address = kmap_local_page(page);
	/* To KASAN the page is free memory. */
	bool gone = READ_ONCE_NOCHECK(*address);

	kunmap_local(address);
	return gone;
}

/* How many of the pages of an extent, all of them cleared, are gone? */
static unsigned long xpr_count_gone(struct page *page)
{
	unsigned long gone = 0;

	while (gone < XPR_EXTENT_PAGES && xpr_is_gone(page + gone))
		gone++;
	return gone;
}

/* Give pages away one by one.  Returns how many are gone. */
static unsigned long xpr_give_frames(struct page *page, unsigned long nr)
{
	static xen_pfn_t frames[XPR_EXTENT_PAGES];
	struct page *each;
	unsigned long i;
	int done;

	for (i = 0; i < nr; i++) {
		each = page + i;
		frames[i] = xen_page_to_gfn(each);
		xenmem_reservation_va_mapping_reset(1, &each);
	}
	if (xen_pv_domain())
		flush_tlb_all();
	done = max(xenmem_reservation_decrease(nr, frames), 0);
	for (i = done; i < nr; i++) {
		each = page + i;
		xenmem_reservation_va_mapping_update(1, &each, &frames[i]);
	}
	return done;
}

/* Give at most an extent away.  Returns how many pages are gone. */
static unsigned long xpr_give_extent(struct page *page, unsigned long nr)
{
	unsigned long gone = 0;

	xpr_scrub(page, nr);
	if (nr == XPR_EXTENT_PAGES && !xen_pv_domain()) {
		if (xpr_memory_op_extent(XENMEM_decrease_reservation,
					 page_to_pfn(page)))
			return nr;
		gone = xpr_count_gone(page);
	}
	return gone + xpr_give_frames(page + gone, nr - gone);
}

/* Give a block away.  Returns how many of its first pages are gone. */
static unsigned long xpr_give(struct page *page, unsigned long nr)
{
	unsigned long gone = 0;

	while (gone < nr) {
		unsigned long want = min(nr - gone, XPR_EXTENT_PAGES);
		unsigned long done = xpr_give_extent(page + gone, want);

		gone += done;
		if (done < want)
			break;
		cond_resched();
	}
	return gone;
}

/* === Taking back: any context, several at a time for different blocks === */

/*
 * Held while the pages of an extent are taken back one by one, with interrupts
 * off.  Whoever waits for memory would else put together an extent of his own,
 * and of scarce pages none would become whole.  It also keeps the machine from
 * being suspended in between, by a thread that is not frozen: frames on the
 * stack would not be what they were.
 */
static DEFINE_RAW_SPINLOCK(xpr_take_lock);

/* Take the last of @missing pages back.  Returns how many are back. */
static unsigned long xpr_take_frames(unsigned long pfn, unsigned long missing)
{
	xen_pfn_t frames[XPR_TAKE_FRAMES];
	unsigned long last = pfn + missing - 1;
	unsigned int i, nr = min(missing, ARRAY_SIZE(frames));
	int done;

	lockdep_assert_held(&xpr_take_lock);
	for (i = 0; i < nr; i++)
		frames[i] = last - i;
	done = max(xenmem_reservation_increase(nr, frames), 0);
	for (i = 0; i < done; i++) {
		struct page *page = pfn_to_page(last - i);

		xenmem_reservation_va_mapping_update(1, &page, &frames[i]);
	}
	return done;
}

/*
 * Take the last of the first @missing pages of a block back, one by one and
 * down to the start of an extent.  Returns how many are back.
 */
static unsigned long xpr_take_pages(unsigned long pfn, unsigned long missing)
{
	unsigned long want = missing % XPR_EXTENT_PAGES ?: XPR_EXTENT_PAGES;
	unsigned long flags, done, left = want;

	pfn += missing - want;
	raw_spin_lock_irqsave(&xpr_take_lock, flags);
	do {
		done = xpr_take_frames(pfn, left);
		left -= done;
	} while (left && done);
	raw_spin_unlock_irqrestore(&xpr_take_lock, flags);
	return want - left;
}

static bool xpr_take_extent(unsigned long pfn, unsigned long missing)
{
	return !xen_pv_domain() && !(missing % XPR_EXTENT_PAGES) &&
	       xpr_memory_op_extent(XENMEM_populate_physmap,
				    pfn + missing - XPR_EXTENT_PAGES);
}

/*
 * Take the first @missing pages of a block back.  Returns how many are still
 * missing.
 */
static unsigned long xpr_take(unsigned long pfn, unsigned long missing)
{
	while (missing) {
		unsigned long done = XPR_EXTENT_PAGES;

		if (!xpr_take_extent(pfn, missing))
			done = xpr_take_pages(pfn, missing);
		if (!done)
			break;
		missing -= done;
	}
	return missing;
}

/* === The callbacks of the core === */

/* Give an entry away, or nothing of it.  Returns whether anything is gone. */
static bool xpr_report_entry(struct page *page, unsigned long nr)
{
	unsigned long missing = xpr_give(page, nr);

	if (missing < nr)
		missing = xpr_take(page_to_pfn(page), missing);
	set_page_private(page, missing ? nr - missing : 0);
	return missing;
}

static int xpr_report(struct page_reporting_dev_info *prdev,
		      struct scatterlist *sgl, unsigned int nents)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgl, sg, nents, i)
		if (!xpr_report_entry(sg_page(sg), sg->length >> PAGE_SHIFT))
			page_reporting_entry_failed(sg);
	return 0;
}

static int xpr_restore(struct page_reporting_dev_info *prdev,
		       struct page *page, unsigned int order)
{
	unsigned long nr = 1UL << order;
	unsigned long missing;

	missing = xpr_take(page_to_pfn(page), nr - page_private(page));
	set_page_private(page, missing ? nr - missing : 0);
	return missing ? -ENOMEM : 0;
}

static struct page_reporting_dev_info xpr_prdev = {
	.report = xpr_report,
	.restore = xpr_restore,
	.order = PAGE_REPORTING_ORDER_UNSPECIFIED,
	.name = "xen",
};

/* === The balloon === */

/**
 * xen_page_reporting_claim() - have the balloon claim what is unbacked
 * @nr_pages:	number of pages to claim at most
 * @gfp:	how the balloon would allocate them
 * @append:	puts a page into the balloon
 *
 * What is unbacked is with Xen already: a balloon that allocated memory instead
 * would have it fetched only to give it away again, if Xen has got any.  Claims
 * no more at a time than the balloon gives away at a time.
 *
 * Context: Process context, with the mutex of the balloon held.
 * Return: the number of pages that are in the balloon now.
 */
unsigned long xen_page_reporting_claim(unsigned long nr_pages, gfp_t gfp,
				       void (*append)(struct page *page))
{
	struct page *page, *next;
	LIST_HEAD(pages);

	nr_pages = page_reporting_claim(&xpr_prdev, gfp,
					min(nr_pages, XPR_EXTENT_PAGES),
					&pages);
	list_for_each_entry_safe(page, next, &pages, lru) {
		list_del(&page->lru);
		adjust_managed_page_count(page, -1);
		append(page);
	}
	balloon_stats.current_pages -= nr_pages;
	return nr_pages;
}

/* === On and off === */

/* No limit. */
#define XPR_UNLIMITED		ULONG_MAX

/* When to try again to get everything back, after it was switched off. */
#define XPR_RETRY		(10 * HZ)

/*
 * Protects what follows, but for xpr_limit, and the registration.  Held while
 * memory is fetched, so never taken with the lock of the kernel parameters
 * held.
 */
static DEFINE_MUTEX(xpr_mutex);

/* Did the administrator of the domain switch it on?  Read without the mutex. */
static bool xpr_wanted;

/*
 * What the toolstack allows, in pages.  Nothing until it was asked.  Written
 * by the watch without the mutex: getting memory back under that may take
 * long, and other watches are waiting.
 */
static unsigned long xpr_limit;

/* The balloon has settled, so memory may be touched and given away. */
static bool xpr_ready;

static bool xpr_registered;

/* It was switched off, and Xen has not given all memory back yet. */
static bool xpr_waiting;

static void xpr_update_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(xpr_work, xpr_update_work);

/* What cannot be switched on is off, and nobody tries again. */
static int xpr_start(unsigned long limit)
{
	int err;

	xpr_prdev.unbacked_max = limit == XPR_UNLIMITED ? 0 : limit;
	err = page_reporting_register(&xpr_prdev);
	if (!err)
		pr_info("on, free memory goes back to Xen\n");
	else if (err == -EBUSY)
		pr_warn("off, because free memory is reported to another hypervisor already, see /sys/kernel/mm/page_reporting/backends\n");
	else
		pr_warn("off, not available: %pe\n", ERR_PTR(err));
	xpr_registered = !err;
	if (err)
		WRITE_ONCE(xpr_wanted, false);
	return err;
}

/* Nothing must stay with Xen.  Goes on trying if Xen has not got it. */
static int xpr_stop(void)
{
	int err = page_reporting_limit_unbacked(&xpr_prdev, 0);

	if (err) {
		if (!xpr_waiting)
			pr_notice("off, but Xen has not given all memory back yet\n");
		xpr_waiting = true;
		schedule_delayed_work(&xpr_work, XPR_RETRY);
		return err;
	}
	page_reporting_unregister(&xpr_prdev);
	xpr_registered = false;
	xpr_waiting = false;
	pr_info("off\n");
	return 0;
}

/* Make what is so what should be. */
static int xpr_update(void)
{
	unsigned long limit = READ_ONCE(xpr_limit);
	bool want = xpr_ready && xpr_wanted && limit;

	lockdep_assert_held(&xpr_mutex);
	if (want)
		xpr_waiting = false;
	if (!xpr_registered)
		return want ? xpr_start(limit) : 0;
	if (!want)
		return xpr_stop();
	/* What exceeds the limit and is not there now, the core gets later. */
	page_reporting_limit_unbacked(&xpr_prdev, limit);
	return 0;
}

static void xpr_update_work(struct work_struct *work)
{
	mutex_lock(&xpr_mutex);
	xpr_update();
	mutex_unlock(&xpr_mutex);
}

/* --- the toolstack's word --- */

/*
 * What the toolstack allows, in pages, 0 for nothing.  A toolstack that knows
 * nothing of this writes no such node.
 */
static unsigned long xpr_read_limit(void)
{
	unsigned long kib;
	char *text;
	int err;

	text = xenbus_read(XBT_NIL, XPR_NODE_DIR, XPR_NODE, NULL);
	if (IS_ERR(text)) {
		if (PTR_ERR(text) == -ENOENT)
			return XPR_UNLIMITED;
		pr_warn("cannot read %s (%pe), taken for 0\n", XPR_PATH, text);
		return 0;
	}
	err = kstrtoul(text, 10, &kib);
	if (err) {
		pr_warn("%s is '%s', allowed are 0 for off or a limit in KiB up to %lu; taken for 0\n",
			XPR_PATH, text, ULONG_MAX);
		kib = 0;
	}
	kfree(text);
	return kib >> (PAGE_SHIFT - 10);
}

static void xpr_set_limit(unsigned long pages)
{
	if (pages == XPR_UNLIMITED)
		pr_info("the toolstack sets no limit\n");
	else
		pr_info("the toolstack allows %lu KiB\n",
			pages << (PAGE_SHIFT - 10));
	WRITE_ONCE(xpr_limit, pages);
	mod_delayed_work(system_wq, &xpr_work, 0);
}

static void xpr_node_changed(struct xenbus_watch *watch, const char *path,
			     const char *token)
{
	xpr_set_limit(xpr_read_limit());
}

static struct xenbus_watch xpr_watch = {
	.node = XPR_PATH,
	.callback = xpr_node_changed,
};

/* The watch fires once at the start. */
static int xpr_xenstore_up(struct notifier_block *nb, unsigned long event,
			   void *data)
{
	int err = register_xenbus_watch(&xpr_watch);

	if (err)
		pr_err("cannot watch %s: %pe\n", XPR_PATH, ERR_PTR(err));
	return NOTIFY_DONE;
}

static struct notifier_block xpr_xenstore_nb = {
	.notifier_call = xpr_xenstore_up,
};

/* --- the administrator's word --- */

static int xpr_switch(const char *text, const struct kernel_param *kp)
{
	bool wanted = sysfs_streq(text, "on");
	int err;

	if (!wanted && !sysfs_streq(text, "off")) {
		pr_notice("xen_page_reporting=%s is not known, allowed are on and off\n",
			  text);
		return -EINVAL;
	}
	/* Others must be able to use theirs while memory is fetched. */
	kernel_param_unlock(THIS_MODULE);
	mutex_lock(&xpr_mutex);
	WRITE_ONCE(xpr_wanted, wanted);
	err = xpr_update();
	mutex_unlock(&xpr_mutex);
	kernel_param_lock(THIS_MODULE);
	return err;
}

static int xpr_switch_show(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%s\n", str_on_off(READ_ONCE(xpr_wanted)));
}

static const struct kernel_param_ops xpr_switch_ops = {
	.set = xpr_switch,
	.get = xpr_switch_show,
};

/* Without a prefix, as xen_scrub_pages. */
__module_param_call("", xen_page_reporting, &xpr_switch_ops, NULL, 0644, -1, 0);

/*
 * Late, after the balloon has been inflated to its first target: a domain that
 * was started with less than its maximum does not have memory for all of its
 * pages before.
 */
static int __init xpr_init(void)
{
	if (!xen_domain())
		return 0;
	mutex_lock(&xpr_mutex);
	/* dom0 is its own toolstack, and is there before xenstore is. */
	if (xen_initial_domain())
		WRITE_ONCE(xpr_limit, XPR_UNLIMITED);
	xpr_ready = true;
	xpr_update();
	mutex_unlock(&xpr_mutex);
	register_xenstore_notifier(&xpr_xenstore_nb);
	return 0;
}
late_initcall_sync(xpr_init);
