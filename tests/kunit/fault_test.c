// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of backends that fail, are slow, or go away
 * in the middle.
 */
#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/timer.h>
#include <linux/workqueue.h>

#include "../internal.h"
#include "fake_backend.h"
#include "test_memory.h"

#define NR_BLOCKS	8

static void start(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER;
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
}

static bool saw_once(struct fake_backend *fake, const struct test_block *block)
{
	return fake_saw(fake, block->pfn, MAX_ORDER_NR_PAGES, 1);
}

static bool saw_never(struct fake_backend *fake,
		      const struct test_block *block)
{
	return fake_saw(fake, block->pfn, MAX_ORDER_NR_PAGES, 0);
}

static void expect_free(struct kunit *test, const struct test_block *block)
{
	KUNIT_EXPECT_EQ(test, 0,
			test_pages_astray(block->pfn, MAX_ORDER_NR_PAGES));
}

/* === Errors === */

static bool has_stopped(void *context)
{
	struct fpr_backend *backend = context;

	return READ_ONCE(backend->error) && !work_busy(&backend->work);
}

static void test_error_stops(struct kunit *test)
{
	struct test_block *first = test_block_alloc(test);
	struct test_block *second = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	atomic_long_t *failed = &fpr_counters[FPR_FAILED];
	struct fpr_backend *backend;
	long before;

	start(test);
	backend = fake_core(fake);
	before = atomic_long_read(failed);
	fake->error = -EIO;
	fake->nr_errors = 1;
	test_block_free(first);
	KUNIT_ASSERT_TRUE(test, fake_wait(has_stopped, backend));
	KUNIT_EXPECT_EQ(test, backend->error, -EIO);
	KUNIT_EXPECT_EQ(test, fake->calls, 1);
	KUNIT_EXPECT_TRUE(test, saw_never(fake, first));
	KUNIT_EXPECT_EQ(test, atomic_long_read(failed) - before, fake->failed);
	KUNIT_EXPECT_GE(test, fpr_pending_pages(), MAX_ORDER_NR_PAGES);
	expect_free(test, first);

	/* It is not called again, whatever is freed. */
	test_block_free(second);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_FALSE(test, timer_pending(&backend->timer));
	KUNIT_EXPECT_EQ(test, fake->calls, 1);

	/* Until it is forgiven; then nothing is lost. */
	fpr_set_enabled(true);
	KUNIT_EXPECT_EQ(test, backend->error, 0);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, first));
	KUNIT_EXPECT_TRUE(test, saw_once(fake, second));
}

/* Each wait after -EAGAIN is twice as long as the one before. */
static void test_try_again(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned int i;

	start(test);
	fake->error = -EAGAIN;
	fake->nr_errors = 6;
	test_block_free(block);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, fake->nr_errors, 0);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, block));
	KUNIT_EXPECT_EQ(test, fake_core(fake)->error, 0);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->backoff, 0);
	KUNIT_ASSERT_GE(test, fake->calls, 7);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_GE(test, fake->called_at[i + 1],
				fake->called_at[i] + (1UL << i));
	expect_free(test, block);
}

/* Only the entries that failed come again. */
static void test_partial_failure(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	start(test);
	fpr_set_enabled(false);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake->fail_odd = 1;
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_GE(test, fake->failed, MAX_ORDER_NR_PAGES);
	for (i = 0; i < NR_BLOCKS; i++) {
		KUNIT_EXPECT_TRUE(test, saw_once(fake, blocks[i]));
		expect_free(test, blocks[i]);
	}
	KUNIT_EXPECT_EQ(test, fake_core(fake)->error, 0);
}

/* === While a report is in flight === */

struct removal {
	struct work_struct work;
	struct fake_backend *fake;
	struct completion done;
};

static void remove_backend(struct work_struct *work)
{
	struct removal *removal = container_of(work, struct removal, work);

	page_reporting_unregister(&removal->fake->prdev);
	complete(&removal->done);
}

/* Unregistering waits for the callback, and leaves nothing isolated. */
static void test_unregister_in_flight(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct test_block *later = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct removal removal = { .fake = fake };
	unsigned int calls;

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);

	init_completion(&removal.done);
	INIT_WORK_ONSTACK(&removal.work, remove_backend);
	queue_work(system_unbound_wq, &removal.work);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&removal.done, HZ / 5));
	KUNIT_EXPECT_EQ(test, fake->calls, 0);

	fake_let_go(fake);
	wait_for_completion(&removal.done);
	destroy_work_on_stack(&removal.work);
	KUNIT_EXPECT_PTR_EQ(test, fake_core(fake), NULL);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, block));
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	expect_free(test, block);

	calls = fake->calls;
	test_block_free(later);
	KUNIT_EXPECT_EQ(test, fake->calls, calls);
	KUNIT_EXPECT_EQ(test, fpr_pending_pages(), 0);
	fake_unregister(test, fake);
}

/* What is freed into a block at the backend is noticed when it is back. */
static void test_free_in_flight(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct test_block *later = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	test_block_free(later);
	KUNIT_EXPECT_GE(test, fpr_pending_pages(), MAX_ORDER_NR_PAGES);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, block));
	KUNIT_EXPECT_TRUE(test, saw_once(fake, later));
}

/* === Changing the order === */

/* A new tracker begins with everything pending, so all comes once more. */
static void test_new_order_in_flight(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	KUNIT_EXPECT_EQ(test, fpr_set_order(2), 0);
	KUNIT_EXPECT_EQ(test, page_reporting_order, 2);
	KUNIT_EXPECT_GE(test, fpr_pending_pages(), MAX_ORDER_NR_PAGES);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->order, 2);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, MAX_ORDER_NR_PAGES,
					 2));
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	expect_free(test, block);
}

static void test_orders_under_load(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 10);
	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	start(test);
	for (i = 0; i < 4 * NR_BLOCKS; i++) {
		unsigned int order = prandom_u32_state(&rnd) %
				     (MAX_PAGE_ORDER + 1);

		KUNIT_EXPECT_EQ(test, fpr_set_order(order), 0);
		test_block_free_part(blocks[i / 4], i % 4 *
				     (MAX_ORDER_NR_PAGES / 4),
				     MAX_ORDER_NR_PAGES / 4);
	}
	fake_wait_quiet(test, fake);
	for (i = 0; i < NR_BLOCKS; i++) {
		KUNIT_EXPECT_FALSE(test, saw_never(fake, blocks[i]));
		expect_free(test, blocks[i]);
	}
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
}

/* A driver may change the order itself, as one in the kernel does. */
static void test_order_changed_by_driver(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	WRITE_ONCE(page_reporting_order, 5);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->order, 5);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
	test_block_free_part(block, 32, 32);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, 32, 0));
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn + 32, 32, 1));
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn + 64, 32, 0));
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(test_error_stops),
	KUNIT_CASE(test_try_again),
	KUNIT_CASE(test_partial_failure),
	KUNIT_CASE(test_unregister_in_flight),
	KUNIT_CASE(test_free_in_flight),
	KUNIT_CASE(test_new_order_in_flight),
	KUNIT_CASE(test_orders_under_load),
	KUNIT_CASE(test_order_changed_by_driver),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "page_reporting_fault",
	.init = fake_test_init,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
