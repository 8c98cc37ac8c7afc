// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of how unbacked blocks come back: for whom,
 * in which order, and what happens when the hypervisor does not give them.
 *
 * Allocations use up the real memory of the machine until they need what is
 * unbacked.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/oom.h>
#include <linux/vmstat.h>
#include <linux/workqueue.h>

#include "../../internal.h"
#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

#define NR_BLOCKS	6
#define BLOCK_PAGES	((unsigned long)MAX_ORDER_NR_PAGES)

/* Have that many blocks of @order unbacked. */
static struct zone *unback(struct kunit *test, struct test_block **blocks,
			   unsigned int order)
{
	struct fake_backend *fake = test->priv;
	unsigned int i;

	fake->prdev.order = order;
	for (i = 0; i < NR_BLOCKS; i++)
		blocks[i] = test_block_alloc(test);
	fake_register_restorer(test, fake);
	for (i = 0; i < NR_BLOCKS; i++)
		test_block_free(blocks[i]);
	fake_wait_quiet(test, fake);
	KUNIT_ASSERT_GE(test, fpr_unbacked_pages(NULL), NR_BLOCKS * BLOCK_PAGES);
	/* From here on nothing is unbacked that was not. */
	fpr_set_enabled(false);
	return page_zone(blocks[0]->page);
}

static bool is_restored(const struct test_block *block)
{
	return !fpr_is_unbacked(block->page);
}

/* === Allocations === */

/**
 * struct demand - an allocation that needs unbacked memory
 * @name:	for humans
 * @order:	order of a piece
 * @gfp:	how it is allocated
 * @bulk:	through the bulk allocator
 */
struct demand {
	const char *name;
	unsigned int order;
	gfp_t gfp;
	bool bulk;
};

static const struct demand demands[] = {
	{ "GFP_KERNEL", 0, GFP_KERNEL },
	{ "GFP_ATOMIC", 0, GFP_ATOMIC },
	{ "GFP_NOWAIT", 0, GFP_NOWAIT },
	{ "movable", 0, GFP_HIGHUSER_MOVABLE },
	{ "order 3", 3, GFP_KERNEL },
	{ "order 3 atomic", 3, GFP_ATOMIC },
	{ "order 9", 9, GFP_KERNEL | __GFP_NORETRY },
	{ "largest order", MAX_PAGE_ORDER, GFP_KERNEL | __GFP_NORETRY },
	{ "bulk", 0, GFP_KERNEL, true },
};

static void describe_demand(const struct demand *demand, char *desc)
{
	strscpy(desc, demand->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(demand, demands, describe_demand);

static struct page *allocate(const struct demand *demand)
{
	gfp_t gfp = demand->gfp | __GFP_NOWARN;
	struct page *page = NULL;

	if (!demand->bulk)
		return alloc_pages(gfp, demand->order);
	alloc_pages_bulk(gfp, 1, &page);
	return page;
}

static unsigned long sum_of_events(const enum vm_event_item *items,
				   unsigned int nr)
{
	unsigned long *events, sum = 0;
	unsigned int i;

	events = kcalloc(NR_VM_EVENT_ITEMS, sizeof(*events), GFP_KERNEL);
	if (!events)
		return 0;
	all_vm_events(events);
	for (i = 0; i < nr; i++)
		sum += events[items[i]];
	kfree(events);
	return sum;
}

/*
 * What reclaim and compaction have done so far.  Not kswapd, which is also woken
 * up to keep migratetypes apart.
 */
static unsigned long reclaim_events(void)
{
	static const enum vm_event_item items[] = {
		ALLOCSTALL_NORMAL, ALLOCSTALL_MOVABLE, OOM_KILL,
#ifdef CONFIG_COMPACTION
		COMPACTSTALL,
#endif
	};

	return sum_of_events(items, ARRAY_SIZE(items));
}

static void free_all(struct list_head *pages, unsigned int order)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_pages(page, order);
	}
	cond_resched();
}

/*
 * Allocate until only @left pages are unbacked.  Returns how many allocations
 * got what is the hypervisor's.
 */
static unsigned long use_up(struct kunit *test, struct list_head *pages,
			    unsigned long left)
{
	const struct demand *demand = test->param_value;
	unsigned long holes = 0;

	while (fpr_unbacked_pages(NULL) > left) {
		struct page *page = allocate(demand);

		if (!page)
			break;
		holes += fpr_is_unbacked(page) ||
			 fake_has(test->priv, page_to_pfn(page));
		list_add(&page->lru, pages);
	}
	return holes;
}

/*
 * Allocate until the last unbacked block is back.  None of what was allocated
 * may be the hypervisor's, and reclaim must not have begun while there were
 * blocks to restore.  The last ones may be in the hands of other processors.
 */
static void test_demand(struct kunit *test)
{
	const struct demand *demand = test->param_value;
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned long events, holes;
	LIST_HEAD(pages);

	unback(test, blocks, MAX_PAGE_ORDER);
	events = reclaim_events();
	holes = use_up(test, &pages, NR_BLOCKS / 2 * BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, events, reclaim_events());
	holes += use_up(test, &pages, 0);
	free_all(&pages, demand->order);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);
	KUNIT_EXPECT_EQ(test, holes, 0);
	KUNIT_EXPECT_EQ(test, fake->strays, 0);
	KUNIT_EXPECT_GE(test, fake->restored, NR_BLOCKS * BLOCK_PAGES);
}

/* === Which block === */

static void test_one_block_at_a_time(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);
	unsigned long before = fpr_unbacked_in(zone);

	KUNIT_EXPECT_TRUE(test, restore_one(zone, 0, 0));
	KUNIT_EXPECT_EQ(test, fake->restores, 1);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_in(zone), before - BLOCK_PAGES);
}

/* Have a quarter of @block unbacked and nothing larger, and return it. */
static struct page *unback_quarter(struct kunit *test, struct test_block *block)
{
	unsigned long quarter = BLOCK_PAGES / 4;
	struct fake_backend *fake = test->priv;

	fake->prdev.order = MAX_PAGE_ORDER - 2;
	fake_register_restorer(test, fake);
	test_block_free_part(block, quarter, quarter);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(block->page + quarter));
	/* Others' memory may be large enough. */
	while (restore_one(page_zone(block->page), MAX_PAGE_ORDER - 1, 0))
		;
	return block->page + quarter;
}

/* A large allocation is not helped by small blocks while memory is plenty. */
static void test_too_small_blocks(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct page *quarter = unback_quarter(test, block);
	struct zone *zone = page_zone(block->page);
	unsigned int order = MAX_PAGE_ORDER - 2;

	KUNIT_EXPECT_FALSE(test, restore_one(zone, order + 1, 0));
	KUNIT_EXPECT_TRUE(test, fpr_is_unbacked(quarter));
	KUNIT_EXPECT_TRUE(test, restore_one(zone, order, 0));
	while (restore_one(zone, order, 0))
		;
	KUNIT_EXPECT_FALSE(test, fpr_is_unbacked(quarter));
}

/* Where all that is free is of use to few only, memory is not plenty. */
static void test_short_but_for_cma(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct page *quarter = unback_quarter(test, block);
	struct zone *zone = page_zone(block->page);
	long free = zone_page_state(zone, NR_FREE_PAGES);

	mod_zone_page_state(zone, NR_FREE_CMA_PAGES, free);
	while (restore_one(zone, MAX_PAGE_ORDER, 0))
		;
	mod_zone_page_state(zone, NR_FREE_CMA_PAGES, -free);
	KUNIT_EXPECT_FALSE(test, fpr_is_unbacked(quarter));
}

/*
 * An allocation that takes no small piece of another migratetype's memory is
 * not helped by small blocks either.  Without ZONE_DMA32 there are none such.
 */
static void test_no_fragments(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	unsigned int order = pageblock_order - 2;
	struct zone *zone = page_zone(block->page);
	struct fake_backend *fake = test->priv;

	fake->prdev.order = order;
	fake_register_restorer(test, fake);
	test_block_free_part(block, BIT(order), BIT(order));
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(block->page + BIT(order)));

	/* Others' memory may be large enough. */
	while (restore_one(zone, 0, ALLOC_NOFRAGMENT))
		;
	KUNIT_EXPECT_EQ(test, fpr_is_unbacked(block->page + BIT(order)),
			IS_ENABLED(CONFIG_ZONE_DMA32));
	while (restore_one(zone, 0, 0))
		;
	KUNIT_EXPECT_FALSE(test, fpr_is_unbacked(block->page + BIT(order)));
}

/* What a zone reserves for allocations that need it is not for others. */
static void test_lowmem_reserve(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);
	int higher = zone_idx(zone) + 1;
	long reserve = zone->lowmem_reserve[higher];

	zone->lowmem_reserve[higher] = LONG_MAX;
	KUNIT_EXPECT_FALSE(test, page_reporting_restore(zone, 0, 0, higher));
	KUNIT_EXPECT_TRUE(test, page_reporting_restore(zone, 0, 0, higher - 1));
	KUNIT_EXPECT_TRUE(test,
			  page_reporting_restore(zone, 0, ALLOC_NO_WATERMARKS,
						 higher));
	zone->lowmem_reserve[higher] = reserve;
	KUNIT_EXPECT_TRUE(test, page_reporting_restore(zone, 0, 0, higher));
}

/*
 * Nothing is for those who may not wait for zone->lock, where there are such.
 */
static void test_no_lock(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);

	KUNIT_EXPECT_EQ(test, !ALLOC_NOLOCK,
			page_reporting_restore(zone, 0, ALLOC_NOLOCK,
					       zone_idx(zone)));
}

static void test_range(struct kunit *test)
{
	struct test_block *blocks[NR_BLOCKS];
	unsigned int i;

	unback(test, blocks, MAX_PAGE_ORDER);
	/* From within a block to within it: all of it is needed. */
	KUNIT_EXPECT_EQ(test, 0,
			fpr_restore_range(blocks[1]->pfn + 1,
					  blocks[1]->pfn + 2));
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_EQ_MSG(test, is_restored(blocks[i]), i == 1,
				    "block %u", i);
}

/* === Failures === */

static void test_failure_backs_off(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);
	unsigned long unbacked = fpr_unbacked_in(zone);
	unsigned int attempts = 0, i;
	unsigned long end;

	fake->restore_error = -ENOMEM;
	fake->restore_step = 1;
	KUNIT_EXPECT_FALSE(test, restore_one(zone, 0, 0));
	KUNIT_EXPECT_EQ(test, fake->restores, 1);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_in(zone), unbacked);

	/* However often an allocation asks, the hypervisor has peace. */
	end = jiffies + HZ / 2;
	while (time_before(jiffies, end)) {
		restore_one(zone, 0, 0);
		attempts++;
		cpu_relax();
	}
	KUNIT_EXPECT_GT(test, attempts, 100);
	KUNIT_EXPECT_LE(test, fake->restores, 10);
	KUNIT_EXPECT_GE(test, fake->restores, 3);

	/* The block that came nearer remembers how far, and comes first. */
	for (i = 0; i < NR_BLOCKS; i++)
		if (page_private(blocks[i]->page))
			break;
	KUNIT_ASSERT_LT(test, i, NR_BLOCKS);
	KUNIT_EXPECT_EQ(test, page_private(blocks[i]->page), fake->restores);

	/* And when the hypervisor has memory again, it comes back. */
	fake->restore_error = 0;
	msleep(1100);
	KUNIT_EXPECT_TRUE(test, restore_one(zone, 0, 0));
	KUNIT_EXPECT_TRUE(test, is_restored(blocks[i]));
	KUNIT_EXPECT_EQ(test, fake->strays, 0);
}

/*
 * Without memory from the hypervisor an allocation fails, and no hole is used.
 */
static void test_allocation_fails_cleanly(struct kunit *test)
{
	const struct demand demand = {
		"GFP_NOWAIT", MAX_PAGE_ORDER, GFP_NOWAIT,
	};
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	unsigned long holes = 0;
	struct page *page;
	LIST_HEAD(pages);

	unback(test, blocks, MAX_PAGE_ORDER);
	fake->restore_error = -ENOMEM;
	while ((page = allocate(&demand))) {
		holes += fpr_is_unbacked(page);
		list_add(&page->lru, &pages);
	}
	free_all(&pages, demand.order);
	KUNIT_EXPECT_EQ(test, holes, 0);
	KUNIT_EXPECT_EQ(test, fake->restored, 0);
	KUNIT_EXPECT_GE(test, fpr_unbacked_pages(NULL), NR_BLOCKS * BLOCK_PAGES);
}

static void test_range_that_stays(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks, MAX_PAGE_ORDER);
	fake->restore_error = -ENOSPC;
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			fpr_restore_range(blocks[0]->pfn,
					  blocks[0]->pfn + 1));
	KUNIT_EXPECT_FALSE(test, is_restored(blocks[0]));
}

/* By the call that set the limit, and then by a pass. */
static bool tried_twice(void *context)
{
	struct fake_backend *fake = context;

	return READ_ONCE(fake->restores) > NR_BLOCKS;
}

static bool nothing_unbacked(void *unused)
{
	return !fpr_unbacked_pages(NULL);
}

static void test_limit_that_is_not_met(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks, MAX_PAGE_ORDER);
	fake->restore_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			page_reporting_limit_unbacked(&fake->prdev, 0));
	KUNIT_EXPECT_GT(test, fpr_unbacked_pages(NULL), 0);

	/* It is met as soon as can be, though the next pass fails, too. */
	KUNIT_EXPECT_TRUE(test, fake_wait(tried_twice, fake));
	fake->restore_error = 0;
	KUNIT_EXPECT_TRUE(test, fake_wait(nothing_unbacked, NULL));
}

/* === A block that does not come back === */

/* Let one block never come back. */
static void be_stubborn(struct kunit *test, struct test_block **blocks,
			unsigned int i)
{
	struct fake_backend *fake = test->priv;

	fake->stubborn = blocks[i]->pfn;
}

static unsigned int count_restored(struct test_block **blocks)
{
	unsigned int i, nr = 0;

	for (i = 0; i < NR_BLOCKS; i++)
		nr += is_restored(blocks[i]);
	return nr;
}

/* Allocations get all others, wherever it is in the list. */
static void others_come_back(struct kunit *test, unsigned int which)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);
	unsigned long unbacked = fpr_unbacked_in(zone);
	unsigned int i;

	be_stubborn(test, blocks, which);
	for (i = 0; i < 20 * NR_BLOCKS && fpr_unbacked_in(zone) > BLOCK_PAGES;
	     i++)
		if (!restore_one(zone, 0, 0))
			msleep(20);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_in(zone), BLOCK_PAGES);
	KUNIT_EXPECT_EQ(test, fake->restored, unbacked - BLOCK_PAGES);
	KUNIT_EXPECT_FALSE(test, is_restored(blocks[which]));
}

static void test_others_than_first(struct kunit *test)
{
	others_come_back(test, 0);
}

static void test_others_than_last(struct kunit *test)
{
	others_come_back(test, NR_BLOCKS - 1);
}

/* A single small block is not in the way of larger ones. */
static void test_other_orders_come_back(struct kunit *test)
{
	unsigned int order = MAX_PAGE_ORDER - 2;
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[2];
	struct zone *zone;
	unsigned int i;

	blocks[0] = test_block_alloc(test);
	blocks[1] = test_block_alloc(test);
	zone = page_zone(blocks[0]->page);
	fake->prdev.order = order;
	fake_register_restorer(test, fake);
	test_block_free_part(blocks[0], BIT(order), BIT(order));
	test_block_free(blocks[1]);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(blocks[0]->page + BIT(order)));
	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(blocks[1]->page));

	fake->stubborn = blocks[0]->pfn + BIT(order);
	for (i = 0; i < 40 && !is_restored(blocks[1]); i++)
		if (!restore_one(zone, 0, 0))
			msleep(20);
	KUNIT_EXPECT_TRUE(test, is_restored(blocks[1]));
	KUNIT_EXPECT_TRUE(test, fpr_is_unbacked(blocks[0]->page + BIT(order)));
}

/* A limit is met as far as can be. */
static void test_limit_but_for_one(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks, MAX_PAGE_ORDER);
	be_stubborn(test, blocks, NR_BLOCKS - 1);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			page_reporting_limit_unbacked(&fake->prdev, 0));
	KUNIT_EXPECT_EQ(test, count_restored(blocks), NR_BLOCKS - 1);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), BLOCK_PAGES);
}

/* What comes back bit by bit is not given up. */
static void test_limit_bit_by_bit(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks, MAX_PAGE_ORDER);
	fake->restore_error = -ENOMEM;
	fake->restore_step = BLOCK_PAGES / 4;
	KUNIT_EXPECT_EQ(test, 0,
			page_reporting_limit_unbacked(&fake->prdev, 0));
	KUNIT_EXPECT_EQ(test, count_restored(blocks), NR_BLOCKS);
}

/* And what cannot be had is not asked for all the time. */
static void test_excess_backs_off(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct fpr_backend *backend;
	unsigned int i, before;

	unback(test, blocks, MAX_PAGE_ORDER);
	backend = fake_core(fake);
	fake->restore_error = -ENOMEM;
	WRITE_ONCE(fpr_tunables.unbacked_max_kb, 0);
	fake_run_pass(test, fake);
	before = fake->restores;
	KUNIT_EXPECT_GE(test, before, NR_BLOCKS);
	KUNIT_EXPECT_GT(test, backend->excess_backoff, 0);
	/* Forged, so that it does not matter how long the test takes. */
	backend->excess_backoff = U32_MAX / 2;
	backend->excess_retry_at = jiffies + U32_MAX / 2;
	for (i = 0; i < 10; i++)
		fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fake->restores, before);
}

/* === What is in struct page === */

/*
 * Free a block with something left in @nr of its pages, behind the allocator's
 * back, which may not accept that.  All of them must be reported.
 */
static void free_dirty(struct test_block *block, unsigned long first,
		       unsigned long nr)
{
	struct zone *zone = page_zone(block->page);
	unsigned long i;

	test_block_free(block);
	spin_lock_irq(&zone->lock);
	for (i = first; i < first + nr; i++)
		if (!PageBuddy(block->page + i))
			set_page_private(block->page + i, i + 1);
	spin_unlock_irq(&zone->lock);
}

static unsigned long count_private(const struct test_block *block)
{
	unsigned long i, nr = 0;

	for (i = 0; i < BLOCK_PAGES; i++)
		nr += page_private(block->page + i) &&
		      !PageBuddy(block->page + i);
	return nr;
}

/*
 * Whoever gets pages that came back finds nothing in page->private, however
 * often the hypervisor refused, and the backend finds nothing either.
 */
static void test_private_is_clear(struct kunit *test)
{
	unsigned int order = MAX_PAGE_ORDER - 2;
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	struct zone *zone = page_zone(block->page);
	unsigned long i;

	fake->prdev.order = order;
	fake_register_restorer(test, fake);
	fpr_set_enabled(false);
	free_dirty(block, BIT(order), BIT(order));
	/* So that the second quarter is unbacked by itself. */
	spin_lock_irq(&zone->lock);
	for (i = 0; i < BLOCK_PAGES; i += BIT(order))
		if (i != BIT(order))
			fpr_clear_pending(fpr_zone_get_locked(zone),
					  block->pfn + i);
	spin_unlock_irq(&zone->lock);
	fpr_set_enabled(true);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(block->page + BIT(order)));
	for (i = BIT(order); i < 2 * BIT(order); i++)
		KUNIT_EXPECT_EQ(test, page_private(block->page + i), 0);

	fake->restore_error = -ENOMEM;
	fake->restore_step = 3;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			fpr_restore_range(block->pfn,
					  block->pfn + BLOCK_PAGES));
	KUNIT_EXPECT_EQ(test, page_private(block->page + BIT(order)), 3);
	fake->restore_error = 0;
	KUNIT_EXPECT_EQ(test, 0,
			fpr_restore_range(block->pfn,
					  block->pfn + BLOCK_PAGES));
	for (i = BIT(order); i < 2 * BIT(order); i++)
		KUNIT_EXPECT_TRUE(test, PageBuddy(block->page + i) ||
				  !page_private(block->page + i));
}

/* Nor after what was not reported at all, nor when the backend has gone. */
static void test_private_is_clear_after_all(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[2];
	unsigned int i;

	blocks[0] = test_block_alloc(test);
	blocks[1] = test_block_alloc(test);
	fake->prdev.order = MAX_PAGE_ORDER;
	fake_register_restorer(test, fake);
	fpr_set_enabled(false);
	free_dirty(blocks[0], 0, BLOCK_PAGES);
	free_dirty(blocks[1], 0, BLOCK_PAGES);
	fake->fail_odd = 1;
	fpr_set_enabled(true);
	fake_run_pass(test, fake);
	fpr_set_enabled(false);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, count_private(blocks[i]), 0);
	fake_unregister(test, fake);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, count_private(blocks[i]), 0);
}

/* === Backends that go === */

/* Make memory that was given up usable again. */
static void adopt(struct kunit *test, const struct test_block *block)
{
	struct fpr_range range = { .pfn = block->pfn, .nr_pages = BLOCK_PAGES };
	struct zone *zone = page_zone(block->page);

	KUNIT_ASSERT_TRUE(test, fpr_is_unbacked(block->page));
	ClearPagePrivate(block->page);
	set_page_private(block->page, 0);
	fpr_set_unbacked_order(block->page, 0);
	fpr_clear_offline(&range);
	adjust_managed_page_count(block->page, BLOCK_PAGES);
	spin_lock_irq(&zone->lock);
	fpr_putback(&range);
	spin_unlock_irq(&zone->lock);
	atomic_long_sub(BLOCK_PAGES, &fpr_lost);
}

/* Only what does not come back is lost, wherever it is in the list. */
static void test_others_are_not_lost(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks, MAX_PAGE_ORDER);
	be_stubborn(test, blocks, NR_BLOCKS - 1);
	page_reporting_unregister(&fake->prdev);
	KUNIT_EXPECT_EQ(test, fpr_lost_pages(), BLOCK_PAGES);
	adopt(test, blocks[NR_BLOCKS - 1]);
	KUNIT_EXPECT_EQ(test, count_restored(blocks), NR_BLOCKS);
}

/* What does not come back before the backend goes is no memory any more. */
static void test_lost_on_unregister(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);
	unsigned long managed = zone_managed_pages(zone);
	unsigned long unbacked = fpr_unbacked_in(zone);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, unbacked, NR_BLOCKS * BLOCK_PAGES);
	fake->restore_error = -ENOMEM;
	page_reporting_unregister(&fake->prdev);
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed - unbacked);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);
	/* Another kernel would not know, nor who gets that memory next. */
	KUNIT_EXPECT_EQ(test, fpr_lost_pages(), unbacked);
	KUNIT_EXPECT_EQ(test, -EBUSY, page_reporting_restore_all());
	for (i = 0; i < NR_BLOCKS; i++) {
		KUNIT_EXPECT_EQ(test, -EBUSY,
				fpr_restore_offlining(blocks[i]->pfn + 1,
						      blocks[i]->pfn + 2));
		adopt(test, blocks[i]);
		KUNIT_EXPECT_EQ(test, 0,
				fpr_restore_offlining(blocks[i]->pfn + 1,
						      blocks[i]->pfn + 2));
	}
	KUNIT_EXPECT_EQ(test, zone_managed_pages(zone), managed);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_restore_all());
	page_reporting_resume();
}

/* === Those who take over all memory === */

static void test_restore_all(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];

	unback(test, blocks, MAX_PAGE_ORDER);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_restore_all());
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);

	/* Nothing is unbacked until that is over. */
	fpr_set_enabled(true);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);
	page_reporting_resume();
	fake_run_pass(test, fake);
	KUNIT_EXPECT_GT(test, fpr_unbacked_pages(NULL), 0);
}

/* Nor is anything if nothing was unbacked when it began. */
static void test_restore_all_of_nothing(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	fpr_set_enabled(false);
	fake->prdev.order = MAX_PAGE_ORDER;
	fake_register_restorer(test, fake);
	KUNIT_ASSERT_EQ(test, fpr_unbacked_pages(NULL), 0);
	KUNIT_EXPECT_EQ(test, 0, page_reporting_restore_all());
	test_block_free(block);
	fpr_set_enabled(true);
	fake_run_pass(test, fake);
	KUNIT_EXPECT_FALSE(test, fpr_is_unbacked(block->page));
	page_reporting_resume();
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fpr_is_unbacked(block->page));
}

static void test_restore_all_is_refused(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);

	fake->restore_error = -ENOMEM;
	KUNIT_EXPECT_EQ(test, -EBUSY, page_reporting_restore_all());
	KUNIT_EXPECT_GE(test, fpr_unbacked_in(zone),
			NR_BLOCKS * BLOCK_PAGES);
	/* Life goes on: more may be unbacked. */
	KUNIT_EXPECT_GT(test, fpr_unbacked_room(fake_core(fake)), 0);
}

/* === All at once === */

#define NR_THREADS	4
#define ROUNDS		200

/**
 * struct customer - a thread that takes memory and gives it back
 * @zone:	from which it demands
 * @fake:	the hypervisor
 * @holes:	pages that it got although the hypervisor has them
 * @done:	it has ended
 */
struct customer {
	struct zone *zone;
	struct fake_backend *fake;
	unsigned long holes;
	struct completion done;
};

static int be_a_customer(void *data)
{
	struct customer *customer = data;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		struct page *page;

		restore_one(customer->zone, 0, 0);
		page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
				   MAX_PAGE_ORDER);
		if (!page)
			continue;
		customer->holes += fake_has(customer->fake, page_to_pfn(page));
		__free_pages(page, MAX_PAGE_ORDER);
	}
	complete(&customer->done);
	return 0;
}

static void test_many_customers(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct customer customers[NR_THREADS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);
	unsigned int i;

	fpr_set_enabled(true);
	for (i = 0; i < NR_THREADS; i++) {
		customers[i] = (struct customer){ .zone = zone, .fake = fake };
		init_completion(&customers[i].done);
		kthread_run(be_a_customer, &customers[i], "customer%u", i);
	}
	for (i = 0; i < NR_THREADS; i++) {
		wait_for_completion(&customers[i].done);
		KUNIT_EXPECT_EQ(test, customers[i].holes, 0);
	}
	fake_unregister(test, fake);
	KUNIT_EXPECT_EQ(test, fake->strays, 0);
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), 0);
	for (i = 0; i < NR_BLOCKS; i++)
		KUNIT_EXPECT_EQ(test, 0, test_pages_astray(blocks[i]->pfn,
							   BLOCK_PAGES));
}

/* What is asked of a zone is more than it has. */
static void make_short(struct zone *zone)
{
	zone->_watermark[WMARK_HIGH] = zone_managed_pages(zone);
}

/* There is no memory, but somebody frees some before that is known. */
static int restore_in_vain(struct page_reporting_dev_info *prdev,
			   struct page *page, unsigned int order)
{
	struct zone *zone = page_zone(page);

	zone->_watermark[WMARK_HIGH] = zone->_watermark[WMARK_LOW];
	return -ENOMEM;
}

/* Nobody is killed if there is memory by the time that there is an answer. */
static void test_oom_while_others_free(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[NR_BLOCKS];
	struct zone *zone = unback(test, blocks, MAX_PAGE_ORDER);
	unsigned long high = zone->_watermark[WMARK_HIGH];

	fake->restore_error = -ENOMEM;
	make_short(zone);
	KUNIT_EXPECT_EQ(test, 0, fpr_restore_for_oom(zone));
	fake->prdev.restore = restore_in_vain;
	KUNIT_EXPECT_GT(test, fpr_restore_for_oom(zone), 0);
	fake->prdev.restore = fake_restore;
	zone->_watermark[WMARK_HIGH] = high;
	KUNIT_EXPECT_EQ(test, fpr_unbacked_pages(NULL), NR_BLOCKS * BLOCK_PAGES);
}

static struct kunit_case restore_cases[] = {
	KUNIT_CASE_PARAM(test_demand, demand_gen_params),
	KUNIT_CASE(test_one_block_at_a_time),
	KUNIT_CASE(test_too_small_blocks),
	KUNIT_CASE(test_short_but_for_cma),
	KUNIT_CASE(test_no_fragments),
	KUNIT_CASE(test_lowmem_reserve),
	KUNIT_CASE(test_no_lock),
	KUNIT_CASE(test_range),
	KUNIT_CASE(test_failure_backs_off),
	KUNIT_CASE(test_allocation_fails_cleanly),
	KUNIT_CASE(test_range_that_stays),
	KUNIT_CASE(test_limit_that_is_not_met),
	KUNIT_CASE(test_others_than_first),
	KUNIT_CASE(test_others_than_last),
	KUNIT_CASE(test_other_orders_come_back),
	KUNIT_CASE(test_limit_but_for_one),
	KUNIT_CASE(test_limit_bit_by_bit),
	KUNIT_CASE(test_excess_backs_off),
	KUNIT_CASE(test_private_is_clear),
	KUNIT_CASE(test_private_is_clear_after_all),
	KUNIT_CASE(test_others_are_not_lost),
	KUNIT_CASE(test_lost_on_unregister),
	KUNIT_CASE(test_restore_all),
	KUNIT_CASE(test_restore_all_of_nothing),
	KUNIT_CASE(test_restore_all_is_refused),
	KUNIT_CASE(test_many_customers),
	KUNIT_CASE(test_oom_while_others_free),
	{}
};

static struct kunit_suite restore_suite = {
	.name = "page_reporting_restore",
	.init = fake_test_init,
	.test_cases = restore_cases,
};

kunit_test_suite(restore_suite);
