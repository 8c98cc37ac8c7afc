// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: a backend for KUnit tests.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "fake_backend.h"

/* Long enough for the slowest machine: reached only when a test fails. */
#define PATIENCE	(20 * HZ)

/* === The callback === */

static unsigned long count_not_isolated(unsigned long pfn,
					unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, strays = 0;

	for (; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		strays += PageBuddy(page) || page_count(page);
	}
	return strays;
}

/* The smallest block that the core may report. */
static unsigned int smallest_order(const struct fake_backend *fake)
{
	unsigned int order = READ_ONCE(page_reporting_order);

	if (!(fake->prdev.flags & PAGE_REPORTING_PIECES) ||
	    !READ_ONCE(fpr_tunables.piece_age_ms))
		return order;
	return order > FPR_SEGMENT_SHIFT ? order - FPR_SEGMENT_SHIFT : 0;
}

static bool is_malformed(const struct fake_backend *fake, unsigned long pfn,
			 unsigned long nr_pages)
{
	unsigned long power = 1;
	unsigned int order = 0;

	if (fake->prdev.flags & PAGE_REPORTING_MERGE)
		return false;
	while (power < nr_pages) {
		power *= 2;
		order++;
	}
	return power != nr_pages || pfn % power || order < smallest_order(fake);
}

static void record(struct fake_backend *fake, struct scatterlist *sg,
		   bool reported)
{
	unsigned long pfn = page_to_pfn(sg_page(sg));
	unsigned long nr_pages = sg->length / PAGE_SIZE;

	fake->not_isolated += count_not_isolated(pfn, nr_pages);
	fake->malformed += is_malformed(fake, pfn, nr_pages);
	if (reported)
		fake->pages += nr_pages;
	else
		fake->failed += nr_pages;
	if (fake->nr_entries == FAKE_MAX_ENTRIES) {
		fake->lost++;
		return;
	}
	fake->entries[fake->nr_entries++] = (struct fake_entry){
		.pfn = pfn,
		.nr_pages = nr_pages,
		.call = fake->calls,
		.at = jiffies,
		.reported = reported,
		.away = reported && fake->prdev.restore,
	};
}

static struct fake_entry *find_away(struct fake_backend *fake,
				    unsigned long pfn)
{
	unsigned int i;

	for (i = 0; i < fake->nr_entries; i++) {
		struct fake_entry *entry = &fake->entries[i];

		if (entry->away && pfn >= entry->pfn &&
		    pfn - entry->pfn < entry->nr_pages)
			return entry;
	}
	return NULL;
}

/* Make a record of its own of a part that is away, none if it is not. */
static struct fake_entry *carve(struct fake_backend *fake, unsigned long pfn,
				unsigned long nr_pages)
{
	struct fake_entry *entry = find_away(fake, pfn);
	unsigned long left, right;
	struct fake_entry *rest;

	if (!entry || pfn + nr_pages > entry->pfn + entry->nr_pages)
		return NULL;
	left = pfn - entry->pfn;
	right = entry->nr_pages - nr_pages - left;
	if (fake->nr_entries + !!left + !!right > FAKE_MAX_ENTRIES)
		return NULL;
	if (left) {
		rest = &fake->entries[fake->nr_entries++];
		*rest = *entry;
		rest->nr_pages = left;
	}
	if (right) {
		rest = &fake->entries[fake->nr_entries++];
		*rest = *entry;
		rest->pfn = pfn + nr_pages;
		rest->nr_pages = right;
	}
	entry->pfn = pfn;
	entry->nr_pages = nr_pages;
	return entry;
}

/* What a restore of a block comes to. */
static int restore_result(const struct fake_backend *fake, unsigned long pfn,
			  unsigned long nr_pages)
{
	if (fake->stubborn >= pfn && fake->stubborn - pfn < nr_pages)
		return -ENOMEM;
	return fake->restore_error;
}

/* Progress is remembered in the block; what is back costs nothing. */
int fake_restore(struct page_reporting_dev_info *prdev, struct page *page,
		 unsigned int order)
{
	struct fake_backend *fake =
		container_of(prdev, struct fake_backend, prdev);
	unsigned long back = page_private(page), nr_pages = 1UL << order;
	unsigned long flags, pfn = page_to_pfn(page);
	struct fake_entry *entry;
	int err = 0;

	spin_lock_irqsave(&fake->lock, flags);
	fake->restores++;
	entry = carve(fake, pfn, nr_pages);
	if (back < nr_pages)
		err = restore_result(fake, pfn, nr_pages);
	if (err && !fake->stubborn)
		back += fake->restore_step;
	if (back >= nr_pages)
		err = 0;
	if (!entry || pfn % nr_pages)
		fake->strays++;
	else if (!err)
		entry->away = false;
	set_page_private(page, back);
	if (!err)
		fake->restored += nr_pages;
	spin_unlock_irqrestore(&fake->lock, flags);
	return err;
}

/* Somebody else takes care of a page that is away.  Returns whether it was. */
bool fake_let_claim(struct fake_backend *fake, unsigned long pfn)
{
	struct fake_entry *entry;

	spin_lock_irq(&fake->lock);
	entry = carve(fake, pfn, 1);
	if (entry)
		entry->away = false;
	spin_unlock_irq(&fake->lock);
	return entry;
}

/* Say which order the hypervisor can do. */
static int refuse_order(struct fake_backend *fake)
{
	if (fake->writes_order)
		WRITE_ONCE(page_reporting_order, fake->least_order);
	else
		page_reporting_raise_order(&fake->prdev, fake->least_order);
	return -EINVAL;
}

static int fake_report(struct page_reporting_dev_info *prdev,
		       struct scatterlist *sgl, unsigned int nents)
{
	struct fake_backend *fake =
		container_of(prdev, struct fake_backend, prdev);
	bool fail_odd = fake->fail_odd, fail_all = fake->fail_all;
	struct scatterlist *sg;
	unsigned int i;
	int err = 0;

	if (READ_ONCE(fake->block)) {
		complete(&fake->entered);
		wait_for_completion(&fake->proceed);
	}

	spin_lock_irq(&fake->lock);
	if (fake->nr_errors) {
		fake->nr_errors--;
		err = fake->error;
	}
	if (READ_ONCE(page_reporting_order) < fake->least_order)
		err = refuse_order(fake);
	if (fail_odd)
		fake->fail_odd--;
	if (fail_all)
		fake->fail_all--;
	if (fake->calls < FAKE_MAX_CALLS)
		fake->called_at[fake->calls] = jiffies;
	for_each_sg(sgl, sg, nents, i) {
		bool failed = fail_all || (fail_odd && i % 2);

		record(fake, sg, !err && !failed);
		if (failed)
			page_reporting_entry_failed(sg);
	}
	fake->calls++;
	spin_unlock_irq(&fake->lock);
	return err;
}

/* Let a call that waits go on, and those that follow not wait. */
void fake_let_go(struct fake_backend *fake)
{
	WRITE_ONCE(fake->block, false);
	complete_all(&fake->proceed);
}

/* === Life cycle === */

struct saved_settings {
	struct fpr_tunables tunables;
	unsigned int order;
	bool order_chosen;
};

static void restore_settings(void *context)
{
	struct saved_settings *saved = context;

	mutex_lock(&fpr_mutex);
	fpr_tunables = saved->tunables;
	WRITE_ONCE(page_reporting_order, saved->order);
	fpr_order_chosen = saved->order_chosen;
	mutex_unlock(&fpr_mutex);
}

/* What is freed is due at once, and no user has chosen an order. */
static void set_defaults(void)
{
	mutex_lock(&fpr_mutex);
	fpr_tunables = (struct fpr_tunables){
		.enabled = true,
		.unbacked_max_kb = FPR_NO_LIMIT,
		.max_delay_ms = 1000,
	};
	WRITE_ONCE(page_reporting_order, (unsigned int)-1);
	fpr_order_chosen = false;
	mutex_unlock(&fpr_mutex);
}

/* The init function of a suite: makes a backend, test->priv. */
int fake_test_init(struct kunit *test)
{
	struct saved_settings *saved = kunit_kzalloc(test, sizeof(*saved),
						     GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, saved);
	KUNIT_ASSERT_TRUE_MSG(test, list_empty(&fpr_backends),
			      "a backend is registered, unregister it first");
	saved->tunables = fpr_tunables;
	saved->order = page_reporting_order;
	saved->order_chosen = fpr_order_chosen;
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, restore_settings,
						  saved));
	set_defaults();
	test->priv = fake_create(test);
	return 0;
}

static void free_entries(void *entries)
{
	kvfree(entries);
}

/* Make a backend, which is not registered yet. */
struct fake_backend *fake_create(struct kunit *test)
{
	struct fake_backend *fake = kunit_kzalloc(test, sizeof(*fake),
						  GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->entries = kvcalloc(FAKE_MAX_ENTRIES, sizeof(*fake->entries),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->entries);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_entries,
						  fake->entries));
	spin_lock_init(&fake->lock);
	init_completion(&fake->entered);
	init_completion(&fake->proceed);
	fake->prdev.report = fake_report;
	fake->prdev.order = PAGE_REPORTING_ORDER_UNSPECIFIED;
	fake->prdev.name = "fake";
	return fake;
}

static void let_go_and_unregister(void *context)
{
	struct fake_backend *fake = context;

	fake_let_go(fake);
	fake->restore_error = 0;
	fake->stubborn = 0;
	page_reporting_unregister(&fake->prdev);
}

void fake_register(struct kunit *test, struct fake_backend *fake)
{
	KUNIT_ASSERT_EQ(test, 0, page_reporting_register(&fake->prdev));
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, let_go_and_unregister,
						  fake));
}

/* Let nothing be pending. */
static void drop_pending(void)
{
	struct zone *zone;

	for_each_populated_zone(zone) {
		unsigned long pfn = zone->zone_start_pfn;
		struct fpr_zone *fz;

		spin_lock_irq(&zone->lock);
		fz = fpr_zone_get_locked(zone);
		for (; fz && pfn < zone_end_pfn(zone);
		     pfn += fpr_block_pages(fz))
			fpr_clear_pending(fz, pfn);
		spin_unlock_irq(&zone->lock);
	}
}

/* Register a backend that restores: only what is freed later is unbacked. */
void fake_register_restorer(struct kunit *test, struct fake_backend *fake)
{
	WRITE_ONCE(fpr_tunables.unbacked_max_kb, 0);
	fake->prdev.restore = fake_restore;
	fake_register(test, fake);
	flush_work(&fake_core(fake)->work);
	drop_pending();
	WRITE_ONCE(fpr_tunables.unbacked_max_kb, FPR_NO_LIMIT);
}

void fake_unregister(struct kunit *test, struct fake_backend *fake)
{
	kunit_release_action(test, let_go_and_unregister, fake);
}

/* What the core made of a registered backend, NULL if it is not. */
struct fpr_backend *fake_core(const struct fake_backend *fake)
{
	struct fpr_backend *backend, *found = NULL;

	mutex_lock(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node)
		if (backend->prdev == &fake->prdev)
			found = backend;
	mutex_unlock(&fpr_mutex);
	return found;
}

/* === Waiting === */

/* Wait until @done says so.  Returns false when patience is at its end. */
bool fake_wait(bool (*done)(void *context), void *context)
{
	unsigned long end = jiffies + PATIENCE;

	while (!done(context)) {
		if (time_after(jiffies, end))
			return false;
		msleep(20);
	}
	return true;
}

static bool is_quiet(void *context)
{
	struct fpr_backend *backend = context;

	/* In this order: what the worker has isolated is not pending. */
	return !fpr_pending_pages(NULL) && !work_busy(&backend->work);
}

/* Wait until nothing is pending and nothing is isolated. */
void fake_wait_quiet(struct kunit *test, struct fake_backend *fake)
{
	struct fpr_backend *backend = fake_core(fake);

	KUNIT_ASSERT_NOT_NULL(test, backend);
	KUNIT_ASSERT_TRUE_MSG(test, fake_wait(is_quiet, backend),
			      "%lu pages still pending", fpr_pending_pages(NULL));
}

/* Let a pass happen now, whether anything is due or not. */
void fake_run_pass(struct kunit *test, struct fake_backend *fake)
{
	struct fpr_backend *backend = fake_core(fake);

	KUNIT_ASSERT_NOT_NULL(test, backend);
	queue_work(backend->wq, &backend->work);
	flush_work(&backend->work);
}

/* === The record === */

void fake_forget(struct fake_backend *fake)
{
	spin_lock_irq(&fake->lock);
	fake->nr_entries = 0;
	fake->calls = 0;
	fake->pages = 0;
	fake->failed = 0;
	spin_unlock_irq(&fake->lock);
}

unsigned int fake_times_reported(struct fake_backend *fake, unsigned long pfn)
{
	unsigned int i, times = 0;

	spin_lock_irq(&fake->lock);
	for (i = 0; i < fake->nr_entries; i++) {
		const struct fake_entry *entry = &fake->entries[i];

		times += entry->reported && pfn >= entry->pfn &&
			 pfn - entry->pfn < entry->nr_pages;
	}
	spin_unlock_irq(&fake->lock);
	return times;
}

/* When a page was reported for the first time, 0 if it was not. */
unsigned long fake_reported_at(struct fake_backend *fake, unsigned long pfn)
{
	unsigned long at = 0;
	unsigned int i;

	spin_lock_irq(&fake->lock);
	for (i = 0; i < fake->nr_entries && !at; i++) {
		const struct fake_entry *entry = &fake->entries[i];

		if (entry->reported && pfn >= entry->pfn &&
		    pfn - entry->pfn < entry->nr_pages)
			at = entry->at;
	}
	spin_unlock_irq(&fake->lock);
	return at;
}

/* Does the hypervisor have the page? */
bool fake_has(struct fake_backend *fake, unsigned long pfn)
{
	bool away;

	spin_lock_irq(&fake->lock);
	away = find_away(fake, pfn);
	spin_unlock_irq(&fake->lock);
	return away;
}

/* Was each of these pages reported exactly so many times? */
bool fake_saw(struct fake_backend *fake, unsigned long pfn,
	      unsigned long nr_pages, unsigned int times)
{
	unsigned long end = pfn + nr_pages;

	for (; pfn < end; pfn++)
		if (fake_times_reported(fake, pfn) != times)
			return false;
	return true;
}
