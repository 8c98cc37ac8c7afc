/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: memory that KUnit tests allocate and free.
 */
#ifndef _MM_PAGE_REPORTING_TEST_MEMORY_H
#define _MM_PAGE_REPORTING_TEST_MEMORY_H

#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sizes.h>

/* Regions of a host may begin and end at multiples of this. */
#ifdef CONFIG_SPARSEMEM
#define TEST_BORDER_PAGES	(1UL << (SECTION_SIZE_BITS - PAGE_SHIFT))
#else
#define TEST_BORDER_PAGES	(SZ_128M / PAGE_SIZE)
#endif

struct fake_backend;

/**
 * struct test_block - a block of the largest order
 * @page:	its first page
 * @pfn:	and page frame
 * @split:	it is freed page by page
 * @freed:	the pages that are no longer the test's
 */
struct test_block {
	struct page *page;
	unsigned long pfn;
	bool split;
	bool freed[MAX_ORDER_NR_PAGES];
};

struct test_block *test_block_alloc(struct kunit *test);
void test_need_room(struct kunit *test);
void test_block_free(struct test_block *block);
bool test_block_take_back(struct test_block *block);
void test_set_migratetype(struct page *page, int migratetype);
void test_block_change_type(struct kunit *test, struct test_block *block,
			    int migratetype);
void test_block_free_part(struct test_block *block, unsigned long first,
			  unsigned long nr_pages);
bool restore_one(struct zone *zone, unsigned int order,
		 unsigned int alloc_flags);
unsigned long test_pages_astray(unsigned long pfn, unsigned long nr_pages);
unsigned long test_claim_pages(struct fake_backend *fake, gfp_t gfp,
			       unsigned long max_pages,
			       struct list_head *pages);
void test_return_claimed(struct list_head *pages);

#endif /* _MM_PAGE_REPORTING_TEST_MEMORY_H */
