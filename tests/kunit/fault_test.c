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

#include "internals.h"
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
	atomic_long_t *failed = &fpr_total.n[FPR_FAILED];
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
	KUNIT_EXPECT_GE(test, fpr_pending_pages(NULL), MAX_ORDER_NR_PAGES);
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

	test_need_room(test);
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

/* A batch of which nothing was reported is as good as -EAGAIN. */
static void test_all_entries_fail(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned int i;

	start(test);
	fake->fail_all = 3;
	test_block_free(block);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, fake->fail_all, 0);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, block));
	KUNIT_ASSERT_GE(test, fake->calls, 4);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_GE(test, fake->called_at[i + 1],
				fake->called_at[i] + ((unsigned long)HZ << i));
	KUNIT_EXPECT_EQ(test, fake_core(fake)->error, 0);
	expect_free(test, block);
}

/* Entries that fail again and again wait longer each time. */
static void test_entries_fail_again(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct fpr_backend *backend;
	unsigned int i;

	test_need_room(test);
	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	start(test);
	backend = fake_core(fake);
	fpr_set_enabled(false);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake->fail_odd = 2;
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_GE(test, backend->entry_backoff, 2 * HZ);
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_TRUE(test, saw_once(fake, blocks[i]));

	/* What went well is forgotten, sooner or later. */
	backend->entry_retry_at -= 5 * HZ;
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, backend->entry_backoff, 0);
}

/* Is it going to wait long enough for the test to step in? */
static bool waits_to_retry(void *context)
{
	struct fpr_backend *backend = context;

	return READ_ONCE(backend->backoff) >= HZ && !work_busy(&backend->work);
}

/* Enabling forgives: nobody waits for the end of a long back-off. */
static void test_enabling_ends_backoff(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct fpr_backend *backend;

	start(test);
	backend = fake_core(fake);
	fake->error = -EAGAIN;
	fake->nr_errors = UINT_MAX;
	test_block_free(block);
	KUNIT_ASSERT_TRUE(test, fake_wait(waits_to_retry, backend));
	spin_lock_irq(&fake->lock);
	fake->nr_errors = 0;
	spin_unlock_irq(&fake->lock);
	/* Longer than the test has patience. */
	backend->retry_at = jiffies + FPR_BACKOFF_MAX;
	WRITE_ONCE(backend->backoff, FPR_BACKOFF_MAX);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, block));
}

/* What is too much at a time may do in smaller batches. */
static void test_smaller_batches(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i, in_call[FAKE_MAX_CALLS] = {};

	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	fake->prdev.capacity = 4;
	start(test);
	fpr_set_enabled(false);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake->error = -EAGAIN;
	fake->nr_errors = 3;
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	for (i = 0; i < fake->nr_entries; i++)
		if (fake->entries[i].call < FAKE_MAX_CALLS)
			in_call[fake->entries[i].call]++;
	KUNIT_EXPECT_LE(test, in_call[0], 4);
	KUNIT_EXPECT_LE(test, in_call[1], 2);
	KUNIT_EXPECT_LE(test, in_call[2], 1);
	KUNIT_EXPECT_LE(test, in_call[3], 1);
	KUNIT_EXPECT_LE(test, in_call[4], 2);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->batch.limit, 4);
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_TRUE(test, saw_once(fake, blocks[i]));
}

/* A positive number is no result, and no number of bytes that were flushed. */
static void test_positive_result(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long pages;

	start(test);
	fake->error = 4096;
	fake->nr_errors = 1;
	fpr_set_enabled(false);
	test_block_free(block);
	WRITE_ONCE(fpr_tunables.age_ms, FPR_MS_MAX);
	fpr_set_enabled(true);
	KUNIT_EXPECT_EQ(test, page_reporting_flush(&pages), -EINVAL);
	KUNIT_EXPECT_EQ(test, pages, 0);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->error, -EINVAL);
	KUNIT_EXPECT_TRUE(test, saw_never(fake, block));
	expect_free(test, block);
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
	KUNIT_EXPECT_EQ(test, fpr_pending_pages(NULL), 0);
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
	KUNIT_EXPECT_GE(test, fpr_pending_pages(NULL), MAX_ORDER_NR_PAGES);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, block));
	KUNIT_EXPECT_TRUE(test, saw_once(fake, later));
}

/* Who takes over the memory of the system finds no report under way. */
static void test_restore_all_in_flight(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct test_block *later = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	KUNIT_EXPECT_EQ(test, page_reporting_restore_all(), -EBUSY);
	KUNIT_EXPECT_FALSE(test, fpr_paused());
	fake_let_go(fake);
	fake_wait_quiet(test, fake);

	KUNIT_ASSERT_EQ(test, page_reporting_restore_all(), 0);
	fake_forget(fake);
	test_block_free(later);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fake->calls, 0);
	page_reporting_resume();
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, later));
}

struct flush_at_pause {
	struct work_struct work;
	struct delayed_work let_go;
	struct fake_backend *fake;
	struct completion done;
	unsigned long pages;
	int err;
};

static void flush_it(struct work_struct *work)
{
	struct flush_at_pause *flush =
		container_of(work, struct flush_at_pause, work);

	flush->err = page_reporting_flush(&flush->pages);
	complete(&flush->done);
}

static void let_go_later(struct work_struct *work)
{
	struct delayed_work *later = to_delayed_work(work);

	fake_let_go(container_of(later, struct flush_at_pause,
				 let_go)->fake);
}

/* A flush that meets a pause goes on after it, and tells of both parts. */
static void test_flush_over_a_pause(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct flush_at_pause flush = { .fake = fake };
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	fake->prdev.capacity = 1;
	start(test);
	WRITE_ONCE(fpr_tunables.age_ms, FPR_MS_MAX);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake->block = true;
	init_completion(&flush.done);
	INIT_WORK_ONSTACK(&flush.work, flush_it);
	queue_work(system_unbound_wq, &flush.work);
	wait_for_completion(&fake->entered);
	/* The batch that is out ends the first part. */
	INIT_DELAYED_WORK_ONSTACK(&flush.let_go, let_go_later);
	schedule_delayed_work(&flush.let_go, HZ / 10);
	mutex_lock(&fpr_mutex);
	KUNIT_EXPECT_EQ(test, fpr_pause_all(), 0);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&flush.done, HZ / 5));
	fpr_resume_all();
	mutex_unlock(&fpr_mutex);
	wait_for_completion(&flush.done);
	destroy_delayed_work_on_stack(&flush.let_go);
	destroy_work_on_stack(&flush.work);
	KUNIT_EXPECT_EQ(test, flush.err, 0);
	KUNIT_EXPECT_EQ(test, flush.pages, fake->pages);
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_TRUE(test, saw_once(fake, blocks[i]));
}

struct taker {
	struct work_struct work;
	struct completion done;
	unsigned long pfn;
	int err;
};

static void take_by_address(struct work_struct *work)
{
	struct taker *taker = container_of(work, struct taker, work);

	taker->err = fpr_await_batch_at(page_zone(pfn_to_page(taker->pfn)),
					taker->pfn,
					taker->pfn + MAX_ORDER_NR_PAGES);
	complete(&taker->done);
}

/* Who takes memory by address waits for the batch that has it, and no other. */
static void test_taker_by_address(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct test_block *other = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct taker taker = { .pfn = block->pfn };

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	KUNIT_EXPECT_EQ(test, 0,
			fpr_await_batch_at(page_zone(other->page), other->pfn,
					   other->pfn + MAX_ORDER_NR_PAGES));
	init_completion(&taker.done);
	INIT_WORK_ONSTACK(&taker.work, take_by_address);
	queue_work(system_unbound_wq, &taker.work);
	KUNIT_EXPECT_EQ(test, 0,
			wait_for_completion_timeout(&taker.done, HZ / 10));
	fake_let_go(fake);
	wait_for_completion(&taker.done);
	destroy_work_on_stack(&taker.work);
	KUNIT_EXPECT_EQ(test, taker.err, 0);
	expect_free(test, block);
	KUNIT_EXPECT_TRUE(test, PageBuddy(block->page) ||
			  fake_times_reported(fake, block->pfn));
}

/* But not for ever. */
static void test_taker_gives_up(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			fpr_await_batch_at(page_zone(block->page), block->pfn,
					   block->pfn + 1));
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
}

#ifdef CONFIG_MEMORY_FAILURE
/*
 * A page that is poisoned while it is out never comes back, though the system's
 * number of poisoned pages is what it was.
 */
static void test_poison_in_flight(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct page *page = block->page + MAX_ORDER_NR_PAGES / 2 + 3;
	struct fake_backend *fake = test->priv;
	unsigned long pfn;

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	SetPageHWPoison(page);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_FALSE(test, PageBuddy(page));
	KUNIT_EXPECT_EQ(test, page_count(page), 1);
	pfn = page_to_pfn(page);
	KUNIT_EXPECT_EQ(test, 0, test_pages_astray(block->pfn,
						   pfn - block->pfn));
	KUNIT_EXPECT_EQ(test, 0, test_pages_astray(pfn + 1, block->pfn +
						   MAX_ORDER_NR_PAGES - pfn - 1));
	ClearPageHWPoison(page);
	__free_page(page);
}
#endif

/* === Changing the order === */

/*
 * The order does not change while a batch is out, because its backend looks at
 * the order; whoever wants to change it is told if that takes too long.
 */
static void test_new_order_in_flight(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test);
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	KUNIT_EXPECT_EQ(test, fpr_set_order(2), -EBUSY);
	KUNIT_EXPECT_EQ(test, page_reporting_order, MAX_PAGE_ORDER);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->order, MAX_PAGE_ORDER);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw_once(fake, block));

	/* A new tracker begins with everything pending: all comes again. */
	KUNIT_EXPECT_EQ(test, fpr_set_order(2), 0);
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

/* Of two ways in which a backend can say that it has to have larger blocks. */
static void check_order_refused(struct kunit *test, bool writes_order)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	KUNIT_ASSERT_EQ(test, 0, fpr_set_order(3));
	fake->least_order = 5;
	fake->writes_order = writes_order;
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->order, 5);
	KUNIT_EXPECT_EQ(test, fpr_current_order(), 5);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->error, 0);
	fake_forget(fake);
	test_block_free_part(block, 32, 32);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, 32, 0));
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn + 32, 32, 1));
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn + 64, 32, 0));

	/* What it has refused the user cannot have. */
	KUNIT_EXPECT_EQ(test, fpr_set_order(4), -ERANGE);
	KUNIT_EXPECT_EQ(test, fpr_current_order(), 5);
	KUNIT_EXPECT_EQ(test, fpr_set_order(6), 0);
	KUNIT_EXPECT_EQ(test, fpr_current_order(), 6);
	fake_wait_quiet(test, fake);

	/* The hypervisor may be another one when it is registered again. */
	fake_unregister(test, fake);
	fake->least_order = 0;
	KUNIT_EXPECT_EQ(test, fpr_set_order(3), 0);
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, fpr_current_order(), 3);
	KUNIT_EXPECT_EQ(test, fpr_set_order(2), 0);
	fake_wait_quiet(test, fake);
}

static void test_order_raised(struct kunit *test)
{
	check_order_refused(test, false);
}

static void test_order_written_by_driver(struct kunit *test)
{
	check_order_refused(test, true);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE(test_error_stops),
	KUNIT_CASE(test_try_again),
	KUNIT_CASE(test_partial_failure),
	KUNIT_CASE(test_all_entries_fail),
	KUNIT_CASE(test_entries_fail_again),
	KUNIT_CASE(test_enabling_ends_backoff),
	KUNIT_CASE(test_smaller_batches),
	KUNIT_CASE(test_positive_result),
	KUNIT_CASE(test_unregister_in_flight),
	KUNIT_CASE(test_free_in_flight),
	KUNIT_CASE(test_restore_all_in_flight),
	KUNIT_CASE(test_flush_over_a_pause),
	KUNIT_CASE(test_taker_by_address),
	KUNIT_CASE(test_taker_gives_up),
#ifdef CONFIG_MEMORY_FAILURE
	KUNIT_CASE(test_poison_in_flight),
#endif
	KUNIT_CASE(test_new_order_in_flight),
	KUNIT_CASE(test_orders_under_load),
	KUNIT_CASE(test_order_raised),
	KUNIT_CASE(test_order_written_by_driver),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "page_reporting_fault",
	.init = fake_test_init,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
