// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: memory that KUnit tests allocate and free.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/page-isolation.h>
#include <linux/pageblock-flags.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "../../internal.h"
#include "../hook.h"
#include "fake_backend.h"
#include "test_memory.h"

/* Free pages one by one, and have them merge. */
static void free_pages_singly(struct test_block *block, unsigned long first,
			      unsigned long nr_pages)
{
	unsigned long i;

	for (i = first; i < first + nr_pages; i++) {
		if (block->freed[i])
			continue;
		block->freed[i] = true;
		__free_page(block->page + i);
	}
	drain_all_pages(NULL);
}

static void free_rest(void *context)
{
	struct test_block *block = context;

	if (block->split)
		free_pages_singly(block, 0, MAX_ORDER_NR_PAGES);
	else
		test_block_free(block);
}

/*
 * Allocate a block of the largest order, which has no buddy to merge with.
 * Movable, so that the kernel seldom takes pages of it when it is free.
 */
struct test_block *test_block_alloc(struct kunit *test)
{
	struct test_block *block = kunit_kzalloc(test, sizeof(*block),
						 GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, block);
	block->page = alloc_pages(GFP_USER | __GFP_MOVABLE, MAX_PAGE_ORDER);
	KUNIT_ASSERT_NOT_NULL(test, block->page);
	/* As large as a huge page, it had a per-CPU list take one more. */
	drain_all_pages(NULL);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_rest, block));
	block->pfn = page_to_pfn(block->page);
	return block;
}

/* Skip a case that needs several blocks in a batch, if that has room for one. */
void test_need_room(struct kunit *test)
{
	unsigned long size = MAX_ORDER_NR_PAGES * PAGE_SIZE;

	if (size > SZ_128M)
		kunit_skip(test, "a block is %lu MiB, as large as a batch",
			   size / SZ_1M);
}

/* Free all of a block at once. */
void test_block_free(struct test_block *block)
{
	if (block->freed[0])
		return;
	memset(block->freed, true, sizeof(block->freed));
	__free_pages(block->page, MAX_PAGE_ORDER);
	/* And would wait there. */
	drain_all_pages(NULL);
}

/* Allocate again exactly the block that was freed, if it is still whole. */
bool test_block_take_back(struct test_block *block)
{
	struct zone *zone = page_zone(block->page);
	bool taken;

	spin_lock_irq(&zone->lock);
	taken = PageBuddy(block->page) &&
		buddy_order(block->page) == MAX_PAGE_ORDER &&
		__isolate_free_page(block->page, MAX_PAGE_ORDER);
	spin_unlock_irq(&zone->lock);
	if (!taken)
		return false;
	post_alloc_hook(block->page, MAX_PAGE_ORDER, GFP_USER, 0);
	set_page_refcounted(block->page);
	memset(block->freed, false, sizeof(block->freed));
	block->split = false;
	return true;
}

/* While the kernel boots, which is when the suites run. */
void __ref test_set_migratetype(struct page *page, int migratetype)
{
	init_pageblock_migratetype(page, migratetype, false);
}

/* Move a free block from the free list of one type to that of another. */
void test_block_change_type(struct kunit *test, struct test_block *block,
			    int migratetype)
{
	struct zone *zone = page_zone(block->page);
	unsigned long i;
	int isolated;

	spin_lock_irq(&zone->lock);
	isolated = PageBuddy(block->page) &&
		   buddy_order(block->page) == MAX_PAGE_ORDER &&
		   __isolate_free_page(block->page, MAX_PAGE_ORDER);
	for (i = 0; isolated && i < MAX_ORDER_NR_PAGES;
	     i += pageblock_nr_pages)
		test_set_migratetype(block->page + i, migratetype);
	if (isolated)
		__putback_isolated_page(block->page, MAX_PAGE_ORDER,
					migratetype);
	spin_unlock_irq(&zone->lock);
	KUNIT_ASSERT_TRUE(test, isolated);
}

/* Free some pages of a block. */
void test_block_free_part(struct test_block *block, unsigned long first,
			  unsigned long nr_pages)
{
	if (!block->split)
		split_page(block->page, MAX_PAGE_ORDER);
	block->split = true;
	free_pages_singly(block, first, nr_pages);
}

static bool is_free(unsigned long pfn)
{
	unsigned int order;

	for (order = 0; order <= MAX_PAGE_ORDER; order++) {
		struct page *head = pfn_to_page(pfn - pfn % (1UL << order));

		if (PageBuddy(head) && buddy_order(head) >= order)
			return true;
	}
	return false;
}

/* How many of these pages are neither on a free list nor in use? */
unsigned long test_pages_astray(unsigned long pfn, unsigned long nr_pages)
{
	struct zone *zone = page_zone(pfn_to_page(pfn));
	unsigned long end = pfn + nr_pages, strays = 0;

	drain_all_pages(zone);
	spin_lock_irq(&zone->lock);
	for (; pfn < end; pfn++)
		strays += !is_free(pfn) && !page_count(pfn_to_page(pfn));
	spin_unlock_irq(&zone->lock);
	return strays;
}

/* Restore as an allocation does that may use no higher zone. */
bool restore_one(struct zone *zone, unsigned int order,
		 unsigned int alloc_flags)
{
	return page_reporting_restore(zone, order, alloc_flags,
				      zone_idx(zone));
}

#ifdef CONFIG_PAGE_REPORTING_RESTORE
/* Claim what is unbacked, as a balloon driver does. */
unsigned long test_claim_pages(struct fake_backend *fake, gfp_t gfp,
			       unsigned long max_pages, struct list_head *pages)
{
	unsigned long nr = page_reporting_claim(&fake->prdev, gfp, max_pages,
						pages);
	struct page *page;

	list_for_each_entry(page, pages, lru) {
		if (fake_let_claim(fake, page_to_pfn(page)))
			adjust_managed_page_count(page, -1);
		/* The fake looks for each of thousands of pages. */
		cond_resched();
	}
	return nr;
}

/* Free what was claimed, as if the hypervisor had given it back. */
void test_return_claimed(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__ClearPageOffline(page);
		free_reserved_page(page);
	}
	drain_all_pages(NULL);
}
#endif /* CONFIG_PAGE_REPORTING_RESTORE */
