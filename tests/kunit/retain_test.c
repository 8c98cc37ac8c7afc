// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of memory that is retained because it will
 * be wanted again.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/spinlock.h>
#include <linux/page_reporting.h>

#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

static void start(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER;
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
}

static bool saw(struct kunit *test, const struct test_block *block,
		unsigned int times)
{
	return fake_saw(test->priv, block->pfn, MAX_ORDER_NR_PAGES, times);
}

static unsigned long retained_in(struct zone *zone)
{
	unsigned long pages;

	spin_lock_irq(&zone->lock);
	pages = fpr_zone_get_locked(zone)->retained;
	spin_unlock_irq(&zone->lock);
	return pages;
}

/* Free a block that was reported and taken, and take it once more. */
static bool is_retained(struct test_block *block)
{
	bool retained;

	fpr_set_enabled(false);
	test_block_free(block);
	retained = retained_in(page_zone(block->page)) >= MAX_ORDER_NR_PAGES;
	retained &= test_block_take_back(block);
	fpr_set_enabled(true);
	return retained;
}

/* Have a block reported and taken again, until as much is retained. */
static struct test_block *make_retained(struct kunit *test,
					unsigned int max_age_ms)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned int attempts = 0;

	start(test);
	WRITE_ONCE(fpr_tunables.max_age_ms, max_age_ms);
	WRITE_ONCE(fpr_tunables.age_ms, 0);
	do {
		test_block_free(block);
		fake_wait_quiet(test, fake);
		KUNIT_ASSERT_TRUE(test, saw(test, block, 1));
		fake_forget(fake);
		KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
		/* The rest of the system may use memory meanwhile. */
		KUNIT_ASSERT_LT(test, attempts++, 10);
	} while (!is_retained(block));
	return block;
}

/* Memory that was wanted again right after its report is not reported soon. */
static void test_reuse_is_retained(struct kunit *test)
{
	struct test_block *block = make_retained(test, FPR_MS_MAX);
	struct fake_backend *fake = test->priv;
	unsigned long pages;

	/* A pass shall happen even if nothing is in excess of that. */
	WRITE_ONCE(fpr_tunables.max_delay_ms, 0);
	test_block_free(block);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0));
	KUNIT_EXPECT_GE(test, fpr_pending_pages(NULL), MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_GT(test, fpr_current_age(), 0);

	/* A flush does not spare it. */
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
}

/* Nor is it retained for longer than the ceiling. */
static void test_retaining_ends(struct kunit *test)
{
	struct test_block *block = make_retained(test, 2000);
	struct fake_backend *fake = test->priv;
	unsigned long freed_at;

	freed_at = jiffies;
	test_block_free(block);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
	KUNIT_ASSERT_GT(test, fake->calls, 0);
	KUNIT_ASSERT_LE(test, fake->calls, FAKE_MAX_CALLS);
	KUNIT_EXPECT_GE(test, fake->called_at[fake->calls - 1],
			freed_at + msecs_to_jiffies(2000));
}

/* Memory beyond what is retained comes back as ever. */
static void test_excess_is_reported(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *other[4], *block;
	unsigned int i, reported = 0;

	for (i = 0; i < ARRAY_SIZE(other); i++)
		other[i] = test_block_alloc(test);
	block = make_retained(test, FPR_MS_MAX);
	WRITE_ONCE(fpr_tunables.age_ms, FPR_MS_MAX);
	for (i = 0; i < ARRAY_SIZE(other); i++)
		test_block_free(other[i]);
	test_block_free(block);
	WRITE_ONCE(fpr_tunables.age_ms, 0);
	fake_run_pass(test, fake);
	for (i = 0; i < ARRAY_SIZE(other); i++)
		reported += saw(test, other[i], 1);
	reported += saw(test, block, 1);
	KUNIT_EXPECT_EQ(test, reported, ARRAY_SIZE(other));
}

/*
 * A block is used again and again, but each time another one, because the
 * allocator takes one that was reported and leaves the one that was retained.
 * That is no reason to retain two.
 */
static void test_retained_is_what_is_reused(struct kunit *test)
{
	struct test_block *other = test_block_alloc(test), *reported;
	struct test_block *block = make_retained(test, FPR_MS_MAX);
	struct fake_backend *fake = test->priv;
	unsigned int i;

	WRITE_ONCE(fpr_tunables.max_delay_ms, 0);
	test_block_free(block);
	test_block_free(other);
	for (i = 0; i < 3; i++) {
		fake_run_pass(test, fake);
		KUNIT_ASSERT_EQ(test, 1, saw(test, block, 1) +
					 saw(test, other, 1));
		reported = saw(test, block, 1) ? block : other;
		fake_forget(fake);
		KUNIT_ASSERT_TRUE(test, test_block_take_back(reported));
		test_block_free(reported);
	}
}

/* Let one window pass: what was learnt is forgotten after one or two. */
static void let_window_pass(const struct test_block *block)
{
	struct zone *zone = page_zone(block->page);
	struct fpr_zone *fz;

	spin_lock_irq(&zone->lock);
	fz = fpr_zone_get_locked(zone);
	fz->noted -= msecs_to_jiffies(fpr_tunables.max_age_ms);
	fz->reuse_peak.since -= msecs_to_jiffies(fpr_tunables.max_age_ms);
	spin_unlock_irq(&zone->lock);
}

/* What is taken while it is retained need not be reported to be retained on. */
static void test_used_while_retained(struct kunit *test)
{
	struct test_block *block = make_retained(test, FPR_MS_MAX);
	struct fake_backend *fake = test->priv;
	unsigned int i;

	fpr_set_enabled(false);
	for (i = 0; i < 4; i++) {
		let_window_pass(block);
		test_block_free(block);
		KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
	}
	test_block_free(block);
	WRITE_ONCE(fpr_tunables.max_delay_ms, 0);
	fpr_set_enabled(true);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_GE(test, retained_in(page_zone(block->page)),
			MAX_ORDER_NR_PAGES);
}

/* All that is freed within a jiffy counts, when it is taken again. */
static void test_burst_is_seen(struct kunit *test)
{
	struct test_block *blocks[4];
	unsigned long reused;
	struct zone *zone;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = test_block_alloc(test);
	WRITE_ONCE(fpr_tunables.max_age_ms, FPR_MS_MAX);
	start(test);
	fpr_set_enabled(false);
	let_window_pass(blocks[0]);
	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		test_block_free(blocks[i]);
	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		KUNIT_ASSERT_TRUE(test, test_block_take_back(blocks[i]));
	zone = page_zone(blocks[0]->page);
	spin_lock_irq(&zone->lock);
	fpr_zone_get_locked(zone)->noted--;
	spin_unlock_irq(&zone->lock);
	test_block_free(blocks[0]);

	spin_lock_irq(&zone->lock);
	reused = fpr_zone_get_locked(zone)->reuse_peak.reused[0];
	spin_unlock_irq(&zone->lock);
	/* The rest of the system may use a little meanwhile. */
	KUNIT_EXPECT_GT(test, reused, 3 * MAX_ORDER_NR_PAGES);
}

static struct kunit_case retain_cases[] = {
	KUNIT_CASE(test_reuse_is_retained),
	KUNIT_CASE(test_retaining_ends),
	KUNIT_CASE(test_excess_is_reported),
	KUNIT_CASE(test_retained_is_what_is_reused),
	KUNIT_CASE(test_used_while_retained),
	KUNIT_CASE(test_burst_is_seen),
	{}
};

static struct kunit_suite retain_suite = {
	.name = "page_reporting_retain",
	.init = fake_test_init,
	.test_cases = retain_cases,
};

kunit_test_suite(retain_suite);
