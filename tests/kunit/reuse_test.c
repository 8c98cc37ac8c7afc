// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of how memory is used again, as tables with
 * the borders and against a model.
 */
#include <kunit/test.h>
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/prandom.h>
#include <linux/string.h>

#include "internals.h"

/* === How much of it is retained === */

static void test_expired(struct kunit *test)
{
	struct fpr_scan scan = { .now = 50, .age = 10, .ceiling = 100 };

	KUNIT_EXPECT_TRUE(test, fpr_expired(&scan, U32_MAX - 49));
	KUNIT_EXPECT_FALSE(test, fpr_expired(&scan, U32_MAX - 48));
	scan.ceiling = 0;
	KUNIT_EXPECT_TRUE(test, fpr_expired(&scan, 50));
}

struct choice_case {
	const char *name;
	unsigned long blocks[3];	/* histogram, in buckets of 10 jiffies */
	unsigned long retained;
	u32 floor;
	u32 ceiling;
	u32 age;
	u32 slack;
	unsigned long quota;
};

static const struct choice_case choice_cases[] = {
	{ "nothing retained", { 5, 5, 5 }, 0, 7, 600, 7, 0, 0 },
	{ "in the first bucket", { 5, 5, 5 }, 3, 0, 600, 0, 10, 2 },
	{ "all of the first bucket", { 5, 5, 5 }, 5, 0, 600, 0, 10, 0 },
	{ "in the second bucket", { 5, 5, 5 }, 6, 0, 600, 10, 10, 4 },
	{ "floor in that bucket", { 5, 5, 5 }, 6, 12, 600, 12, 8, 4 },
	{ "floor behind", { 5, 5, 5 }, 6, 50, 600, 50, 0, 4 },
	{ "ceiling in that bucket", { 5, 5, 5 }, 15, 0, 25, 20, 5, 0 },
	{ "more than there is", { 5, 5, 5 }, 16, 0, 600, 600, 0, 0 },
	{ "floor above the ceiling", { 5, 5, 5 }, 16, 9, 5, 9, 0, 0 },
	{ "nothing pending", { 0, 0, 0 }, 4, 2, 600, 600, 0, 0 },
};

KUNIT_ARRAY_PARAM_DESC(choice, choice_cases, name);

static void test_choose_age(struct kunit *test)
{
	const struct choice_case *c = test->param_value;
	struct fpr_age_histogram *histogram;
	struct fpr_scan scan = {};

	histogram = kunit_kzalloc(test, sizeof(*histogram), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, histogram);
	histogram->width = 10;
	memcpy(histogram->blocks, c->blocks, sizeof(c->blocks));
	fpr_choose_age(&scan, histogram, c->retained, c->floor, c->ceiling);
	KUNIT_EXPECT_EQ(test, scan.age, c->age);
	KUNIT_EXPECT_EQ(test, scan.slack, c->slack);
	KUNIT_EXPECT_EQ(test, scan.ceiling, max(c->floor, c->ceiling));
	if (scan.slack)
		KUNIT_EXPECT_EQ(test, scan.quota, c->quota);
}

/* === What was reported lately === */

struct window_case {
	const char *name;
	u32 later[2];		/* times after the first of two reports */
	unsigned long wanted;
	unsigned long refaulted;
	unsigned long left;	/* refaulted if everything is wanted */
};

/* 100 pages are reported at first, 30 then; a window is 50 jiffies. */
static const struct window_case window_cases[] = {
	{ "at once", { 0, 0 }, 120, 120, 10 },
	{ "more than was reported", { 0, 0 }, 200, 130, 0 },
	{ "nothing", { 0, 0 }, 0, 0, 130 },
	{ "end of the window", { 10, 49 }, 120, 120, 10 },
	{ "next window", { 10, 50 }, 120, 120, 10 },
	{ "two windows", { 60, 70 }, 120, 120, 10 },
	{ "first forgotten", { 60, 110 }, 120, 30, 0 },
	{ "all forgotten", { 10, 100 }, 120, 0, 0 },
	{ "long after", { 10, 100000 }, 120, 0, 0 },
	{ "first forgotten before", { 100, 101 }, 120, 30, 0 },
};

KUNIT_ARRAY_PARAM_DESC(window, window_cases, name);

static void test_window(struct kunit *test)
{
	const struct window_case *c = test->param_value;
	/* The clock wraps in between. */
	u32 first = U32_MAX - 20, last = first + c->later[1];
	struct fpr_window window = { .since = first };

	fpr_window_add(&window, 100, first, 50);
	fpr_window_add(&window, 30, first + c->later[0], 50);
	KUNIT_EXPECT_EQ(test, c->refaulted,
			fpr_window_consume(&window, c->wanted, last, 50));
	KUNIT_EXPECT_EQ(test, c->left,
			fpr_window_consume(&window, ULONG_MAX, last, 50));
	KUNIT_EXPECT_EQ(test, 0,
			fpr_window_consume(&window, ULONG_MAX, last, 50));
}

/* === What was freed and taken again === */

#define PEAK_STEPS	10

struct peak_case {
	const char *name;
	struct {
		u32 at;
		unsigned long free;
	} steps[PEAK_STEPS];	/* ends with the first at time 0 */
	unsigned long reused;
};

/* At first 100 pages are free; a window is 50 jiffies. */
static const struct peak_case peak_cases[] = {
	{ "first use", { { 1, 30 }, { 2, 10 } }, 0 },
	{ "first use, freed", { { 1, 30 }, { 2, 90 } }, 0 },
	{ "taken again", { { 1, 30 }, { 2, 90 }, { 3, 30 } }, 60 },
	{ "in steps", { { 1, 30 }, { 2, 50 }, { 3, 90 }, { 4, 60 },
			{ 5, 30 } }, 60 },
	{ "partly taken again", { { 1, 30 }, { 2, 90 }, { 3, 70 } }, 20 },
	{ "more taken than freed", { { 1, 30 }, { 2, 90 }, { 3, 1 } }, 60 },
	{ "then freed", { { 1, 30 }, { 2, 90 }, { 3, 30 }, { 4, 90 } }, 60 },
	{ "again and again", { { 1, 30 }, { 2, 90 }, { 3, 30 }, { 4, 90 },
			       { 5, 30 }, { 6, 90 }, { 7, 30 } }, 60 },
	{ "beside a large free", { { 1, 30 }, { 2, 90 }, { 3, 30 }, { 4, 90 },
				   { 5, 900 }, { 6, 840 }, { 7, 900 },
				   { 8, 840 } }, 60 },
	{ "beside a large use", { { 1, 30 }, { 2, 90 }, { 3, 5 }, { 4, 65 },
				  { 5, 5 }, { 6, 65 } }, 60 },
	{ "smaller after larger", { { 1, 30 }, { 2, 90 }, { 3, 30 }, { 4, 90 },
				    { 5, 80 }, { 6, 90 } }, 60 },
	{ "no longer than that", { { 1, 30 }, { 2, 90 }, { 3, 30 }, { 4, 90 },
				   { 50, 80 }, { 99, 90 }, { 100, 90 },
				   { 149, 90 } }, 10 },
	{ "nor is that", { { 1, 30 }, { 2, 90 }, { 3, 30 }, { 4, 90 },
			   { 50, 80 }, { 99, 90 }, { 100, 90 }, { 149, 90 },
			   { 150, 90 } }, 0 },
	{ "at the end of it", { { 1, 30 }, { 2, 90 }, { 49, 30 }, { 50, 90 },
				{ 99, 90 } }, 60 },
	{ "across windows", { { 1, 30 }, { 49, 90 }, { 50, 30 } }, 60 },
	{ "freed long ago", { { 1, 30 }, { 2, 90 }, { 60, 90 }, { 120, 90 },
			      { 170, 30 } }, 0 },
	{ "silence in between", { { 1, 30 }, { 2, 90 }, { 102, 30 } }, 0 },
};

KUNIT_ARRAY_PARAM_DESC(peak, peak_cases, name);

static void test_peak(struct kunit *test)
{
	const struct peak_case *c = test->param_value;
	/* The clock wraps in between. */
	const u32 start = U32_MAX - 20;
	struct fpr_reuse_peak peak = {};
	unsigned long reused = 0;
	unsigned int i;

	fpr_reuse_peak_init(&peak, 100, start);
	for (i = 0; i < PEAK_STEPS && c->steps[i].at; i++)
		reused = fpr_reuse_peak_note(&peak, c->steps[i].free,
					     c->steps[i].free,
					     start + c->steps[i].at, 50);
	KUNIT_EXPECT_EQ(test, reused, c->reused);
}

#define WALK_STEPS	600
#define WALK_WINDOW	40

/*
 * The most that was freed and taken again from @first to @last: for each time,
 * what was less before and what was less after, of which the smaller counts.
 */
static unsigned long model_reused(const unsigned long *free, int first,
				  int last)
{
	unsigned long before = ULONG_MAX, most = 0;
	int i, j;

	for (i = max(first, 0); i <= last; i++) {
		unsigned long after = free[i];

		before = min(before, free[i]);
		for (j = i; j <= last; j++)
			after = min(after, free[j]);
		most = max(most, free[i] - max(before, after));
	}
	return most;
}

/*
 * What was freed and taken within a window is always seen, and nothing that is
 * further away than the windows that are remembered of each of the three.
 */
static void test_peak_random(struct kunit *test)
{
	unsigned long *free = kunit_kcalloc(test, WALK_STEPS, sizeof(*free),
					    GFP_KERNEL);
	struct fpr_reuse_peak peak = {};
	struct rnd_state rnd;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, free);
	prandom_seed_state(&rnd, 612);
	free[0] = 5000;
	fpr_reuse_peak_init(&peak, free[0], 0);
	for (i = 1; i < WALK_STEPS; i++) {
		unsigned long reused;

		free[i] = prandom_u32_state(&rnd) % 16 ?
			  free[i - 1] + prandom_u32_state(&rnd) % 21 - 10 :
			  prandom_u32_state(&rnd) % 10000;
		free[i] = min(free[i], 10000UL);
		reused = fpr_reuse_peak_note(&peak, free[i], free[i], i,
					     WALK_WINDOW);
		KUNIT_ASSERT_GE_MSG(test, reused,
				    model_reused(free, i - WALK_WINDOW + 1, i),
				    "after %d steps", i);
		KUNIT_ASSERT_LE_MSG(test, reused,
				    model_reused(free, i - 6 * WALK_WINDOW, i),
				    "after %d steps", i);
	}
}

/* A free is noted at once as if what was free before had been noted, too. */
static void test_peak_of_free(struct kunit *test)
{
	struct fpr_reuse_peak once, twice;
	struct rnd_state rnd;
	int i;

	prandom_seed_state(&rnd, 73);
	fpr_reuse_peak_init(&once, 5000, 0);
	twice = once;
	for (i = 1; i < WALK_STEPS; i++) {
		unsigned long before = prandom_u32_state(&rnd) % 10000;
		unsigned long free = before + prandom_u32_state(&rnd) % 1000;
		u32 now = i * 7;

		fpr_reuse_peak_note(&twice, before, before, now, WALK_WINDOW);
		KUNIT_ASSERT_EQ_MSG(test,
				    fpr_reuse_peak_note(&once, before, free,
							now, WALK_WINDOW),
				    fpr_reuse_peak_note(&twice, free, free,
							now, WALK_WINDOW),
				    "after %d steps", i);
	}
}

static struct kunit_case reuse_cases[] = {
	KUNIT_CASE(test_expired),
	KUNIT_CASE_PARAM(test_choose_age, choice_gen_params),
	KUNIT_CASE_PARAM(test_window, window_gen_params),
	KUNIT_CASE_PARAM(test_peak, peak_gen_params),
	KUNIT_CASE(test_peak_random),
	KUNIT_CASE(test_peak_of_free),
	{}
};

static struct kunit_suite reuse_suite = {
	.name = "page_reporting_reuse",
	.test_cases = reuse_cases,
};

kunit_test_suite(reuse_suite);
