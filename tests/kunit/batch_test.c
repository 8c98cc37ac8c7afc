// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of how ranges become entries of a batch,
 * against a model that goes page by page.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/prandom.h>

#include "../internal.h"

/* Longer than the ranges of all tests, but for those that count no pages. */
#define MODEL_PAGES	8192

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

static void test_range_is_one_entry_if_merged(struct kunit *test)
{
	const struct range_case *c = test->param_value;
	struct batch_test *bt = test->priv;

	set_up_batch(test, 32, true);
	give(test, c->pfn, c->nr_pages);
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 1);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, c->nr_pages);
	take_entries(bt);
	expect_taken_as_given(test);
}

/* === Several ranges === */

static void test_adjacent_ranges_merge(struct kunit *test)
{
	struct batch_test *bt = test->priv;

	set_up_batch(test, 8, true);
	give(test, 512, 512);
	give(test, 1024, 3);
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 1);
	give(test, 1028, 4);	/* a page is missing */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 2);
	give(test, 256, 256);	/* in front of the first one */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 3);
	give(test, 512, 1);	/* adjacent to the last one only */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 3);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, 512 + 3 + 4 + 256 + 1);
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
	struct batch_test *bt = test->priv;
	struct fpr_range range = { .pfn = 100, .nr_pages = 1 };

	set_up_batch(test, 2, true);
	give(test, 8, 8);
	give(test, 32, 8);
	KUNIT_EXPECT_FALSE(test, fpr_batch_add(&bt->batch, &range));
	KUNIT_EXPECT_EQ(test, range.nr_pages, 0);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, 16);
	give(test, 40, 8);	/* lengthens the last entry */
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 2);
	take_entries(bt);
	expect_taken_as_given(test);
}

/* The bytes of an entry must fit into the length of a scatterlist entry. */
static void test_entry_length_fits(struct kunit *test)
{
	unsigned long most = UINT_MAX / PAGE_SIZE;
	struct batch_test *bt = test->priv;
	struct fpr_range range;

	set_up_batch(test, 8, true);
	range = (struct fpr_range){ .pfn = 4096, .nr_pages = most - 1024 };
	KUNIT_EXPECT_TRUE(test, fpr_batch_add(&bt->batch, &range));
	range = (struct fpr_range){ .pfn = 4096 + most - 1024,
				    .nr_pages = 1024 };
	KUNIT_EXPECT_TRUE(test, fpr_batch_add(&bt->batch, &range));
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 1);
	KUNIT_EXPECT_EQ(test, bt->batch.entries[0].nr_pages, most);

	range = (struct fpr_range){ .pfn = 4096 + most, .nr_pages = 1 };
	KUNIT_EXPECT_TRUE(test, fpr_batch_add(&bt->batch, &range));
	KUNIT_EXPECT_EQ(test, bt->batch.nr_entries, 2);
	KUNIT_EXPECT_EQ(test, bt->batch.entries[0].nr_pages, most);
	KUNIT_EXPECT_EQ(test, bt->batch.entries[1].nr_pages, 1);
	KUNIT_EXPECT_EQ(test, bt->batch.pages, most + 1);
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
				take_entries(bt);
				empty_batch(&bt->batch);
			}
			range.pfn += part.nr_pages;
			range.nr_pages -= part.nr_pages;
		}
	}
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

static int batch_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct batch_test), GFP_KERNEL);
	return test->priv ? 0 : -ENOMEM;
}

static struct kunit_case batch_cases[] = {
	KUNIT_CASE_PARAM(test_entries_are_aligned, range_gen_params),
	KUNIT_CASE_PARAM(test_range_is_one_entry_if_merged, range_gen_params),
	KUNIT_CASE(test_adjacent_ranges_merge),
	KUNIT_CASE(test_adjacent_ranges_stay_apart),
	KUNIT_CASE(test_capacity),
	KUNIT_CASE(test_full_batch_takes_nothing),
	KUNIT_CASE(test_entry_length_fits),
	KUNIT_CASE(test_random_ranges),
	KUNIT_CASE(test_random_ranges_merged),
	{}
};

static struct kunit_suite batch_suite = {
	.name = "page_reporting_batch",
	.init = batch_test_init,
	.test_cases = batch_cases,
};

kunit_test_suite(batch_suite);
