// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of what is reported, on real pages.
 *
 * The expectation is computed from what a test freed, page by page.
 */
#include <kunit/test.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-isolation.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "../../internal.h"
#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

#define NR_BLOCKS	8

static void alloc_blocks(struct kunit *test, struct test_block **blocks)
{
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
}

/* Have all that is free reported, and forget about that. */
static void start(struct kunit *test, unsigned int order)
{
	struct fake_backend *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fpr_set_order(order), 0);
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
}

/* Each page of the test that was freed was reported once, the others never. */
static void expect_exact(struct kunit *test, const struct test_block *block)
{
	struct fake_backend *fake = test->priv;
	unsigned long i;

	for (i = 0; i < MAX_ORDER_NR_PAGES; i++)
		KUNIT_ASSERT_EQ_MSG(test, block->freed[i],
				    fake_times_reported(fake, block->pfn + i),
				    "page %lu", i);
}

static void expect_clean_calls(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	KUNIT_EXPECT_EQ(test, fake->lost, 0);
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	KUNIT_EXPECT_EQ(test, fake->malformed, 0);
	KUNIT_EXPECT_EQ(test, fake->failed, 0);
}

static const unsigned int orders[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, MAX_PAGE_ORDER,
};

static void describe_order(const unsigned int *order, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "order %u", *order);
}

KUNIT_ARRAY_PARAM(order, orders, describe_order);

/* Those that leave room for a neighbour in a block of the largest order. */
static const unsigned int small_orders[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

KUNIT_ARRAY_PARAM(small_order, small_orders, describe_order);

/* === What is free when the backend comes === */

/* Find a free list entry of @order or more at or behind *@pfn. */
static unsigned long next_free(struct zone *zone, unsigned long *pfn,
			       unsigned int order)
{
	unsigned long nr_pages = 0;

	spin_lock_irq(&zone->lock);
	for (; *pfn < zone_end_pfn(zone); *pfn += 1UL << order) {
		struct page *page = pfn_to_online_page(*pfn);

		if (!page || page_zone(page) != zone || !PageBuddy(page) ||
		    buddy_order(page) < order)
			continue;
		nr_pages = 1UL << buddy_order(page);
		break;
	}
	spin_unlock_irq(&zone->lock);
	return nr_pages;
}

static void test_all_free_memory_is_reported(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	unsigned long nr_pages, found = 0;
	struct zone *zone;

	fake_register(test, fake);
	fake_wait_quiet(test, fake);
		fpr_set_enabled(false);
	fake_run_pass(test, fake);
	for_each_populated_zone(zone) {
		unsigned long pfn = ALIGN(zone->zone_start_pfn,
					  pageblock_nr_pages);

		while ((nr_pages = next_free(zone, &pfn, pageblock_order))) {
			KUNIT_ASSERT_TRUE_MSG(test,
					      fake_times_reported(fake, pfn),
					      "page frame %#lx", pfn);
			found += nr_pages;
			pfn += nr_pages;
		}
	}
	KUNIT_EXPECT_GT(test, found, 4 * MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_GE(test, fake->pages, found);
	/* Hardly anything twice: only what was freed meanwhile. */
	KUNIT_EXPECT_LE(test, fake->pages, found + found / 8);
	expect_clean_calls(test);
}

/* === What is freed later === */

static void test_freed_blocks(struct kunit *test)
{
	const unsigned int *order = test->param_value;
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	alloc_blocks(test, blocks);
	start(test, *order);
	for (i = 0; i < NR_BLOCKS; i += 2)
		test_block_free(blocks[i]);
	fake_wait_quiet(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		expect_exact(test, blocks[i]);
	expect_clean_calls(test);
}

/* Pieces as small as the order, with pages in use all around. */
static void test_freed_pieces(struct kunit *test)
{
	const unsigned int *order = test->param_value;
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long size = 1UL << *order, first;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 99);
	start(test, *order);
	for (first = 0; first < MAX_ORDER_NR_PAGES; first += 2 * size)
		test_block_free_part(block, first +
				     prandom_u32_state(&rnd) % 2 * size, size);
	fake_wait_quiet(test, fake);
	expect_exact(test, block);
	expect_clean_calls(test);
}

/* A block with a page in use is not reported until that page is freed. */
static void test_incomplete_block(struct kunit *test)
{
	const unsigned int *order = test->param_value;
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long size = 1UL << *order;

	start(test, *order);
	test_block_free_part(block, 1, size - 1);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, size, 0));
	test_block_free_part(block, 0, 1);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, size, 1));
	expect_clean_calls(test);
}

/* Of a block that was reported before, only what was in use comes again. */
static void test_partial_reuse(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *block;

	start(test, MAX_PAGE_ORDER - 2);
	block = test_block_alloc(test);
	test_block_free_part(block, 0, MAX_ORDER_NR_PAGES / 2);
	fake_wait_quiet(test, fake);
	expect_exact(test, block);

	fake_forget(fake);
	test_block_free_part(block, MAX_ORDER_NR_PAGES / 2,
			     MAX_ORDER_NR_PAGES / 4);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn,
					 MAX_ORDER_NR_PAGES / 2, 0));
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn +
					 MAX_ORDER_NR_PAGES / 2,
					 MAX_ORDER_NR_PAGES / 4, 1));
	expect_clean_calls(test);
}

/* Blocks here and there in one free list entry, more than a batch takes. */
static void test_scattered_in_one_entry(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long size = 32, first, expected;

	fake->prdev.capacity = 3;
	start(test, ilog2(size));
	for (first = 0; first < MAX_ORDER_NR_PAGES; first += 2 * size)
		test_block_free_part(block, first, size);
	fake_wait_quiet(test, fake);
	expect_exact(test, block);

	fake_forget(fake);
	fpr_set_enabled(false);
	test_block_free_part(block, 0, MAX_ORDER_NR_PAGES);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	for (first = 0; first < MAX_ORDER_NR_PAGES; first += size) {
		expected = first / size % 2;
		KUNIT_EXPECT_TRUE_MSG(test, fake_saw(fake, block->pfn + first,
						     size, expected),
				      "page %lu", first);
	}
	KUNIT_EXPECT_GE(test, fake->calls, MAX_ORDER_NR_PAGES / size / 2 / 3);
	expect_clean_calls(test);
}

/* === During a report === */

/* How much the allocator has, in the per-CPU lists or not. */
static long free_pages_of(struct zone *zone)
{
	drain_all_pages(zone);
	return zone_page_state_snapshot(zone, NR_FREE_PAGES);
}

/*
 * Free a block; see that it is nowhere, and not counted as free, while it is at
 * the backend.  Returns false if the rest of the system did too much meanwhile
 * to tell.
 */
static bool counted_when_back(struct kunit *test, struct test_block *block)
{
	struct zone *zone = page_zone(block->page);
	struct fake_backend *fake = test->priv;
	long before, during, after;
	unsigned long astray;

	fpr_set_enabled(false);
	flush_work(&fake_core(fake)->work);
	before = free_pages_of(zone);
	reinit_completion(&fake->entered);
	reinit_completion(&fake->proceed);
	fake->block = true;
	test_block_free(block);
	fpr_set_enabled(true);
	wait_for_completion(&fake->entered);
	during = free_pages_of(zone);
	astray = test_pages_astray(block->pfn, MAX_ORDER_NR_PAGES);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	after = free_pages_of(zone);
	return astray == MAX_ORDER_NR_PAGES &&
	       abs(during - before) < MAX_ORDER_NR_PAGES / 4 &&
	       after - before > MAX_ORDER_NR_PAGES * 3L / 4;
}

/* What is at the backend is in no free list, and comes back whole. */
static void test_isolated_while_reported(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned int attempts = 0;

	start(test, MAX_PAGE_ORDER);
	while (!counted_when_back(test, block)) {
		KUNIT_ASSERT_LT(test, attempts++, 10);
		KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
		fake_forget(fake);
	}
	expect_exact(test, block);
	expect_clean_calls(test);
	KUNIT_EXPECT_EQ(test, 0,
			test_pages_astray(block->pfn, MAX_ORDER_NR_PAGES));
}

/*
 * Half of a pageblock is isolated; the other half is the kernel's and stays
 * so.
 */
static void test_pageblock_keeps_its_type(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned long half = pageblock_nr_pages / 2;
	struct fake_backend *fake = test->priv;

	start(test, pageblock_order - 1);
	test_set_migratetype(block->page, MIGRATE_UNMOVABLE);
	test_block_free_part(block, 0, half);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, half, 1));
	KUNIT_EXPECT_EQ(test, get_pageblock_migratetype(block->page),
			MIGRATE_UNMOVABLE);
	expect_exact(test, block);
}

/* === Batches === */

/* Both whole pageblocks, and no border between them. */
static bool should_be_one(const struct fake_entry *a,
			  const struct fake_entry *b)
{
	return a->call == b->call && a->pfn + a->nr_pages == b->pfn &&
	       pageblock_aligned(a->pfn | a->nr_pages | b->nr_pages) &&
	       b->pfn % TEST_BORDER_PAGES;
}

static void test_adjacent_blocks_merge(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	alloc_blocks(test, blocks);
	fake->prdev.flags |= PAGE_REPORTING_MERGE;
	start(test, MAX_PAGE_ORDER - 1);
	fpr_set_enabled(false);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		expect_exact(test, blocks[i]);
	for (i = 1; i < fake->nr_entries; i++)
		KUNIT_EXPECT_FALSE(test, should_be_one(&fake->entries[i - 1],
						       &fake->entries[i]));
	expect_clean_calls(test);
}

/* === Counters === */

static void test_counters_add_up(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	long before[FPR_NR_COUNTERS], rise[FPR_NR_COUNTERS];
	unsigned int i;

	alloc_blocks(test, blocks);
	for (i = 0; i < FPR_NR_COUNTERS; i++)
		before[i] = atomic_long_read(&fpr_total.n[i]);
	fake->error = -EAGAIN;
	fake->nr_errors = 2;
	fake->fail_odd = 4;
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake_wait_quiet(test, fake);
	fake_unregister(test, fake);
	for (i = 0; i < FPR_NR_COUNTERS; i++)
		rise[i] = atomic_long_read(&fpr_total.n[i]) - before[i];

	KUNIT_EXPECT_GT(test, fake->failed, 0);
	KUNIT_EXPECT_EQ(test, rise[FPR_REPORTED], fake->pages);
	KUNIT_EXPECT_EQ(test, rise[FPR_FAILED], fake->failed);
	KUNIT_EXPECT_EQ(test, rise[FPR_BATCHES], fake->calls);
	KUNIT_EXPECT_GE(test, rise[FPR_PASSES], 2);
}

#ifdef CONFIG_PAGE_REPORTING_RETAIN
/* Memory that is freed again soon after its report was given back in vain. */
static void test_refaults_are_counted(struct kunit *test)
{
	atomic_long_t *refaulted = &fpr_total.n[FPR_REFAULTED];
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	long before;

	start(test, MAX_PAGE_ORDER);
	WRITE_ONCE(fpr_tunables.max_age_ms, FPR_MS_MAX);
	before = atomic_long_read(refaulted);
	test_block_free(block);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, before, atomic_long_read(refaulted));
	KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
	test_block_free(block);
	KUNIT_EXPECT_GE(test, atomic_long_read(refaulted) - before,
			MAX_ORDER_NR_PAGES);
	/* The rest of the system frees a block now and then. */
	KUNIT_EXPECT_LE(test, atomic_long_read(refaulted) - before,
			2 * MAX_ORDER_NR_PAGES);
}

#endif

/* A block that is in use again when its turn comes is skipped. */
static void test_reused_block_is_skipped(struct kunit *test)
{
	atomic_long_t *skipped = &fpr_total.n[FPR_SKIPPED];
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	long before;

	start(test, MAX_PAGE_ORDER);
	fpr_set_enabled(false);
	test_block_free(block);
	KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
	before = atomic_long_read(skipped);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_GE(test, atomic_long_read(skipped) - before,
			MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, MAX_ORDER_NR_PAGES,
					 0));
}

static struct kunit_case report_cases[] = {
	KUNIT_CASE(test_all_free_memory_is_reported),
	KUNIT_CASE_PARAM(test_freed_blocks, order_gen_params),
	KUNIT_CASE_PARAM(test_freed_pieces, small_order_gen_params),
	KUNIT_CASE_PARAM(test_incomplete_block, order_gen_params),
	KUNIT_CASE(test_partial_reuse),
	KUNIT_CASE(test_scattered_in_one_entry),
	KUNIT_CASE(test_isolated_while_reported),
	KUNIT_CASE(test_pageblock_keeps_its_type),
	KUNIT_CASE(test_adjacent_blocks_merge),
	KUNIT_CASE(test_counters_add_up),
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	KUNIT_CASE(test_refaults_are_counted),
#endif
	KUNIT_CASE(test_reused_block_is_skipped),
	{}
};

static struct kunit_suite report_suite = {
	.name = "page_reporting_report",
	.init = fake_test_init,
	.test_cases = report_cases,
};

kunit_test_suite(report_suite);
