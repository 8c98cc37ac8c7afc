// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of flushing.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

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
	/* What follows is not due while the test runs. */
	WRITE_ONCE(fpr_tunables.age_ms, FPR_MS_MAX);
}

static bool saw(struct kunit *test, const struct test_block *block,
		unsigned int times)
{
	return fake_saw(test->priv, block->pfn, MAX_ORDER_NR_PAGES, times);
}

static long flushed_pages(void)
{
	return atomic_long_read(&fpr_total.n[FPR_FLUSHED]);
}

static void test_flush_reports_young_blocks(struct kunit *test)
{
	struct test_block *first = test_block_alloc(test);
	struct test_block *second = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	long before = flushed_pages();
	unsigned long pages;

	start(test);
	test_block_free(first);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, first, 0));
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, first, 1));
	KUNIT_EXPECT_EQ(test, pages, fake->pages);
	KUNIT_EXPECT_EQ(test, pages, flushed_pages() - before);

	fake_forget(fake);
	test_block_free(second);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, first, 0));
	KUNIT_EXPECT_TRUE(test, saw(test, second, 1));
	KUNIT_EXPECT_EQ(test, pages, fake->pages);
}

/* A flush drains the per-CPU lists first. */
static void test_flush_finds_single_pages(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	unsigned long pages, pfn;
	struct page *page;

	KUNIT_ASSERT_EQ(test, 0, fpr_set_order(0));
	start(test);
	page = alloc_page(GFP_USER | __GFP_MOVABLE);
	KUNIT_ASSERT_NOT_NULL(test, page);
	pfn = page_to_pfn(page);
	__free_page(page);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_EQ(test, 1, fake_times_reported(fake, pfn));
}

/* Memory of a block's zone of which a use would count as a refault. */
static unsigned long recent_pages(const struct test_block *block)
{
	struct zone *zone = page_zone(block->page);
	struct fpr_window *recent;
	unsigned long pages;

	spin_lock_irq(&zone->lock);
	recent = &fpr_zone_get_locked(zone)->window;
	pages = recent->pages[0] + recent->pages[1];
	spin_unlock_irq(&zone->lock);
	return pages;
}

/* What was reported is reported anew, but for what is in use. */
static void test_flush_anew(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct test_block *used = test_block_alloc(test);
	atomic_long_t *refaulted = &fpr_total.n[FPR_REFAULTED];
	struct fake_backend *fake = test->priv;
	unsigned long pages, recent;
	long before, flushed;

	start(test);
	WRITE_ONCE(fpr_tunables.max_age_ms, FPR_MS_MAX);
	test_block_free(block);
	test_block_free(used);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_ASSERT_TRUE(test, test_block_take_back(used));
	fake_forget(fake);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0));

	recent = recent_pages(block);
	flushed = flushed_pages();
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush_anew(&pages));
	KUNIT_EXPECT_EQ(test, pages, fake->pages);
	KUNIT_EXPECT_EQ(test, pages, flushed_pages() - flushed);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, used, 0));
	/* All of it was free before: no use of it would be a refault. */
	KUNIT_EXPECT_LE(test, recent_pages(block), recent + pages / 4);

	/* What was in use has been backed, as ever. */
	before = atomic_long_read(refaulted);
	test_block_free(used);
	if (IS_ENABLED(CONFIG_PAGE_REPORTING_RETAIN))
		KUNIT_EXPECT_GE(test, atomic_long_read(refaulted) - before,
				MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, used, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
}

#ifdef CONFIG_PAGE_REPORTING_RESTORE
/* What is unbacked the hypervisor has for certain. */
static void test_flush_anew_of_unbacked_blocks(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long pages;

	fake_register_restorer(test, fake);
	test_block_free(block);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush_anew(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
}

#endif

/* === Refused and failed === */

static void test_flush_without_backend(struct kunit *test)
{
	unsigned long pages = 1;

	KUNIT_EXPECT_EQ(test, -ENODEV, page_reporting_flush(&pages));
	KUNIT_EXPECT_EQ(test, pages, 0);
	pages = 1;
	KUNIT_EXPECT_EQ(test, -ENODEV, page_reporting_flush_anew(&pages));
	KUNIT_EXPECT_EQ(test, pages, 0);
}

static void test_flush_while_disabled(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned long pages;

	start(test);
	test_block_free(block);
	fpr_set_enabled(false);
	KUNIT_EXPECT_EQ(test, -EPERM, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0));
	fpr_set_enabled(true);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
}

static const int errors[] = { -EIO, -EAGAIN };

static void describe_error(const int *err, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "error %d", *err);
}

KUNIT_ARRAY_PARAM(error, errors, describe_error);

static void test_flush_fails(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	const int *err = test->param_value;
	unsigned long pages;

	start(test);
	test_block_free(block);
	fake->error = *err;
	fake->nr_errors = 1;
	KUNIT_EXPECT_EQ(test, *err, page_reporting_flush(&pages));
	KUNIT_EXPECT_EQ(test, pages, 0);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0));
	KUNIT_EXPECT_EQ(test, 0,
			test_pages_astray(block->pfn, MAX_ORDER_NR_PAGES));
	fpr_set_enabled(true);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
}

/* Entries that failed make it an error, but not one that stops the backend. */
static void test_flush_fails_partly(struct kunit *test)
{
	struct test_block *first = test_block_alloc(test);
	struct test_block *second = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long pages;

	test_need_room(test);
	start(test);
	test_block_free(first);
	test_block_free(second);
	fake->fail_odd = 1;
	KUNIT_EXPECT_EQ(test, -EIO, page_reporting_flush(&pages));
	KUNIT_EXPECT_GT(test, fake->failed, 0);
	KUNIT_EXPECT_EQ(test, pages, fake->pages);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->error, 0);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, first, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, second, 1));
}

/* === From two sides === */

struct flush {
	struct work_struct work;
	struct completion done;
	int err;
};

static void do_flush(struct work_struct *work)
{
	struct flush *flush = container_of(work, struct flush, work);
	unsigned long pages;

	flush->err = page_reporting_flush(&pages);
	complete(&flush->done);
}

static void start_flush(struct flush *flush)
{
	init_completion(&flush->done);
	INIT_WORK_ONSTACK(&flush->work, do_flush);
	queue_work(system_unbound_wq, &flush->work);
}

static void end_flush(struct flush *flush)
{
	wait_for_completion(&flush->done);
	destroy_work_on_stack(&flush->work);
}

/* A flush returns when the backend has acknowledged, not before. */
static void test_flush_waits(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct flush flush;

	start(test);
	fake->block = true;
	test_block_free(block);
	start_flush(&flush);
	wait_for_completion(&fake->entered);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&flush.done, HZ / 5));
	fake_let_go(fake);
	end_flush(&flush);
	KUNIT_EXPECT_EQ(test, flush.err, 0);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
}

/* One that goes on when another begins does not know what came between. */
static void test_flush_during_flush(struct kunit *test)
{
	struct test_block *first = test_block_alloc(test);
	struct test_block *second = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct flush one, two;

	start(test);
	fake->block = true;
	test_block_free(first);
	start_flush(&one);
	wait_for_completion(&fake->entered);
	test_block_free(second);
	start_flush(&two);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&two.done, HZ / 5));
	fake_let_go(fake);
	end_flush(&two);
	KUNIT_EXPECT_EQ(test, two.err, 0);
	KUNIT_EXPECT_TRUE(test, saw(test, first, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, second, 1));
	end_flush(&one);
	KUNIT_EXPECT_EQ(test, one.err, 0);
}

/* A backend that goes away leaves nobody waiting. */
static void test_unregister_during_flush(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct flush flush;

	start(test);
	fake->block = true;
	test_block_free(block);
	start_flush(&flush);
	wait_for_completion(&fake->entered);
	fake_unregister(test, fake);
	end_flush(&flush);
	KUNIT_EXPECT_TRUE(test, !flush.err || flush.err == -ENODEV);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 1));
}

static struct kunit_case flush_cases[] = {
	KUNIT_CASE(test_flush_reports_young_blocks),
	KUNIT_CASE(test_flush_finds_single_pages),
	KUNIT_CASE(test_flush_anew),
#ifdef CONFIG_PAGE_REPORTING_RESTORE
	KUNIT_CASE(test_flush_anew_of_unbacked_blocks),
#endif
	KUNIT_CASE(test_flush_without_backend),
	KUNIT_CASE(test_flush_while_disabled),
	KUNIT_CASE_PARAM(test_flush_fails, error_gen_params),
	KUNIT_CASE(test_flush_fails_partly),
	KUNIT_CASE(test_flush_waits),
	KUNIT_CASE(test_flush_during_flush),
	KUNIT_CASE(test_unregister_during_flush),
	{}
};

static struct kunit_suite flush_suite = {
	.name = "page_reporting_flush",
	.init = fake_test_init,
	.test_cases = flush_cases,
};

kunit_test_suite(flush_suite);
