// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of blocks that the hypervisor keeps: what
 * is unbacked, how it counts, how much of it there may be, and who goes
 * without.
 *
 * The fake backend remembers what it was given and complains about every
 * restore of something else.
 */
#include <kunit/test.h>
#include <linux/damon.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-flags.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>
#include <linux/writeback.h>

#include "../../internal.h"
#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

#define NR_BLOCKS	6
#define BLOCK_PAGES	((unsigned long)MAX_ORDER_NR_PAGES)

static void alloc_blocks(struct kunit *test, struct test_block **blocks)
{
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
}

static void free_blocks(struct test_block **blocks)
{
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
}

/* Free blocks and wait until all of them are unbacked, and nothing else. */
static void unback(struct kunit *test, struct test_block **blocks)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER;
	alloc_blocks(test, blocks);
	fake_register_restorer(test, fake);
	free_blocks(blocks);
	fake_wait_quiet(test, fake);
	KUNIT_ASSERT_GE(test, fpr_unbacked_pages(NULL), NR_BLOCKS * BLOCK_PAGES);
}

static unsigned long count_unbacked(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages, unbacked = 0;

	for (; pfn < end; pfn++)
		unbacked += fpr_is_unbacked(pfn_to_page(pfn));
	return unbacked;
}

static void expect_unbacked(struct kunit *test, const struct test_block *block)
{
	KUNIT_EXPECT_EQ(test, BLOCK_PAGES,
			count_unbacked(block->pfn, BLOCK_PAGES));
	KUNIT_EXPECT_EQ(test, BLOCK_PAGES,
			test_pages_astray(block->pfn, BLOCK_PAGES));
}

static void expect_back(struct kunit *test, const struct test_block *block)
{
	KUNIT_EXPECT_EQ(test, 0, count_unbacked(block->pfn, BLOCK_PAGES));
	KUNIT_EXPECT_EQ(test, 0, test_pages_astray(block->pfn, BLOCK_PAGES));
}

static unsigned long restored_pages(void)
{
	return atomic_long_read(&fpr_total.n[FPR_RESTORED]);
}

/* === Becoming unbacked === */

static void test_blocks_are_unbacked(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	unback(test, blocks);
	for (i = 0; i < NR_BLOCKS; i++) {
		expect_unbacked(test, blocks[i]);
		KUNIT_EXPECT_TRUE(test, fake_has(fake, blocks[i]->pfn));
	}
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	KUNIT_EXPECT_EQ(test, fake->malformed, 0);
	KUNIT_EXPECT_EQ(test, fake->pages, fpr_unbacked_pages(NULL));
}

/* What may not come back is free, but not available. */
static void test_available(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	long before, unbacked, available;

	unback(test, blocks);
	fpr_set_enabled(false);
	unbacked = page_reporting_unbacked_on(NUMA_NO_NODE);
	before = si_mem_available();
	KUNIT_EXPECT_LE(test, before,
			(long)global_zone_page_state(NR_FREE_PAGES) +
			(long)global_node_page_state(NR_ACTIVE_FILE) +
			(long)global_node_page_state(NR_INACTIVE_FILE) +
			(long)global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B));
	while (restore_one(page_zone(blocks[0]->page), 0, 0))
		;
	available = si_mem_available() - before;
	KUNIT_EXPECT_LT(test, abs(available - unbacked), (long)BLOCK_PAGES / 2);
}

/*
 * Entries that failed are free as before; those of the same batch are
 * unbacked.
 */
static void test_partial_failure(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	test_need_room(test);
	fake->prdev.order = MAX_PAGE_ORDER;
	alloc_blocks(test, blocks);
	fake_register_restorer(test, fake);
	fpr_set_enabled(false);
	free_blocks(blocks);
	fake->fail_odd = 1;
	fpr_set_enabled(true);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fake->failed, NR_BLOCKS / 2 * BLOCK_PAGES);
	for (i = 0; i < NR_BLOCKS; i++) {
		if (fake_has(fake, blocks[i]->pfn))
			expect_unbacked(test, blocks[i]);
		else
			expect_back(test, blocks[i]);
	}
	/* They come again. */
	fake_wait_quiet(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		expect_unbacked(test, blocks[i]);
}

/* Of a free list entry, only what is due is unbacked. */
static void test_rest_is_put_back(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	unsigned long quarter = BLOCK_PAGES / 4;
	struct zone *zone = page_zone(block->page);
	struct fpr_zone *fz;

	fake->prdev.order = MAX_PAGE_ORDER - 2;
	fake_register_restorer(test, fake);
	fpr_set_enabled(false);
	test_block_free(block);
	spin_lock_irq(&zone->lock);
	fz = fpr_zone_get_locked(zone);
	fpr_clear_pending(fz, block->pfn);
	fpr_clear_pending(fz, block->pfn + 2 * quarter);
	spin_unlock_irq(&zone->lock);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);

	KUNIT_EXPECT_EQ(test, 0, count_unbacked(block->pfn, quarter));
	KUNIT_EXPECT_EQ(test, quarter,
			count_unbacked(block->pfn + quarter, quarter));
	KUNIT_EXPECT_EQ(test, 0,
			count_unbacked(block->pfn + 2 * quarter, quarter));
	KUNIT_EXPECT_EQ(test, quarter,
			count_unbacked(block->pfn + 3 * quarter, quarter));
	KUNIT_EXPECT_EQ(test, 2 * quarter,
			test_pages_astray(block->pfn, BLOCK_PAGES));
}

/*
 * A change of the order neither loses what is unbacked nor counts it as used.
 */
static void test_order_change(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	unback(test, blocks);
	WRITE_ONCE(fpr_tunables.unbacked_max_kb,
		   fpr_unbacked_pages(NULL) << (PAGE_SHIFT - 10));
	KUNIT_ASSERT_EQ(test, 0, fpr_set_order(MAX_PAGE_ORDER - 1));
	fake_run_pass(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		expect_unbacked(test, blocks[i]);
	KUNIT_EXPECT_TRUE(test, restore_one(page_zone(blocks[0]->page), 0, 0));
	KUNIT_EXPECT_EQ(test, fake->strays, 0);
}

/* === Who counts on it === */

static unsigned long shown_free_pages(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return info.freeram;
}

static void restore_everything(struct kunit *test, struct zone *zone)
{
	while (restore_one(zone, 0, 0))
		;
	KUNIT_EXPECT_EQ(test, fpr_unbacked_in(zone), 0);
}

/* Unbacked memory is shown as free, but no watermark counts on it. */
static void test_accounting(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	unsigned long free, shown, unbacked;
	struct zone *zone;
	long change;

	unback(test, blocks);
	zone = page_zone(blocks[0]->page);
	unbacked = fpr_unbacked_in(zone);
	KUNIT_EXPECT_EQ(test, unbacked, fpr_unbacked_pages(NULL));
	KUNIT_EXPECT_EQ(test, unbacked,
			page_reporting_unbacked_on(NUMA_NO_NODE));
	KUNIT_EXPECT_EQ(test, unbacked,
			page_reporting_unbacked_on(zone_to_nid(zone)));

	free = zone_page_state_snapshot(zone, NR_FREE_PAGES);
	shown = shown_free_pages();
	/* With room for what the system frees and takes meanwhile. */
	KUNIT_EXPECT_TRUE(test, zone_watermark_ok(zone, 0, free * 3 / 4, 0,
						  ALLOC_CMA));
	KUNIT_EXPECT_FALSE(test, zone_watermark_ok(zone, 0,
						   free + unbacked / 2, 0,
						   ALLOC_CMA));

	/* Nothing is counted twice or lost on the way there and back. */
	restore_everything(test, zone);
	change = zone_page_state_snapshot(zone, NR_FREE_PAGES) - free -
		 unbacked;
	KUNIT_EXPECT_LT(test, abs(change), (long)BLOCK_PAGES / 2);
	change = shown_free_pages() - shown;
	KUNIT_EXPECT_LT(test, abs(change), (long)BLOCK_PAGES / 2);
}

static unsigned long pages_on_free_lists(const struct zone *zone)
{
	unsigned long pages = 0;
	unsigned int order;

	lockdep_assert_held(&zone->lock);
	for (order = 0; order < NR_PAGE_ORDERS; order++)
		pages += zone->free_area[order].nr_free << order;
	return pages;
}

/* Another processor may be folding its share of the count right now. */
static bool counts_what_can_be_had(void *context)
{
	struct zone *zone = context;
	bool equal;

	spin_lock_irq(&zone->lock);
	equal = zone_page_state_snapshot(zone, NR_FREE_PAGES) ==
		pages_on_free_lists(zone);
	spin_unlock_irq(&zone->lock);
	return equal;
}

/*
 * NR_FREE_PAGES is what allocations can have, to the page, whatever happens to
 * a block.  All who decide by it rely on that.
 */
static void test_count_of_free_pages(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone;

	unback(test, blocks);
	zone = page_zone(blocks[0]->page);
	KUNIT_EXPECT_TRUE(test, fake_wait(counts_what_can_be_had, zone));
	fake->restore_error = -ENOMEM;
	KUNIT_EXPECT_FALSE(test, restore_one(zone, 0, 0));
	KUNIT_EXPECT_TRUE(test, fake_wait(counts_what_can_be_had, zone));
	fake->restore_error = 0;
	KUNIT_EXPECT_EQ(test, 0,
			page_reporting_limit_unbacked(&fake->prdev, 0));
	KUNIT_EXPECT_TRUE(test, fake_wait(counts_what_can_be_had, zone));
}

/* More may be dirty only when the memory is back: a file cannot have it. */
static void test_dirty_limit(struct kunit *test)
{
	unsigned long background, before, after, unbacked;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks);
	unbacked = fpr_unbacked_pages(NULL);
	global_dirty_limits(&background, &before);
	restore_everything(test, page_zone(blocks[0]->page));
	global_dirty_limits(&background, &after);
	/* The default is a fifth. */
	KUNIT_EXPECT_GE(test, after, before + unbacked / 10);
}

#ifdef CONFIG_DAMON
static bool is_active(void *context)
{
	const struct damos *scheme = context;

	return READ_ONCE(scheme->wmarks.activated);
}

/* A scheme that rests while little is free goes on while much is unbacked. */
static void test_damon_watermark(struct kunit *test)
{
	struct damos_watermarks wmarks = {
		.metric = DAMOS_WMARK_FREE_MEM_RATE,
		.interval = 10 * USEC_PER_MSEC,
		.high = 1000,
		.mid = 1000,
	};
	struct damos_access_pattern pattern = {};
	struct test_block *blocks[NR_BLOCKS];
	struct damos_quota quota = {};
	struct damon_ctx *ctx;
	struct damos *scheme;

	unback(test, blocks);
	wmarks.low = (global_zone_page_state(NR_FREE_PAGES) +
		      fpr_unbacked_pages(NULL) / 2) * 1000 / totalram_pages();
	ctx = damon_new_ctx();
	KUNIT_ASSERT_NOT_NULL(test, ctx);
	scheme = damon_new_scheme(&pattern, DAMOS_STAT, 0, &quota, &wmarks,
				  NUMA_NO_NODE);
	KUNIT_ASSERT_NOT_NULL(test, scheme);
	damon_set_schemes(ctx, &scheme, 1);
	KUNIT_ASSERT_EQ(test, 0, damon_start(&ctx, 1, true));
	KUNIT_EXPECT_TRUE(test, fake_wait(is_active, scheme));
	damon_stop(&ctx, 1);
	damon_destroy_ctx(ctx);
}
#endif /* CONFIG_DAMON */

/* === Limits === */

static void test_limit(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned long limit = 2 * BLOCK_PAGES;

	unback(test, blocks);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_limit_unbacked(&fake->prdev,
							       limit));
	KUNIT_EXPECT_LE(test, fpr_unbacked_pages(NULL), limit);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_LE(test, fpr_unbacked_pages(NULL), limit);
	KUNIT_EXPECT_EQ(test, fake->strays, 0);

	/* It can be raised again. */
	KUNIT_EXPECT_EQ(test, 0, page_reporting_limit_unbacked(&fake->prdev,
							       2 * limit));
	fake_run_pass(test, fake);
	KUNIT_EXPECT_GT(test, fpr_unbacked_pages(NULL), limit);
	KUNIT_EXPECT_LE(test, fpr_unbacked_pages(NULL), 2 * limit);
}

static void test_limit_of_backend(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	fake->prdev.order = MAX_PAGE_ORDER;
	fake->prdev.unbacked_max = 2 * BLOCK_PAGES;
	alloc_blocks(test, blocks);
	fake_register_restorer(test, fake);
	free_blocks(blocks);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 2 * BLOCK_PAGES);
}

/* The largest value of the tunable stands for no limit at all. */
static void test_no_limit(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct fpr_backend *backend;

	fake_register_restorer(test, fake);
	backend = fake_core(fake);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_room(backend) + fpr_unbacked_pages(backend),
			ULONG_MAX);
	WRITE_ONCE(fpr_tunables.unbacked_max_kb, FPR_NO_LIMIT - 1);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_room(backend) + fpr_unbacked_pages(backend),
			(FPR_NO_LIMIT - 1) >> (PAGE_SHIFT - 10));
}

static void test_limit_of_nobody(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	KUNIT_EXPECT_EQ(test, -ENODEV,
			page_reporting_limit_unbacked(&fake->prdev, 1));
}

/* A pass gives back what exceeds a limit that the user lowered. */
static void test_lowered_limit(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks);
	WRITE_ONCE(fpr_tunables.unbacked_max_kb,
		   BLOCK_PAGES << (PAGE_SHIFT - 10));
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), BLOCK_PAGES);
}

static void test_reserve_is_kept(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	fake->prdev.order = MAX_PAGE_ORDER;
	alloc_blocks(test, blocks);
	fake_register_restorer(test, fake);
	WRITE_ONCE(fpr_tunables.unbacked_reserve_percent, 100);
	free_blocks(blocks);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);
	KUNIT_EXPECT_EQ(test, fake->calls, 0);

	WRITE_ONCE(fpr_tunables.unbacked_reserve_percent, 0);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_GT(test, fpr_unbacked_pages(NULL), 0);
}

#ifdef CONFIG_PAGE_REPORTING_RETAIN
/* Small blocks that somebody freed meanwhile count from now on. */
static void note_free(struct zone *zone)
{
	struct fpr_zone *fz;

	spin_lock_irq(&zone->lock);
	fz = fpr_zone_get_locked(zone);
	fz->noted--;
	fpr_account_free(fz, 0, 0);
	spin_unlock_irq(&zone->lock);
}

/* What was wanted back soon is retained from now on. */
static void test_wanted_memory_is_retained(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	atomic_long_t *refaulted = &fpr_total.n[FPR_REFAULTED];
	unsigned long retained;
	struct zone *zone;
	long before;

	WRITE_ONCE(fpr_tunables.max_age_ms, 60000);
	unback(test, blocks);
	zone = page_zone(blocks[0]->page);
	note_free(zone);
	before = atomic_long_read(refaulted);
	KUNIT_ASSERT_TRUE(test, restore_one(zone, 0, 0));
	spin_lock_irq(&zone->lock);
	retained = fpr_zone_get_locked(zone)->retained;
	spin_unlock_irq(&zone->lock);
	KUNIT_EXPECT_EQ(test, retained, BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, atomic_long_read(refaulted) - before,
			BLOCK_PAGES);
}

#endif

/* === Registration === */

static void test_restored_on_unregister(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned long before = restored_pages();
	unsigned int i;

	unback(test, blocks);
	fake_unregister(test, fake);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);
	for (i = 0; i < NR_BLOCKS; i++) {
		expect_back(test, blocks[i]);
		KUNIT_EXPECT_FALSE(test, fake_has(fake, blocks[i]->pfn));
	}
	KUNIT_EXPECT_EQ(test, fake->strays, 0);
	KUNIT_EXPECT_EQ(test, restored_pages() - before, fake->restored);
}

static void test_merge_is_refused(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct page_reporting_dev_info prdev = {
		.report = fake->prdev.report,
		.restore = fake_restore,
		.flags = PAGE_REPORTING_MERGE,
	};

	KUNIT_EXPECT_EQ(test, -EINVAL, page_reporting_register(&prdev));
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&page_reporting_restoring));
}

static void test_pieces_are_refused(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct page_reporting_dev_info prdev = {
		.report = fake->prdev.report,
		.restore = fake_restore,
		.flags = PAGE_REPORTING_PIECES,
	};

	KUNIT_EXPECT_EQ(test, -EINVAL, page_reporting_register(&prdev));
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&page_reporting_restoring));
}

static void test_keys_follow(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	fake_register(test, fake);
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&page_reporting_restoring));
	fake_unregister(test, fake);
	fake_register_restorer(test, fake);
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&page_reporting_restoring));
	fake_unregister(test, fake);
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&page_reporting_restoring));
}

static struct kunit_case unbacked_cases[] = {
	KUNIT_CASE(test_blocks_are_unbacked),
	KUNIT_CASE(test_available),
	KUNIT_CASE(test_partial_failure),
	KUNIT_CASE(test_rest_is_put_back),
	KUNIT_CASE(test_order_change),
	KUNIT_CASE(test_accounting),
	KUNIT_CASE(test_count_of_free_pages),
	KUNIT_CASE(test_dirty_limit),
#ifdef CONFIG_DAMON
	KUNIT_CASE(test_damon_watermark),
#endif
	KUNIT_CASE(test_limit),
	KUNIT_CASE(test_limit_of_backend),
	KUNIT_CASE(test_no_limit),
	KUNIT_CASE(test_limit_of_nobody),
	KUNIT_CASE(test_lowered_limit),
	KUNIT_CASE(test_reserve_is_kept),
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	KUNIT_CASE(test_wanted_memory_is_retained),
#endif
	KUNIT_CASE(test_restored_on_unregister),
	KUNIT_CASE(test_merge_is_refused),
	KUNIT_CASE(test_pieces_are_refused),
	KUNIT_CASE(test_keys_follow),
	{}
};

static struct kunit_suite unbacked_suite = {
	.name = "page_reporting_unbacked",
	.init = fake_test_init,
	.test_cases = unbacked_cases,
};

kunit_test_suite(unbacked_suite);
