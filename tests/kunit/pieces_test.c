// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of pieces, which are smaller than a block
 * and reported at a piece order when they have been free for long.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/spinlock.h>

#include "../../internal.h"
#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

#define NR_BLOCKS	6
#define HALF		(MAX_ORDER_NR_PAGES / 2UL)

/* Pieces are a 64th of the largest block, 32nd where words have 32 bits. */
#define FINE_ORDER	(MAX_PAGE_ORDER - FPR_SEGMENT_SHIFT)
#define PIECE		BIT(FINE_ORDER)

/* Much longer than a test takes, in ms. */
#define AGES		FPR_MS_MAX

static void start(struct kunit *test, unsigned int piece_age_ms)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER;
	fake->prdev.flags |= PAGE_REPORTING_PIECES;
	KUNIT_ASSERT_EQ(test, 0, fpr_set_piece_age(piece_age_ms));
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
}

static bool saw(struct kunit *test, const struct test_block *block,
		unsigned long first, unsigned long nr_pages,
		unsigned int times)
{
	return fake_saw(test->priv, block->pfn + first, nr_pages, times);
}

static void expect_clean_calls(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	KUNIT_EXPECT_EQ(test, fake->lost, 0);
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	KUNIT_EXPECT_EQ(test, fake->malformed, 0);
}

/* Without an age of their own, pieces stay. */
static void test_off(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test, 0);
	test_block_free_part(block, 0, HALF);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 0));
}

/* They are reported when they have that age, and once. */
static void test_reported_at_age(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long freed_at;

	start(test, 300);
	freed_at = jiffies;
	test_block_free_part(block, 0, HALF + 2 * PIECE);
	test_block_free_part(block, HALF + 4 * PIECE, PIECE);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF + 2 * PIECE, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, block, HALF + 4 * PIECE, PIECE, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, block, HALF + 2 * PIECE,
				    2 * PIECE, 0));
	KUNIT_EXPECT_TRUE(test, saw(test, block, HALF + 5 * PIECE,
				    HALF - 5 * PIECE, 0));
	KUNIT_EXPECT_GE(test, fake_reported_at(fake, block->pfn),
			freed_at + msecs_to_jiffies(300));
	expect_clean_calls(test);
}

/* Less than a piece stays, whatever its age. */
static void test_incomplete_piece(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test, 1);
	test_block_free_part(block, 1, PIECE - 1);
	test_block_free_part(block, 2 * PIECE, PIECE - 1);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, 3 * PIECE, 0));
	test_block_free_part(block, 0, 1);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, PIECE, 1));
	expect_clean_calls(test);
}

/* A whole block is not taken apart: it has the age of blocks. */
static void test_whole_block(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test, 1);
	WRITE_ONCE(fpr_tunables.age_ms, FPR_MS_MAX);
	test_block_free(block);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, MAX_ORDER_NR_PAGES, 0));
	WRITE_ONCE(fpr_tunables.age_ms, 0);
	fake_run_pass(test, fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, MAX_ORDER_NR_PAGES, 1));
	expect_clean_calls(test);
}

/* The pieces of a block that wait to be reported, and no longer. */
static unsigned long clear_pending_pieces(const struct test_block *block)
{
	struct zone *zone = page_zone(block->page);
	unsigned long i, pages = 0;
	struct fpr_zone *fz;

	spin_lock_irq(&zone->lock);
	fz = fpr_zone_get_locked(zone)->pieces;
	for (i = 0; i < MAX_ORDER_NR_PAGES; i += PIECE)
		if (fpr_clear_pending(fz, block->pfn + i))
			pages += PIECE;
	spin_unlock_irq(&zone->lock);
	return pages;
}

/* When the rest of a block is freed, its pieces wait with it. */
static void test_pieces_become_whole(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test, 1);
	WRITE_ONCE(fpr_tunables.piece_age_ms, FPR_MS_MAX);
	test_block_free_part(block, 0, HALF);
	KUNIT_EXPECT_EQ(test, clear_pending_pieces(block), HALF);
	test_block_free_part(block, HALF, HALF / 2);
	test_block_free_part(block, HALF + HALF / 2, HALF / 2);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, MAX_ORDER_NR_PAGES, 1));
	KUNIT_EXPECT_EQ(test, clear_pending_pieces(block), 0);
	expect_clean_calls(test);
}

/*
 * A block that was partly allocated before its turn came leaves pieces that
 * nobody has freed on their own.
 */
static void test_rest_of_skipped_block(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct zone *zone = page_zone(block->page);
	struct fpr_range range = { block->pfn, HALF };

	start(test, 1);
	WRITE_ONCE(fpr_tunables.age_ms, FPR_MS_MAX);
	test_block_free(block);
	KUNIT_ASSERT_TRUE(test, test_block_take_back(block));
	fpr_set_enabled(false);
	test_block_free_part(block, 0, HALF);
	spin_lock_irq(&zone->lock);
	fpr_drop(fpr_zone_get_locked(zone)->pieces, &range);
	spin_unlock_irq(&zone->lock);
	WRITE_ONCE(fpr_tunables.age_ms, 0);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, block, HALF, HALF, 0));
	expect_clean_calls(test);
}

/*
 * A block that becomes whole only because a batch returns a piece of it is
 * reported: its other pieces are part of a block when their turn comes.
 */
static void test_becomes_whole_in_flight(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test, 1);
	WRITE_ONCE(fake->block, true);
	test_block_free_part(block, 0, HALF);
	wait_for_completion(&fake->entered);
	test_block_free_part(block, HALF, HALF);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_FALSE(test, saw(test, block, HALF, HALF, 0));
	expect_clean_calls(test);
}

/* And a flush does not end before that. */
static void test_flush_of_whole_block(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct zone *zone = page_zone(block->page);
	struct fpr_range range = { block->pfn, MAX_ORDER_NR_PAGES };
	struct fpr_zone *whole;
	unsigned long pages;

	start(test, 1);
	fpr_set_enabled(false);
	test_block_free(block);
	/* As if it had become whole without a notice. */
	spin_lock_irq(&zone->lock);
	whole = fpr_zone_get_locked(zone);
	fpr_clear_pending(whole, block->pfn);
	fpr_mark_pending(whole->pieces, &range, jiffies);
	spin_unlock_irq(&zone->lock);
	WRITE_ONCE(fpr_tunables.enabled, true);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, MAX_ORDER_NR_PAGES, 1));
	expect_clean_calls(test);
}

/* A backend that does not accept pieces notices nothing. */
static void test_not_accepted(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER;
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_EXPECT_EQ(test, 0, fpr_set_piece_age(AGES));
	KUNIT_EXPECT_LT(test, fpr_pending_pages(NULL), MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_EQ(test, fpr_hook_order, MAX_PAGE_ORDER);
}

/* What was reported as a block is not reported again in pieces. */
static void test_block_with_its_pieces(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct zone *zone = page_zone(block->page);
	struct fpr_range range = { block->pfn, MAX_ORDER_NR_PAGES };

	start(test, 1);
	fpr_set_enabled(false);
	test_block_free(block);
	spin_lock_irq(&zone->lock);
	fpr_mark_pending(fpr_zone_get_locked(zone)->pieces, &range, jiffies);
	spin_unlock_irq(&zone->lock);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, MAX_ORDER_NR_PAGES, 1));
	expect_clean_calls(test);
}

/* What is free in pieces when they get an age is found. */
static void test_switched_on(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test, 0);
	test_block_free_part(block, 0, HALF);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 0));
	KUNIT_EXPECT_EQ(test, 0, fpr_set_piece_age(1));
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, block, HALF, HALF, 0));
	expect_clean_calls(test);
}

/* Switching back and forth loses no block, and ends as it is asked to. */
static void test_switched_under_load(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	start(test, 0);
	for (i = 0; i < 4 * NR_BLOCKS; i++) {
		KUNIT_EXPECT_EQ(test, 0, fpr_set_piece_age(i % 2 ? 0 : 1));
		test_block_free_part(blocks[i / 4], i % 4 * (HALF / 2),
				     HALF / 2);
	}
	fake_wait_quiet(test, fake);
	for (i = 0; i < NR_BLOCKS; i++) {
		KUNIT_EXPECT_FALSE(test, saw(test, blocks[i], 0,
					     MAX_ORDER_NR_PAGES, 0));
		KUNIT_EXPECT_EQ(test, 0, test_pages_astray(blocks[i]->pfn,
							   MAX_ORDER_NR_PAGES));
	}
	KUNIT_EXPECT_EQ(test, fpr_hook_order, MAX_PAGE_ORDER);
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	KUNIT_EXPECT_EQ(test, 0, fpr_set_piece_age(1));
	KUNIT_EXPECT_EQ(test, fpr_hook_order, FINE_ORDER);
}

/* The piece order follows the order. */
static void test_order_changes(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	start(test, 1);
	KUNIT_EXPECT_EQ(test, 0, fpr_set_order(2));
	KUNIT_EXPECT_EQ(test, fpr_hook_order, 0);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
	test_block_free_part(block, 5, 1);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 5, 1, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 4, 1, 0));
	/* Nothing is finer than a page. */
	KUNIT_EXPECT_EQ(test, 0, fpr_set_order(0));
	KUNIT_EXPECT_EQ(test, fpr_hook_order, 0);
	fake_wait_quiet(test, fake);
	fake_forget(fake);
	test_block_free_part(block, 7, 1);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 7, 1, 1));
	expect_clean_calls(test);
}

static void test_flush_takes_pieces(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned long pages;

	start(test, 1);
	WRITE_ONCE(fpr_tunables.piece_age_ms, FPR_MS_MAX);
	test_block_free_part(block, 0, HALF);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 0));
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_GE(test, pages, HALF);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 1));
	expect_clean_calls(test);
}

/* So does one that reports everything anew. */
static void test_flush_takes_pieces_anew(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long pages;

	start(test, 1);
	WRITE_ONCE(fpr_tunables.piece_age_ms, FPR_MS_MAX);
	test_block_free_part(block, 0, HALF);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	fake_forget(fake);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 0));
	KUNIT_EXPECT_EQ(test, 0, page_reporting_flush_anew(&pages));
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 1));
	KUNIT_EXPECT_TRUE(test, saw(test, block, HALF, HALF, 0));
	expect_clean_calls(test);
}

/* A backend that did not ask for pieces is not given any. */
static void test_none_unasked(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER;
	KUNIT_ASSERT_EQ(test, 0, fpr_set_piece_age(1));
	fake_register(test, fake);
	test_block_free_part(block, 0, HALF);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, saw(test, block, 0, HALF, 0));
	expect_clean_calls(test);
}

static struct kunit_case pieces_cases[] = {
	KUNIT_CASE(test_off),
	KUNIT_CASE(test_reported_at_age),
	KUNIT_CASE(test_incomplete_piece),
	KUNIT_CASE(test_whole_block),
	KUNIT_CASE(test_pieces_become_whole),
	KUNIT_CASE(test_rest_of_skipped_block),
	KUNIT_CASE(test_becomes_whole_in_flight),
	KUNIT_CASE(test_flush_of_whole_block),
	KUNIT_CASE(test_not_accepted),
	KUNIT_CASE(test_block_with_its_pieces),
	KUNIT_CASE(test_switched_on),
	KUNIT_CASE(test_switched_under_load),
	KUNIT_CASE(test_order_changes),
	KUNIT_CASE(test_flush_takes_pieces),
	KUNIT_CASE(test_flush_takes_pieces_anew),
	KUNIT_CASE(test_none_unasked),
	{}
};

static struct kunit_suite pieces_suite = {
	.name = "page_reporting_pieces",
	.init = fake_test_init,
	.test_cases = pieces_cases,
};

kunit_test_suite(pieces_suite);
