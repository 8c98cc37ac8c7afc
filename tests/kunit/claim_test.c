// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of unbacked pages that a balloon driver
 * claims: which, how many, and what they look like to it.
 */
#include <kunit/test.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/vmstat.h>

#include "../../internal.h"
#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

#define NR_BLOCKS	4
#define BLOCK_PAGES	((unsigned long)MAX_ORDER_NR_PAGES)
#define UNBACKED_PAGES	(NR_BLOCKS * BLOCK_PAGES)

/* As many as a driver for a balloon that allocates them can have. */
#define GFP_ANY		(GFP_HIGHUSER | __GFP_MOVABLE)

/* Have that many blocks unbacked, and nothing else. */
static struct zone *unback(struct kunit *test, struct test_block **blocks)
{
	struct fake_backend *fake = test->priv;
	unsigned int i;

	fake->prdev.order = MAX_PAGE_ORDER;
	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	fake_register_restorer(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_ASSERT_EQ(test, fpr_unbacked_pages(NULL), UNBACKED_PAGES);
	return page_zone(blocks[0]->page);
}

/* What the zones' counters say, which drift. */
static unsigned long counted_pages(void)
{
	unsigned long pages = 0;
	struct zone *zone;

	for_each_populated_zone(zone)
		pages += zone_page_state_snapshot(zone, NR_UNBACKED);
	return pages;
}

static unsigned long claimed_pages(void)
{
	return atomic_long_read(&fpr_total.n[FPR_CLAIMED]);
}

/* How many of these are not what a caller may expect? */
static unsigned long count_odd(const struct list_head *pages)
{
	unsigned long odd = 0;
	struct page *page;

	list_for_each_entry(page, pages, lru)
		odd += page_count(page) != 1 || !PageOffline(page) ||
		       PagePrivate(page) || page_private(page) ||
		       PageBuddy(page) || PageCompound(page);
	return odd;
}

/* Everything is accounted for, and what is left comes back when asked for. */
static void expect_rest(struct kunit *test, struct test_block **blocks,
			unsigned long unbacked)
{
	struct fake_backend *fake = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), unbacked);
	KUNIT_EXPECT_EQ(test, counted_pages(), unbacked);
	KUNIT_EXPECT_EQ(test, 0,
			page_reporting_limit_unbacked(&fake->prdev, 0));
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);
	KUNIT_EXPECT_EQ(test, fake->restored, unbacked);
	KUNIT_EXPECT_EQ(test, fake->strays, 0);
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_EQ(test, 0, test_pages_astray(blocks[i]->pfn,
							   BLOCK_PAGES));
}

/**
 * struct amount - how much is claimed at a time
 * @name:	for humans
 * @pages:	pages to ask for
 * @times:	how often
 */
struct amount {
	const char *name;
	unsigned long pages;
	unsigned int times;
};

static const struct amount amounts[] = {
	{ "one page", 1, 1 },
	{ "one page, often", 1, 37 },
	{ "an odd number", 333, 3 },
	{ "half a block", BLOCK_PAGES / 2, 3 },
	{ "a block", BLOCK_PAGES, 2 },
	{ "a block and a page", BLOCK_PAGES + 1, 2 },
	{ "all", UNBACKED_PAGES, 1 },
	{ "more than there is", ULONG_MAX, 2 },
};

static void describe_amount(const struct amount *amount, char *desc)
{
	strscpy(desc, amount->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(amount, amounts, describe_amount);

/* As many are claimed as were asked for, no restore is, and books are kept. */
static void test_amount(struct kunit *test)
{
	const struct amount *amount = test->param_value;
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks);
	unsigned long before = claimed_pages(), claimed = 0;
	unsigned long managed = zone_managed_pages(zone);
	long free = zone_page_state_snapshot(zone, NR_FREE_PAGES), risen;
	LIST_HEAD(pages);
	unsigned int i;

	for (i = 0; i < amount->times; i++) {
		unsigned long want = min(amount->pages,
					 UNBACKED_PAGES - claimed);

		KUNIT_EXPECT_EQ(test, want,
				test_claim_pages(fake, GFP_ANY, amount->pages,
						 &pages));
		claimed += want;
	}
	KUNIT_EXPECT_EQ(test, list_count_nodes(&pages), claimed);
	KUNIT_EXPECT_EQ(test, count_odd(&pages), 0);
	KUNIT_EXPECT_EQ(test, fake->restores, 0);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), UNBACKED_PAGES - claimed);
	KUNIT_EXPECT_EQ(test, claimed_pages() - before, claimed);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed - claimed);
	/*
	 * Unbacked pages are not in it, but for what the system frees
	 * meanwhile.
	 */
	risen = zone_page_state_snapshot(zone, NR_FREE_PAGES) - free;
	KUNIT_EXPECT_LT(test, abs(risen), (long)BLOCK_PAGES / 2);

	test_return_claimed(&pages);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed);
	risen = zone_page_state_snapshot(zone, NR_FREE_PAGES) - free - claimed;
	KUNIT_EXPECT_LT(test, abs(risen), (long)BLOCK_PAGES / 2);
	expect_rest(test, blocks, UNBACKED_PAGES - claimed);
}

/*
 * Blocks that are back in part: their pages that are not are claimed, and those
 * that are remain with the domain.
 */
static void claim_partial(struct kunit *test, unsigned long back)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks);
	unsigned long claimed, odd = 0;
	struct page *page;
	LIST_HEAD(pages);
	unsigned int i;

	spin_lock_irq(&zone->lock);
	for (i = 0; i < NR_BLOCKS; i++)
		set_page_private(blocks[i]->page, back);
	spin_unlock_irq(&zone->lock);
	claimed = test_claim_pages(fake, GFP_ANY, ULONG_MAX, &pages);
	KUNIT_EXPECT_EQ(test, claimed, NR_BLOCKS * (BLOCK_PAGES - back));
	list_for_each_entry(page, &pages, lru)
		odd += page_to_pfn(page) % BLOCK_PAGES >= BLOCK_PAGES - back;
	KUNIT_EXPECT_EQ(test, odd, 0);
	KUNIT_EXPECT_EQ(test, count_odd(&pages), 0);
	test_return_claimed(&pages);
	/* What was whole already has come back without being asked for. */
	KUNIT_EXPECT_LE(test, fake->restored, NR_BLOCKS * back);
	fake->restored = 0;
	expect_rest(test, blocks, fpr_unbacked_pages(NULL));
}

static void test_partial_one(struct kunit *test)
{
	claim_partial(test, 1);
}

static void test_partial_odd(struct kunit *test)
{
	claim_partial(test, BLOCK_PAGES / 2 + 5);
}

static void test_partial_half(struct kunit *test)
{
	claim_partial(test, BLOCK_PAGES / 2);
}

static void test_partial_most(struct kunit *test)
{
	claim_partial(test, BLOCK_PAGES - 1);
}

static void test_partial_all(struct kunit *test)
{
	claim_partial(test, BLOCK_PAGES);
}

/* Small blocks go first, so that large ones are not split for nothing. */
static void test_small_blocks_first(struct kunit *test)
{
	struct test_block *small = test_block_alloc(test);
	struct test_block *large = test_block_alloc(test);
	unsigned int order = MAX_PAGE_ORDER - 2;
	struct fake_backend *fake = test->priv;
	LIST_HEAD(pages);

	fake->prdev.order = order;
	fake_register_restorer(test, fake);
	test_block_free_part(small, BIT(order), BIT(order));
	test_block_free(large);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(small->page + BIT(order)));
	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(large->page));

	KUNIT_EXPECT_EQ(test, BIT(order),
			test_claim_pages(fake, GFP_ANY, BIT(order), &pages));
	KUNIT_EXPECT_EQ(test, small->pfn + BIT(order),
			page_to_pfn(list_first_entry(&pages, struct page,
						     lru)));
	KUNIT_EXPECT_TRUE(test, fpr_is_unbacked(large->page));
	test_return_claimed(&pages);
}

/* Not from zones from which the caller cannot allocate. */
static void test_zones(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks);
	LIST_HEAD(pages);

	/* Where there is no ZONE_DMA, the flag says nothing. */
	KUNIT_EXPECT_EQ(test, zone_idx(zone) <= gfp_zone(GFP_DMA),
			test_claim_pages(fake, GFP_DMA, 1, &pages));
	test_return_claimed(&pages);
}

/* Nor from anybody else. */
static void test_other_backend(struct kunit *test)
{
	struct fake_backend *other = fake_create(test);
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	LIST_HEAD(pages);

	KUNIT_EXPECT_EQ(test, 0, test_claim_pages(fake, GFP_ANY, 1, &pages));
	unback(test, blocks);
	KUNIT_EXPECT_EQ(test, 0, test_claim_pages(other, GFP_ANY, 1, &pages));
	KUNIT_EXPECT_EQ(test, 0, test_claim_pages(fake, GFP_ANY, 0, &pages));
	fake_unregister(test, fake);
	KUNIT_EXPECT_EQ(test, 0, test_claim_pages(fake, GFP_ANY, 1, &pages));
	KUNIT_EXPECT_TRUE(test, list_empty(&pages));
}

/* What was claimed and comes back is no sign of memory missed. */
static void test_no_refault(struct kunit *test)
{
	atomic_long_t *refaulted = &fpr_total.n[FPR_REFAULTED];
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone;
	LIST_HEAD(pages);
	long before;

	WRITE_ONCE(fpr_tunables.max_age_ms, 60000);
	zone = unback(test, blocks);
	before = atomic_long_read(refaulted);
	test_claim_pages(fake, GFP_ANY, UNBACKED_PAGES, &pages);
	spin_lock_irq(&zone->lock);
	fpr_account_free(fpr_zone_get_locked(zone), 0, 0);
	spin_unlock_irq(&zone->lock);
	test_return_claimed(&pages);
	KUNIT_EXPECT_EQ(test, atomic_long_read(refaulted), before);
	/* And it is reported like any memory. */
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_GE(test, fpr_unbacked_pages(NULL), UNBACKED_PAGES);
}

static struct kunit_case claim_cases[] = {
	KUNIT_CASE_PARAM(test_amount, amount_gen_params),
	KUNIT_CASE(test_partial_one),
	KUNIT_CASE(test_partial_odd),
	KUNIT_CASE(test_partial_half),
	KUNIT_CASE(test_partial_most),
	KUNIT_CASE(test_partial_all),
	KUNIT_CASE(test_small_blocks_first),
	KUNIT_CASE(test_zones),
	KUNIT_CASE(test_other_backend),
	KUNIT_CASE(test_no_refault),
	{}
};

static struct kunit_suite claim_suite = {
	.name = "page_reporting_claim",
	.init = fake_test_init,
	.test_cases = claim_cases,
};

kunit_test_suite(claim_suite);
