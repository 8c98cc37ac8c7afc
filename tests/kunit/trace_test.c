// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests that the events add up to the counters, so
 * that who follows the trace and who reads sysfs see the same.
 */
#include <kunit/test.h>
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/tracepoint.h>

#include <trace/events/page_reporting.h>

#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

#define NR_BLOCKS	4

/**
 * struct tally - what the events since the start of a test add up to
 * @seen:	what should be in the counters
 * @before:	what was in the counters when it began
 * @refused:	restores that failed
 * @batched:	pages in batches
 * @passed:	pages that passes reported
 */
struct tally {
	atomic_long_t seen[FPR_NR_COUNTERS];
	long before[FPR_NR_COUNTERS];
	atomic_long_t refused;
	atomic_long_t batched;
	atomic_long_t passed;
};

static struct tally tally;

static void see(enum fpr_counter counter, unsigned long n)
{
	atomic_long_add(n, &tally.seen[counter]);
}

static void see_entry(void *data, struct zone *zone, unsigned long pfn,
		      unsigned long pages, bool reported)
{
	see(reported ? FPR_REPORTED : FPR_FAILED, pages);
}

static void see_refault(void *data, struct zone *zone, unsigned long backed,
			unsigned long refaulted, unsigned long retained)
{
	see(FPR_REFAULTED, refaulted);
}

static void see_skip(void *data, struct zone *zone, unsigned long pfn,
		     unsigned long pages)
{
	see(FPR_SKIPPED, pages);
}

static void see_defer(void *data, struct zone *zone, unsigned long pfn,
		      unsigned long pages)
{
	see(FPR_DEFERRED, pages);
}

static void see_restore(void *data, struct zone *zone, unsigned long pfn,
			unsigned long pages, int err, s64 ns)
{
	if (err)
		atomic_long_inc(&tally.refused);
	else
		see(FPR_RESTORED, pages);
}

static void see_claim(void *data, struct zone *zone, unsigned long pfn,
		      unsigned long pages)
{
	see(FPR_CLAIMED, pages);
}

static void see_pass(void *data, const char *name, bool flush,
		     unsigned long pages, int err)
{
	see(FPR_PASSES, 1);
	if (flush)
		see(FPR_FLUSHED, pages);
	atomic_long_add(pages, &tally.passed);
}

static void see_batch(void *data, struct zone *zone, unsigned int order,
		      unsigned int entries, unsigned long pages, int err,
		      s64 ns)
{
	see(FPR_BATCHES, 1);
	atomic_long_add(pages, &tally.batched);
}

static void stop_watching(void *unused)
{
	unregister_trace_page_reporting_entry(see_entry, NULL);
	unregister_trace_page_reporting_refault(see_refault, NULL);
	unregister_trace_page_reporting_skip(see_skip, NULL);
	unregister_trace_page_reporting_defer(see_defer, NULL);
	unregister_trace_page_reporting_restore(see_restore, NULL);
	unregister_trace_page_reporting_claim(see_claim, NULL);
	unregister_trace_page_reporting_pass(see_pass, NULL);
	unregister_trace_page_reporting_batch(see_batch, NULL);
	tracepoint_synchronize_unregister();
}

/* No backend is registered yet, so no counter moves meanwhile. */
static int watch(struct kunit *test)
{
	unsigned int i;
	int err = fake_test_init(test);

	if (err)
		return err;
	memset(&tally, 0, sizeof(tally));
	for (i = 0; i < FPR_NR_COUNTERS; i++)
		tally.before[i] = atomic_long_read(&fpr_total.n[i]);
	err = register_trace_page_reporting_entry(see_entry, NULL) ?:
	      register_trace_page_reporting_refault(see_refault, NULL) ?:
	      register_trace_page_reporting_skip(see_skip, NULL) ?:
	      register_trace_page_reporting_defer(see_defer, NULL) ?:
	      register_trace_page_reporting_restore(see_restore, NULL) ?:
	      register_trace_page_reporting_claim(see_claim, NULL) ?:
	      register_trace_page_reporting_pass(see_pass, NULL) ?:
	      register_trace_page_reporting_batch(see_batch, NULL);
	KUNIT_ASSERT_EQ(test, 0, err);
	return kunit_add_action_or_reset(test, stop_watching, NULL);
}

static long seen(enum fpr_counter counter)
{
	return atomic_long_read(&tally.seen[counter]);
}

/*
 * When the backend has gone, events and counters agree, with some of @counter.
 */
static void expect_agreement(struct kunit *test, enum fpr_counter counter)
{
	unsigned int i;

	fake_unregister(test, test->priv);
	for (i = 0; i < FPR_NR_COUNTERS; i++)
		KUNIT_EXPECT_EQ_MSG(test, seen(i),
				    atomic_long_read(&fpr_total.n[i]) -
				    tally.before[i], "counter %u", i);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&tally.batched),
			seen(FPR_REPORTED) + seen(FPR_FAILED));
	KUNIT_EXPECT_EQ(test, atomic_long_read(&tally.passed),
			seen(FPR_REPORTED));
	KUNIT_EXPECT_GE(test, seen(counter), MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_GT(test, seen(FPR_REPORTED), 0);
	KUNIT_EXPECT_GT(test, seen(FPR_PASSES), 0);
	KUNIT_EXPECT_GT(test, seen(FPR_BATCHES), 0);
}

static void start(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER;
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
}

static void test_failed(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	struct fake_backend *fake = test->priv;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	start(test);
	fpr_set_enabled(false);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	/* A batch as a whole, and then every other entry of some. */
	fake->error = -EAGAIN;
	fake->nr_errors = 1;
	fake->fail_odd = NR_BLOCKS;
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	expect_agreement(test, FPR_FAILED);
}

static void test_skipped(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	fpr_set_enabled(false);
	test_block_free(block);
	KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	expect_agreement(test, FPR_SKIPPED);
}

static void test_deferred(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	fpr_set_enabled(false);
	test_block_free(block);
	test_block_change_type(test, block, MIGRATE_HIGHATOMIC);
	fpr_set_enabled(true);
	fake_run_pass(test, fake);
	test_block_change_type(test, block, MIGRATE_MOVABLE);
	fake_wait_quiet(test, fake);
	expect_agreement(test, FPR_DEFERRED);
}

static void test_flushed(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned long pages;

	start(test);
	WRITE_ONCE(fpr_tunables.age_ms, FPR_MS_MAX);
	test_block_free(block);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	expect_agreement(test, FPR_FLUSHED);
}

#ifdef CONFIG_PAGE_REPORTING_RETAIN
static void test_refaulted(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	WRITE_ONCE(fpr_tunables.max_age_ms, FPR_MS_MAX);
	test_block_free(block);
	fake_wait_quiet(test, fake);
	KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
	test_block_free(block);
	expect_agreement(test, FPR_REFAULTED);
}

#endif /* CONFIG_PAGE_REPORTING_RETAIN */

#ifdef CONFIG_PAGE_REPORTING_RESTORE
/* Also those that come back because the backend goes. */
static void test_restored(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	struct fake_backend *fake = test->priv;
	struct zone *zone;
	unsigned int i;

	fake->prdev.order = MAX_PAGE_ORDER;
	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	zone = page_zone(blocks[0]->page);
	fake_register_restorer(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);

	KUNIT_ASSERT_GE(test, fpr_unbacked_in(zone),
			2 * MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_TRUE(test, restore_one(zone, 0, 0));
	fake->restore_error = -ENOMEM;
	KUNIT_EXPECT_FALSE(test, restore_one(zone, 0, 0));
	fake->restore_error = 0;
	KUNIT_EXPECT_GE(test, atomic_long_read(&tally.refused), 1);
	expect_agreement(test, FPR_RESTORED);
	KUNIT_EXPECT_EQ(test, seen(FPR_RESTORED), fake->restored);
}

static void test_claimed(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	LIST_HEAD(pages);

	fake->prdev.order = MAX_PAGE_ORDER;
	fake_register_restorer(test, fake);
	test_block_free(block);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_EXPECT_EQ(test, MAX_ORDER_NR_PAGES,
			test_claim_pages(fake, GFP_KERNEL, MAX_ORDER_NR_PAGES,
					 &pages));
	test_return_claimed(&pages);
	expect_agreement(test, FPR_CLAIMED);
}

#endif /* CONFIG_PAGE_REPORTING_RESTORE */

static struct kunit_case trace_cases[] = {
	KUNIT_CASE(test_failed),
	KUNIT_CASE(test_skipped),
	KUNIT_CASE(test_deferred),
	KUNIT_CASE(test_flushed),
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	KUNIT_CASE(test_refaulted),
#endif
#ifdef CONFIG_PAGE_REPORTING_RESTORE
	KUNIT_CASE(test_restored),
	KUNIT_CASE(test_claimed),
#endif
	{}
};

static struct kunit_suite trace_suite = {
	.name = "page_reporting_trace",
	.init = watch,
	.test_cases = trace_cases,
};

kunit_test_suite(trace_suite);
