// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: hibernation and kexec, which need all memory back.
 *
 * What takes over the memory of this system knows nothing of held blocks.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/suspend.h>

#include "internal.h"

static int fpr_restore_backend(struct fpr_backend *backend)
{
	unsigned long left;

	if (!backend->holds)
		return 0;
	/* A batch that is on its way is held when it returns. */
	flush_work(&backend->work);
	fpr_restore_excess(backend, 0);
	/* And a block that an allocation fails to restore is held again. */
	synchronize_rcu();
	left = fpr_held_pages(backend);
	if (!left)
		return 0;
	pr_err("backend %s did not get %lu kB back from the hypervisor\n",
	       backend->name, left << (PAGE_SHIFT - 10));
	return -EBUSY;
}

/* What a backend that went has lost is missing for good. */
static int fpr_check_lost(void)
{
	unsigned long lost = fpr_lost_pages();

	if (!lost)
		return 0;
	pr_err("%lu kB were lost to the hypervisor when a backend went\n",
	       lost << (PAGE_SHIFT - 10));
	return -EBUSY;
}

/*
 * Is all memory there?  A backend that is being unregistered may not be done
 * yet, but what it does to its blocks it does under fpr_mutex.
 */
static int fpr_check_whole(void)
{
	guard(mutex)(&fpr_mutex);
	return fpr_held_pages(NULL) ? -EBUSY : fpr_check_lost();
}

/**
 * page_reporting_resume_holding() - blocks may be held again
 *
 * For those who called page_reporting_restore_all(), and go on after all.
 *
 * Context: Process context, may sleep.  Takes an internal mutex.
 */
void page_reporting_resume_holding(void)
{
	guard(mutex)(&fpr_mutex);
	WRITE_ONCE(fpr_holding_paused, false);
	fpr_kick_all();
}

/**
 * page_reporting_restore_all() - restore everything, and hold nothing more
 *
 * For a kernel or an image that is about to take over this system's memory,
 * and knows nothing of held blocks.
 *
 * Context: Process context, may sleep.  Takes an internal mutex.
 * Return: 0, or -EBUSY if the hypervisor did not give everything back, now or
 * when a backend was unregistered; then blocks may be held again.
 */
int page_reporting_restore_all(void)
{
	struct fpr_backend **backends, **backend;
	int err = fpr_check_lost();

	if (err)
		return err;
	WRITE_ONCE(fpr_holding_paused, true);
	backends = fpr_backends_get();
	if (!backends)
		err = -ENOMEM;
	for (backend = backends; !err && *backend; backend++)
		err = fpr_restore_backend(*backend);
	fpr_backends_put(backends);
	err = err ?: fpr_check_whole();
	if (err)
		page_reporting_resume_holding();
	return err;
}

static int fpr_pm_notify(struct notifier_block *nb, unsigned long event,
			 void *unused)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(page_reporting_restore_all());
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		page_reporting_resume_holding();
	}
	return NOTIFY_DONE;
}

static int __init fpr_events_init(void)
{
	pm_notifier(fpr_pm_notify, 0);
	return 0;
}
subsys_initcall(fpr_events_init);
