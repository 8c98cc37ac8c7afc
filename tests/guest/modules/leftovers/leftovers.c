// SPDX-License-Identifier: GPL-2.0
/*
 * Looks for a word in free memory, or leaves it there.
 *
 * Shows whether free memory that changes hands between domains carries
 * anything over.  User space cannot tell, as it only sees cleared pages.
 */
#define pr_fmt(fmt) "leftovers: " fmt

#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/string.h>

#define BLOCK_ORDER	9
#define BLOCK_WORDS	((PAGE_SIZE << BLOCK_ORDER) / sizeof(unsigned long))
#define BLOCK_MIB	((PAGE_SIZE << BLOCK_ORDER) / SZ_1M)

static unsigned long word = 0x5ec4e75ec4e75ec4;
module_param(word, ulong, 0444);
MODULE_PARM_DESC(word, "what to look for or to leave");

static unsigned int mib = 64;
module_param(mib, uint, 0444);
MODULE_PARM_DESC(mib, "most memory to use, in MiB; what was used while loaded");

static bool leave;
module_param(leave, bool, 0444);
MODULE_PARM_DESC(leave, "leave the word instead of looking for it");

static unsigned long found;
module_param(found, ulong, 0444);
MODULE_PARM_DESC(found, "number of words found");

/* Returns the memory that was free in whole blocks, at most @most MiB. */
static unsigned int allocate(struct list_head *blocks, unsigned int most)
{
	unsigned int got;
	struct page *page;

	for (got = 0; got < most; got += BLOCK_MIB) {
		page = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN,
				   BLOCK_ORDER);
		if (!page)
			break;
		list_add(&page->lru, blocks);
		cond_resched();
	}
	return got;
}

static unsigned long count(const unsigned long *words)
{
	unsigned long nr = 0, i;

	for (i = 0; i < BLOCK_WORDS; i++)
		nr += words[i] == word;
	return nr;
}

static int __init leftovers_init(void)
{
	struct page *page, *next;
	LIST_HEAD(blocks);

	mib = allocate(&blocks, mib);
	list_for_each_entry_safe(page, next, &blocks, lru) {
		if (leave)
			memset64(page_address(page), word, BLOCK_WORDS);
		else
			found += count(page_address(page));
		list_del(&page->lru);
		__free_pages(page, BLOCK_ORDER);
		cond_resched();
	}
	return 0;
}

static void __exit leftovers_exit(void)
{
}

module_init(leftovers_init);
module_exit(leftovers_exit);

MODULE_DESCRIPTION("Words in free memory");
MODULE_LICENSE("GPL");
