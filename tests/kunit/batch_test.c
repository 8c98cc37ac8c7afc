// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of how ranges become entries of a batch,
 * against a model that goes page by page.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/pageblock-flags.h>
#include <linux/prandom.h>
#include <linux/sizes.h>

#include "internals.h"
#include "test_memory.h"

/* Longer than the ranges of all tests, but for those that count no pages. */
#define MODEL_PAGES	16384

/* The pages that were given and taken, one by one, in order. */
struct page_list {
	unsigned long pfns[MODEL_PAGES];
	unsigned int nr;
};

struct batch_test {
	struct fpr_batch batch;
	struct page_list given;
	struct page_list taken;
};

static void destroy_batch(void *batch)
{
	fpr_batch_destroy(batch);
}

static void set_up_batch(struct kunit *test, unsigned int capacity, bool merge)
{
	struct batch_test *bt = test->priv;
	int err = fpr_batch_init(&bt->batch, capacity, merge);

	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, destroy_batch,
							   &bt->batch));
	KUNIT_ASSERT_EQ(test, 0, err);
}

static void empty_batch(struct fpr_batch *batch)
{
	batch->nr_entries = 0;
	batch->pages = 0;
}

static void append(struct page_list *list, unsigned long pfn,
		   unsigned long nr_pages)
{
	while (nr_pages-- && list->nr < MODEL_PAGES)
		list->pfns[list->nr++] = pfn++;
}

static void take_entries(struct batch_test *bt)
{
	unsigned int i;

	for (i = 0; i < bt->batch.nr_entries; i++)
		append(&bt->taken, bt->batch.entries[i].pfn,
		       bt->batch.entries[i].nr_pages);
}

static void expect_taken_as_given(struct kunit *test)
{
	struct batch_test *bt = test->priv;
	unsigned int i;

	KUNIT_ASSERT_LT(test, bt->given.nr, MODEL_PAGES);
	KUNIT_ASSERT_EQ(test, bt->taken.nr, bt->given.nr);
	for (i = 0; i < bt->given.nr; i++)
		KUNIT_ASSERT_EQ_MSG(test, bt->taken.pfns[i],
				    bt->given.pfns[i], "page %u", i);
}

/* Add a range that has room, and note it. */
static void give(struct kunit *test, unsigned long pfn, unsigned long nr_pages)
{
	struct fpr_range range = { .pfn = pfn, .nr_pages = nr_pages };
	struct batch_test *bt = test->priv;

	append(&bt->given, pfn, nr_pages);
	KUNIT_EXPECT_TRUE(test, fpr_batch_add(&bt->batch, &range));
	KUNIT_EXPECT_EQ(test, range.pfn, pfn);
	KUNIT_EXPECT_EQ(test, range.nr_pages, nr_pages);
}

/* === One range, without merging === */

struct range_case {
	const char *name;
	unsigned long pfn;
	unsigned long nr_pages;
	unsigned int nr_entries;
};

static const struct range_case range_cases[] = {
	{ "page 0",			0, 1, 1 },
	{ "an aligned block",		512, 512, 1 },
	{ "two blocks, aligned",	1024, 1024, 1 },
	{ "two blocks, odd",		512, 1024, 2 },
	{ "three blocks from 0",	0, 1536, 2 },
	{ "three blocks, odd",		512, 1536, 2 },
	{ "seven pages from 1",		1, 7, 3 },
	{ "1022 pages from 1",		1, 1022, 18 },
	{ "2^k - 1 pages from 0",	0, 1023, 10 },
};

KUNIT_ARRAY_PARAM_DESC(range, range_cases, name);

static void test_entries_are_aligned(struct kunit *test)
{
	const struct range_case *c = test->param_value;
	struct batch_test *bt = test->priv;
	unsigned int i;

	set_up_batch(test, 32, false);
	give(test, c->pfn, c->nr_pages);
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, c->nr_entries);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, c->nr_pages);
	for (i = 0; i < bt->batch.nr_entries; i++) {
		const struct fpr_range *entry = &bt->batch.entries[i];
		unsigned long power = 1;

		while (power < entry->nr_pages)
			power *= 2;
		KUNIT_EXPECT_EQ(test, entry->nr_pages, power);
		KUNIT_EXPECT_EQ(test, entry->pfn % power, 0);
	}
	take_entries(bt);
	expect_taken_as_given(test);
}

/* === Merging: only whole pageblocks, and not over a border === */

static bool is_aligned_power(const struct fpr_range *entry)
{
	unsigned long power = 1;

	while (power < entry->nr_pages)
		power *= 2;
	return power == entry->nr_pages && entry->pfn % power == 0;
}

static bool is_whole_pageblocks(const struct fpr_range *entry)
{
	return entry->pfn % pageblock_nr_pages == 0 &&
	       entry->nr_pages % pageblock_nr_pages == 0;
}

/* May a host with large pages, or several regions, discard all of each? */
static void expect_well_formed(struct kunit *test, bool merge)
{
	struct batch_test *bt = test->priv;
	unsigned int i;

	for (i = 0; i < bt->batch.nr_entries; i++) {
		const struct fpr_range *entry = &bt->batch.entries[i];
		unsigned long last = entry->pfn + entry->nr_pages - 1;

		KUNIT_EXPECT_TRUE_MSG(test, is_aligned_power(entry) ||
				      (merge && is_whole_pageblocks(entry)),
				      "%lu pages at %lu", entry->nr_pages,
				      entry->pfn);
		KUNIT_EXPECT_EQ(test, entry->pfn / TEST_BORDER_PAGES,
				last / TEST_BORDER_PAGES);
	}
}

/* With 64 KiB pages on arm64, each pageblock begins at a border. */
static void need_neighbours(struct kunit *test)
{
	if (pageblock_nr_pages == TEST_BORDER_PAGES)
		kunit_skip(test, "no pageblocks have a border in common");
}

struct merge_case {
	const char *name;
	unsigned long blocks;	/* from where on, in pageblocks */
	long start;		/* and pages more */
	unsigned long pages;	/* besides whole pageblocks */
	unsigned long whole;	/* pageblocks */
	unsigned int nr_entries;
};

static const struct merge_case merge_cases[] = {
	{ "a pageblock",		3, 0, 0, 1, 1 },
	{ "three pageblocks",		3, 0, 0, 3, 1 },
	{ "half a pageblock less",	3, 0, 1, 0, 1 },
	{ "and one page",		3, 0, 1, 2, 2 },
	{ "and three pages",		3, 0, 3, 2, 3 },
	{ "from a page before",		3, -1, 1, 2, 2 },
	{ "from three pages before",	3, -3, 3, 2, 3 },
	{ "on both sides",		3, -1, 2, 2, 3 },
};

KUNIT_ARRAY_PARAM_DESC(merge, merge_cases, name);

static void test_whole_pageblocks_merge(struct kunit *test)
{
	const struct merge_case *c = test->param_value;
	struct batch_test *bt = test->priv;

	need_neighbours(test);
	set_up_batch(test, 32, true);
	give(test, c->blocks * pageblock_nr_pages + c->start,
	     c->whole * pageblock_nr_pages + c->pages);
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, c->nr_entries);
	expect_well_formed(test, true);
	take_entries(bt);
	expect_taken_as_given(test);
}

/* The first entry ends at the border, whatever is given behind it. */
static void test_border(struct kunit *test)
{
	unsigned long block = pageblock_nr_pages;
	struct batch_test *bt = test->priv;

	need_neighbours(test);
	set_up_batch(test, 32, true);
	give(test, TEST_BORDER_PAGES - block, 2 * block);
	give(test, TEST_BORDER_PAGES + block, block);
	KUNIT_ASSERT_EQ(test, bt->batch.nr_entries, 2);
	KUNIT_EXPECT_EQ(test, bt->batch.entries[0].nr_pages, block);
	KUNIT_EXPECT_EQ(test, bt->batch.entries[1].pfn, TEST_BORDER_PAGES);
	KUNIT_EXPECT_EQ(test, bt->batch.entries[1].nr_pages, 2 * block);
	expect_well_formed(test, true);
}

/* Several sections in a row are an entry each. */
static void test_longer_than_a_section(struct kunit *test)
{
	struct fpr_range range = { .pfn = 0, .nr_pages = 3 * TEST_BORDER_PAGES };
	struct batch_test *bt = test->priv;

	set_up_batch(test, 32, true);
	KUNIT_EXPECT_TRUE(test, fpr_batch_add(&bt->batch, &range));
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 3);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, 3 * TEST_BORDER_PAGES);
	expect_well_formed(test, true);
}

/* === Several ranges === */

static void test_adjacent_ranges_merge(struct kunit *test)
{
	unsigned long block = pageblock_nr_pages;
	struct batch_test *bt = test->priv;

	need_neighbours(test);
	set_up_batch(test, 8, true);
	give(test, block, block);
	give(test, 2 * block, block);
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 1);
	give(test, 3 * block, 2);	/* less than a pageblock */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 2);
	give(test, 3 * block + 2, 2);	/* two such pieces */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 3);
	give(test, 5 * block, block);	/* something is missing */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 4);
	give(test, 0, block);		/* in front of the first one */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 5);
	give(test, block, block);	/* adjacent to the last one only */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 5);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, 5 * block + 4);
	expect_well_formed(test, true);
	take_entries(bt);
	expect_taken_as_given(test);
}

static void test_adjacent_ranges_stay_apart(struct kunit *test)
{
	struct batch_test *bt = test->priv;

	set_up_batch(test, 8, false);
	give(test, 512, 512);
	give(test, 1024, 512);
	give(test, 1536, 512);
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 3);
	take_entries(bt);
	expect_taken_as_given(test);
}

/* === Limits === */

static void test_capacity(struct kunit *test)
{
	struct fpr_range range = { .pfn = 1, .nr_pages = 1022 };
	struct batch_test *bt = test->priv;
	unsigned int batches = 0;

	set_up_batch(test, 5, false);
	append(&bt->given, range.pfn, range.nr_pages);
	/* 18 entries, see range_cases */
	while (batches < 4) {
		struct fpr_range part = range;
		bool all = fpr_batch_add(&bt->batch, &part);

		batches++;
		KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, all ? 3 : 5);
		KUNIT_EXPECT_EQ(test, bt->batch.pages, part.nr_pages);
		KUNIT_EXPECT_EQ(test, part.pfn, range.pfn);
		take_entries(bt);
		empty_batch(&bt->batch);
		range.pfn += part.nr_pages;
		range.nr_pages -= part.nr_pages;
		KUNIT_EXPECT_EQ(test, all, !range.nr_pages);
		if (all)
			break;
	}
	KUNIT_EXPECT_EQ(test, batches, 4);
	expect_taken_as_given(test);
}

static void test_full_batch_takes_nothing(struct kunit *test)
{
	unsigned long block = pageblock_nr_pages;
	struct batch_test *bt = test->priv;
	struct fpr_range range = { .pfn = 100, .nr_pages = 1 };

	need_neighbours(test);
	set_up_batch(test, 2, true);
	give(test, 8, 8);
	give(test, block, block);
	KUNIT_EXPECT_FALSE(test, fpr_batch_add(&bt->batch, &range));
	KUNIT_EXPECT_EQ(test, range.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, 8 + block);
	give(test, 2 * block, block);	/* lengthens the last entry */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 2);
	take_entries(bt);
	expect_taken_as_given(test);
}

/* After -EAGAIN a batch may have fewer entries than there is room for. */
static void test_limit(struct kunit *test)
{
	struct batch_test *bt = test->priv;
	struct fpr_range range = { .pfn = 100, .nr_pages = 1 };

	set_up_batch(test, 8, true);
	bt->batch.limit = 1;
	give(test, 8, 8);
	KUNIT_EXPECT_FALSE(test, fpr_batch_add(&bt->batch, &range));
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 1);
}

/* A batch does not keep more than this off the free lists. */
static void test_batch_is_bounded(struct kunit *test)
{
	unsigned long most = SZ_256M / PAGE_SIZE;
	struct batch_test *bt = test->priv;
	struct fpr_batch *batch = &bt->batch;

	set_up_batch(test, 8, true);
	fpr_batch_reset(batch, ULONG_MAX);
	batch->spare = ULONG_MAX;
	KUNIT_EXPECT_FALSE(test, fpr_batch_full(batch, 2 * most));
	batch->isolated_pages = most - 8;
	KUNIT_EXPECT_FALSE(test, fpr_batch_full(batch, 8));
	KUNIT_EXPECT_TRUE(test, fpr_batch_full(batch, 16));
}

static void test_overlaps(struct kunit *test)
{
	struct batch_test *bt = test->priv;
	struct fpr_batch *batch = &bt->batch;

	set_up_batch(test, 8, false);
	KUNIT_EXPECT_FALSE(test, fpr_batch_overlaps(batch, 0, ULONG_MAX));
	batch->isolated[0] = (struct fpr_range){ 64, 64 };
	batch->isolated[1] = (struct fpr_range){ 512, 512 };
	batch->nr_isolated = 2;
	KUNIT_EXPECT_FALSE(test, fpr_batch_overlaps(batch, 0, 64));
	KUNIT_EXPECT_TRUE(test, fpr_batch_overlaps(batch, 0, 65));
	KUNIT_EXPECT_TRUE(test, fpr_batch_overlaps(batch, 127, 128));
	KUNIT_EXPECT_FALSE(test, fpr_batch_overlaps(batch, 128, 512));
	KUNIT_EXPECT_TRUE(test, fpr_batch_overlaps(batch, 600, 601));
	KUNIT_EXPECT_FALSE(test, fpr_batch_overlaps(batch, 1024, 4096));
}

/* === At random === */

static void add_random_ranges(struct kunit *test, bool merge)
{
	struct batch_test *bt = test->priv;
	struct rnd_state rnd;
	unsigned long pfn = 0;
	unsigned int i;

	prandom_seed_state(&rnd, 6121);
	set_up_batch(test, 7, merge);
	for (i = 0; i < 100; i++) {
		struct fpr_range range = {
			.pfn = pfn + prandom_u32_state(&rnd) % 2,
			.nr_pages = 1 + prandom_u32_state(&rnd) % 60,
		};

		pfn = range.pfn + range.nr_pages;
		append(&bt->given, range.pfn, range.nr_pages);
		while (range.nr_pages) {
			struct fpr_range part = range;

			if (!fpr_batch_add(&bt->batch, &part)) {
				KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 7);
				expect_well_formed(test, merge);
				take_entries(bt);
				empty_batch(&bt->batch);
			}
			range.pfn += part.nr_pages;
			range.nr_pages -= part.nr_pages;
		}
	}
	expect_well_formed(test, merge);
	take_entries(bt);
	expect_taken_as_given(test);
}

static void test_random_ranges(struct kunit *test)
{
	add_random_ranges(test, false);
}

static void test_random_ranges_merged(struct kunit *test)
{
	add_random_ranges(test, true);
}

/* Is there a pair of entries that should be one? */
static bool could_be_merged(const struct fpr_batch *batch)
{
	unsigned int i;

	for (i = 1; i < batch->nr_entries; i++) {
		const struct fpr_range *a = &batch->entries[i - 1];
		const struct fpr_range *b = &batch->entries[i];

		if (a->pfn + a->nr_pages == b->pfn && is_whole_pageblocks(a) &&
		    is_whole_pageblocks(b) && b->pfn % TEST_BORDER_PAGES)
			return true;
	}
	return false;
}

static void test_random_pageblocks(struct kunit *test)
{
	unsigned long half = pageblock_nr_pages / 2;
	struct batch_test *bt = test->priv;
	struct fpr_range range = { 0, 0 };
	unsigned long pages = 0;
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, 7);
	set_up_batch(test, 1024, true);
	for (i = 0; i < 200; i++) {
		range.pfn += range.nr_pages;
		range.pfn += prandom_u32_state(&rnd) % 3 ? 0 : half;
		range.nr_pages = half * (1 + prandom_u32_state(&rnd) % 9);
		pages += range.nr_pages;
		KUNIT_ASSERT_TRUE(test, fpr_batch_add(&bt->batch, &range));
	}
	KUNIT_EXPECT_EQ(test, bt->batch.pages, pages);
	expect_well_formed(test, true);
	KUNIT_EXPECT_FALSE(test, could_be_merged(&bt->batch));
}

static int batch_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct batch_test), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static struct kunit_case batch_cases[] = {
	KUNIT_CASE_PARAM(test_entries_are_aligned, range_gen_params),
	KUNIT_CASE_PARAM(test_whole_pageblocks_merge, merge_gen_params),
	KUNIT_CASE(test_border),
	KUNIT_CASE(test_longer_than_a_section),
	KUNIT_CASE(test_adjacent_ranges_merge),
	KUNIT_CASE(test_adjacent_ranges_stay_apart),
	KUNIT_CASE(test_capacity),
	KUNIT_CASE(test_full_batch_takes_nothing),
	KUNIT_CASE(test_limit),
	KUNIT_CASE(test_batch_is_bounded),
	KUNIT_CASE(test_overlaps),
	KUNIT_CASE(test_random_ranges),
	KUNIT_CASE(test_random_ranges_merged),
	KUNIT_CASE(test_random_pageblocks),
	{}
};

static struct kunit_suite batch_suite = {
	.name = "page_reporting_batch",
	.init = batch_test_init,
	.test_cases = batch_cases,
};

kunit_test_suite(batch_suite);
