// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of what is not reported yet: too young, too
 * little, paused, or in a pageblock that must be left alone.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/page-isolation.h>
#include <linux/pageblock-flags.h>

#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

/* Much longer than a test takes, in ms. */
#define AGES	FPR_MS_MAX

static void start(struct kunit *test, unsigned int order)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = order;
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
}

static void kick(void)
{
	mutex_lock(&fpr_mutex);
	fpr_kick_all();
	mutex_unlock(&fpr_mutex);
}

static void expect_waiting(struct kunit *test, const struct test_block *block)
{
	struct fake_backend *fake = test->priv;

	fake_run_pass(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, MAX_ORDER_NR_PAGES,
					 0));
	KUNIT_EXPECT_GE(test, fpr_pending_pages(NULL), MAX_ORDER_NR_PAGES);
}

static void expect_reported(struct kunit *test, const struct test_block *block)
{
	struct fake_backend *fake = test->priv;

	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, MAX_ORDER_NR_PAGES,
					 1));
}

/* The block is reported, @ms after @freed_at or later. */
static void expect_reported_after(struct kunit *test,
				  const struct test_block *block,
				  unsigned long freed_at, unsigned int ms)
{
	struct fake_backend *fake = test->priv;

	expect_reported(test, block);
	KUNIT_ASSERT_LE(test, fake->calls, FAKE_MAX_CALLS);
	KUNIT_ASSERT_GT(test, fake->calls, 0);
	KUNIT_EXPECT_GE(test, fake->called_at[fake->calls - 1],
			freed_at + msecs_to_jiffies(ms));
}

static void sleep_at_least(unsigned int ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);

	while (time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
}

/* === Tunables === */

static void test_young_block_waits(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);

	start(test, MAX_PAGE_ORDER);
	WRITE_ONCE(fpr_tunables.age_ms, AGES);
	test_block_free(block);
	expect_waiting(test, block);
	WRITE_ONCE(fpr_tunables.age_ms, 0);
	kick();
	expect_reported(test, block);
}

static void test_reported_at_age(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned long freed_at;

	start(test, MAX_PAGE_ORDER);
	WRITE_ONCE(fpr_tunables.age_ms, 400);
	freed_at = jiffies;
	test_block_free(block);
	expect_reported_after(test, block, freed_at, 400);
}

/* Every free begins the wait anew. */
static void test_churn_is_left_alone(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned long half = MAX_ORDER_NR_PAGES / 2, freed_at;

	start(test, MAX_PAGE_ORDER);
	WRITE_ONCE(fpr_tunables.age_ms, 300);
	test_block_free_part(block, 0, half);
	sleep_at_least(200);
	freed_at = jiffies;
	test_block_free_part(block, half, half);
	expect_reported_after(test, block, freed_at, 300);
}

/* The pass that was to come for the first free comes for the second. */
static void test_used_while_pending(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned long freed_at;

	start(test, MAX_PAGE_ORDER);
	WRITE_ONCE(fpr_tunables.age_ms, 300);
	test_block_free(block);
	sleep_at_least(200);
	KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
	freed_at = jiffies;
	test_block_free(block);
	expect_reported_after(test, block, freed_at, 300);
}

static void test_below_threshold_waits(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);

	start(test, MAX_PAGE_ORDER);
	WRITE_ONCE(fpr_tunables.threshold_kb, UINT_MAX);
	WRITE_ONCE(fpr_tunables.max_delay_ms, AGES);
	test_block_free(block);
	expect_waiting(test, block);
	WRITE_ONCE(fpr_tunables.threshold_kb, 0);
	kick();
	expect_reported(test, block);
}

/* Little memory does not wait longer than max_delay_ms. */
static void test_max_delay(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);

	start(test, MAX_PAGE_ORDER);
	WRITE_ONCE(fpr_tunables.threshold_kb, UINT_MAX);
	WRITE_ONCE(fpr_tunables.max_delay_ms, 100);
	test_block_free(block);
	expect_reported(test, block);
}

static void test_paused(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);

	start(test, MAX_PAGE_ORDER);
	fpr_set_enabled(false);
	test_block_free(block);
	expect_waiting(test, block);
	fpr_set_enabled(true);
	expect_reported(test, block);
}

/* === Pageblocks to be left alone === */

static long deferred_pages(void)
{
	return atomic_long_read(&fpr_total.n[FPR_DEFERRED]);
}

#ifdef CONFIG_MEMORY_ISOLATION
static void undo_isolation(void *context)
{
	struct fpr_range *isolated = context;

	undo_isolate_page_range(isolated->pfn,
				isolated->pfn + isolated->nr_pages);
}

/* What was deferred is not looked at again with every pass. */
static void expect_few_looks(struct kunit *test)
{
	unsigned long begin = jiffies;
	long before = deferred_pages();
	unsigned int i;

	for (i = 0; i < 50; i++)
		fake_run_pass(test, test->priv);
	KUNIT_EXPECT_LE(test, deferred_pages() - before,
			((jiffies - begin) / HZ + 2) * MAX_ORDER_NR_PAGES);
}

/* Leave a block alone while its first @nr_pages are isolated. */
static void check_isolation(struct kunit *test, unsigned int order,
			    unsigned long nr_pages)
{
	struct test_block *block = test_block_alloc(test);
	struct fpr_range *isolated;
	long before = deferred_pages();

	/* Not on the stack: it is needed after a test that has failed. */
	isolated = kunit_kzalloc(test, sizeof(*isolated), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, isolated);
	isolated->pfn = block->pfn;
	isolated->nr_pages = nr_pages;
	start(test, order);
	fpr_set_enabled(false);
	test_block_free(block);
	KUNIT_ASSERT_EQ(test, 0,
			start_isolate_page_range(block->pfn,
						 block->pfn + nr_pages,
						 PB_ISOLATE_MODE_OTHER));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, undo_isolation,
							   isolated));
	fpr_set_enabled(true);
	expect_waiting(test, block);
	KUNIT_EXPECT_GE(test, deferred_pages() - before, MAX_ORDER_NR_PAGES);
	expect_few_looks(test);

	kunit_release_action(test, undo_isolation, isolated);
	expect_reported(test, block);
}

/* Isolation splits free list entries into pageblocks. */
static void test_isolated_pageblock(struct kunit *test)
{
	check_isolation(test, pageblock_order, MAX_ORDER_NR_PAGES);
}

/* A part of a block is isolated, where a block is larger than a pageblock. */
static void test_partly_isolated_block(struct kunit *test)
{
	check_isolation(test, MAX_PAGE_ORDER, pageblock_nr_pages);
}
#endif

static void test_highatomic_pageblock(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	long before = deferred_pages();

	start(test, MAX_PAGE_ORDER);
	fpr_set_enabled(false);
	test_block_free(block);
	test_block_change_type(test, block, MIGRATE_HIGHATOMIC);
	fpr_set_enabled(true);
	expect_waiting(test, block);
	KUNIT_EXPECT_GE(test, deferred_pages() - before, MAX_ORDER_NR_PAGES);

	test_block_change_type(test, block, MIGRATE_MOVABLE);
	expect_reported(test, block);
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE(test_young_block_waits),
	KUNIT_CASE(test_reported_at_age),
	KUNIT_CASE(test_churn_is_left_alone),
	KUNIT_CASE(test_used_while_pending),
	KUNIT_CASE(test_below_threshold_waits),
	KUNIT_CASE(test_max_delay),
	KUNIT_CASE(test_paused),
#ifdef CONFIG_MEMORY_ISOLATION
	KUNIT_CASE(test_isolated_pageblock),
	KUNIT_CASE(test_partly_isolated_block),
#endif
	KUNIT_CASE(test_highatomic_pageblock),
	{}
};

static struct kunit_suite wait_suite = {
	.name = "page_reporting_wait",
	.init = fake_test_init,
	.test_cases = wait_cases,
};

kunit_test_suite(wait_suite);
