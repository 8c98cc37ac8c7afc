// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: suspend, hibernation, kexec and running out of memory.
 *
 * While the system suspends no report may be under way, and what takes over
 * its memory needs all of it back.  fpr_mutex orders this against backends
 * that come and go.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/suspend.h>

#include "backend.h"
#include "flush.h"
#include "restore.h"
#include "unbacked.h"

static int fpr_restore_backend(struct fpr_backend *backend)
{
	unsigned long left;

	if (!backend->restores)
		return 0;
	fpr_restore_excess(backend, 0);
	/* A block that an allocation fails to restore is unbacked again. */
	synchronize_rcu();
	left = fpr_unbacked_pages(backend);
	if (!left)
		return 0;
	pr_err("backend %s did not get %lu kB back from the hypervisor\n",
	       backend->name, left << (PAGE_SHIFT - 10));
	return -EBUSY;
}

static int fpr_restore_backends(void)
{
	struct fpr_backend **backends, **backend;
	int err = 0;

	backends = fpr_backends_get();
	if (!backends)
		return -ENOMEM;
	for (backend = backends; !err && *backend; backend++)
		err = fpr_restore_backend(*backend);
	fpr_backends_put(backends);
	return err;
}

/* What was lost with a backend that was unregistered is missing for good. */
static int fpr_check_lost(void)
{
	unsigned long lost = fpr_lost_pages();

	if (!lost)
		return 0;
	pr_err("%lu kB were lost to the hypervisor when a backend was unregistered\n",
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
	return fpr_unbacked_pages(NULL) ? -EBUSY : fpr_check_lost();
}

static int fpr_pause(void)
{
	guard(mutex)(&fpr_mutex);
	return fpr_pause_all();
}

static void fpr_resume(void)
{
	guard(mutex)(&fpr_mutex);
	fpr_resume_all();
}

/**
 * page_reporting_resume() - go on after page_reporting_restore_all()
 *
 * For those who called page_reporting_restore_all(), and go on after all.  What
 * was reported before is reported once more, because another kernel may have
 * used it.
 *
 * Context: Process context, may sleep.  Takes an internal mutex.
 */
void page_reporting_resume(void)
{
	fpr_forget_all();
	fpr_resume();
}

/**
 * page_reporting_restore_all() - have all memory back, and report nothing more
 *
 * For a kernel or an image that is about to take over this system's memory.  It
 * knows nothing of unbacked blocks, and a hypervisor that is still at work on a
 * report would discard memory that is in use by then.
 *
 * Waits for reports that are under way, two seconds each at most.
 *
 * Context: Process context, may sleep.  Takes an internal mutex.
 * Return: 0; or -EBUSY if a backend does not answer a report, or if the
 * hypervisor did not give everything back, now or when a backend was
 * unregistered; or -ENOMEM.  With an error, reporting goes on.
 */
int page_reporting_restore_all(void)
{
	int err = fpr_check_lost() ?: fpr_pause();

	if (err)
		return err;
	err = fpr_restore_backends() ?: fpr_check_whole();
	if (err)
		fpr_resume();
	return err;
}

/*
 * While the system suspends, a report must not be under way either: the worker
 * would have to be waited for before it can be frozen, for as long as the host
 * does not answer.
 */
static int fpr_pm_notify(struct notifier_block *nb, unsigned long event,
			 void *unused)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
		return notifier_from_errno(fpr_pause());
	case PM_HIBERNATION_PREPARE:
	case PM_RESTORE_PREPARE:
		return notifier_from_errno(page_reporting_restore_all());
	case PM_POST_HIBERNATION:
	case PM_POST_RESTORE:
		/* Another kernel has used what the host had been given. */
		fpr_forget_all();
		fallthrough;
	case PM_POST_SUSPEND:
		fpr_resume();
	}
	return NOTIFY_DONE;
}

/* The last resort before a process is killed: maybe there is memory by now. */
static int fpr_oom_notify(struct notifier_block *nb, unsigned long unused,
			  void *freed)
{
	unsigned long *pages = freed, restored = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		restored += fpr_restore_for_oom(zone);
	*pages += restored;
	return NOTIFY_OK;
}

static struct notifier_block fpr_oom_nb = {
	.notifier_call = fpr_oom_notify,
};

static int __init fpr_events_init(void)
{
	pm_notifier(fpr_pm_notify, 0);
	return register_oom_notifier(&fpr_oom_nb);
}
subsys_initcall(fpr_events_init);
