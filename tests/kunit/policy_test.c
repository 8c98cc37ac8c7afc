// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of the policy, as tables with the borders.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/prandom.h>

#include "internals.h"

/* === Age === */

struct due_case {
	const char *name;
	u32 now;
	u32 age;
	u32 stamp;
	bool due;
	u32 until;	/* of those that are not due */
};

static const struct due_case due_cases[] = {
	{ "just old enough",	1000, 100, 900, true, 0 },
	{ "older",		1000, 100, 1, true, 0 },
	{ "a jiffy short",	1000, 100, 901, false, 1 },
	{ "new",		1000, 100, 1000, false, 100 },
	{ "from the future",	1000, 100, 1007, false, 107 },
	{ "no age, new",	1000, 0, 1000, true, 0 },
	{ "no age, future",	1000, 0, 1001, false, 1 },
	{ "wrapped, due",	50, 100, U32_MAX - 49, true, 0 },
	{ "wrapped, short",	50, 101, U32_MAX - 49, false, 1 },
	{ "wrapped future",	U32_MAX - 1, 10, 3, false, 15 },
	{ "stamp 0",		5, 5, 0, true, 0 },
	{ "half a lap ago",	0x80000001, 1, 0, true, 0 },
	{ "ahead by an hour",	100, 1, 100 + 3600 * HZ, false,
	  1 + 3600 * HZ },
	{ "nearly a lap ago",	100, 1, 101 + 3600 * HZ, true, 0 },
};

KUNIT_ARRAY_PARAM_DESC(due, due_cases, name);

static void test_due(struct kunit *test)
{
	const struct due_case *c = test->param_value;
	struct fpr_scan scan = { .now = c->now, .age = c->age };

	KUNIT_EXPECT_EQ(test, fpr_due(&scan, c->stamp), c->due);
	if (!c->due)
		KUNIT_EXPECT_EQ(test, fpr_until_due(&scan, c->stamp), c->until);
}

/* A block is due after as many jiffies as were foretold, and not before. */
static void test_due_when_foretold(struct kunit *test)
{
	const struct due_case *c = test->param_value;
	struct fpr_scan scan = { .now = c->now, .age = c->age };

	if (c->due)
		return;
	scan.now = c->now + c->until - 1;
	KUNIT_EXPECT_FALSE(test, fpr_due(&scan, c->stamp));
	scan.now++;
	KUNIT_EXPECT_TRUE(test, fpr_due(&scan, c->stamp));
	scan.now += 1000;
	KUNIT_EXPECT_TRUE(test, fpr_due(&scan, c->stamp));
}

static void test_expired(struct kunit *test)
{
	struct fpr_scan scan = { .now = 50, .age = 10, .ceiling = 100 };

	KUNIT_EXPECT_TRUE(test, fpr_expired(&scan, U32_MAX - 49));
	KUNIT_EXPECT_FALSE(test, fpr_expired(&scan, U32_MAX - 48));
	scan.ceiling = 0;
	KUNIT_EXPECT_TRUE(test, fpr_expired(&scan, 50));
}

/* === Holding back === */

struct choice_case {
	const char *name;
	unsigned long blocks[3];	/* census, in buckets of 10 jiffies */
	unsigned long reserve;
	u32 floor;
	u32 ceiling;
	u32 age;
	u32 hold;
	unsigned long quota;
};

static const struct choice_case choice_cases[] = {
	{ "no reserve", { 5, 5, 5 }, 0, 7, 600, 7, 0, 0 },
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
	struct fpr_census *census = kunit_kzalloc(test, sizeof(*census),
						  GFP_KERNEL);
	struct fpr_scan scan = {};

	KUNIT_ASSERT_NOT_NULL(test, census);
	census->width = 10;
	memcpy(census->blocks, c->blocks, sizeof(c->blocks));
	fpr_choose_age(&scan, census, c->reserve, c->floor, c->ceiling);
	KUNIT_EXPECT_EQ(test, scan.age, c->age);
	KUNIT_EXPECT_EQ(test, scan.hold, c->hold);
	KUNIT_EXPECT_EQ(test, scan.ceiling, max(c->floor, c->ceiling));
	if (scan.hold)
		KUNIT_EXPECT_EQ(test, scan.quota, c->quota);
}

/* Blocks younger than age and hold together pass as long as the quota lasts. */
static void test_held_back(struct kunit *test)
{
	struct fpr_scan scan = {
		.now = 1000, .age = 50, .hold = 20, .quota = 2,
		.ceiling = 500,
	};

	KUNIT_EXPECT_FALSE(test, fpr_held_back(&scan, 930));
	KUNIT_EXPECT_EQ(test, scan.quota, 2);
	KUNIT_EXPECT_FALSE(test, fpr_held_back(&scan, 931));
	KUNIT_EXPECT_FALSE(test, fpr_held_back(&scan, 950));
	KUNIT_EXPECT_EQ(test, scan.quota, 0);
	KUNIT_EXPECT_TRUE(test, fpr_held_back(&scan, 931));
	KUNIT_EXPECT_FALSE(test, fpr_held_back(&scan, 930));
	/* One that was not reported after all makes room for another. */
	fpr_refund(&scan, 930);
	KUNIT_EXPECT_EQ(test, scan.quota, 0);
	fpr_refund(&scan, 931);
	KUNIT_EXPECT_EQ(test, scan.quota, 1);
	/* Until the ceiling, now that it has reached the age. */
	KUNIT_EXPECT_EQ(test, fpr_until_due(&scan, 931), 500 - 69);
}

/* === What was reported lately === */

struct recent_case {
	const char *name;
	u32 later[2];		/* times after the first of two reports */
	unsigned long wanted;
	unsigned long refaulted;
	unsigned long left;	/* refaulted if everything is wanted */
};

/* 100 pages are reported at first, 30 then; a window is 50 jiffies. */
static const struct recent_case recent_cases[] = {
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

KUNIT_ARRAY_PARAM_DESC(recent, recent_cases, name);

static void test_recent(struct kunit *test)
{
	const struct recent_case *c = test->param_value;
	/* The clock wraps in between. */
	u32 first = U32_MAX - 20, last = first + c->later[1];
	struct fpr_recent recent = { .since = first };

	fpr_recent_add(&recent, 100, first, 50);
	fpr_recent_add(&recent, 30, first + c->later[0], 50);
	KUNIT_EXPECT_EQ(test, c->refaulted,
			fpr_recent_take(&recent, c->wanted, last, 50));
	KUNIT_EXPECT_EQ(test, c->left,
			fpr_recent_take(&recent, ULONG_MAX, last, 50));
	KUNIT_EXPECT_EQ(test, 0, fpr_recent_take(&recent, ULONG_MAX, last, 50));
}

/* === What was freed and taken again === */

#define SWING_STEPS	10

struct swing_case {
	const char *name;
	struct {
		u32 at;
		unsigned long free;
	} steps[SWING_STEPS];	/* ends with the first at time 0 */
	unsigned long reused;
};

/* At first 100 pages are free; a window is 50 jiffies. */
static const struct swing_case swing_cases[] = {
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

KUNIT_ARRAY_PARAM_DESC(swing, swing_cases, name);

static void test_swing(struct kunit *test)
{
	const struct swing_case *c = test->param_value;
	/* The clock wraps in between. */
	const u32 start = U32_MAX - 20;
	struct fpr_swing swing = {};
	unsigned long reused = 0;
	unsigned int i;

	fpr_swing_init(&swing, 100, start);
	for (i = 0; i < SWING_STEPS && c->steps[i].at; i++)
		reused = fpr_swing_note(&swing, c->steps[i].free,
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
static void test_swing_random(struct kunit *test)
{
	unsigned long *free = kunit_kcalloc(test, WALK_STEPS, sizeof(*free),
					    GFP_KERNEL);
	struct fpr_swing swing = {};
	struct rnd_state rnd;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, free);
	prandom_seed_state(&rnd, 612);
	free[0] = 5000;
	fpr_swing_init(&swing, free[0], 0);
	for (i = 1; i < WALK_STEPS; i++) {
		unsigned long reused;

		free[i] = prandom_u32_state(&rnd) % 16 ?
			  free[i - 1] + prandom_u32_state(&rnd) % 21 - 10 :
			  prandom_u32_state(&rnd) % 10000;
		free[i] = min(free[i], 10000UL);
		reused = fpr_swing_note(&swing, free[i], i, WALK_WINDOW);
		KUNIT_ASSERT_GE_MSG(test, reused,
				    model_reused(free, i - WALK_WINDOW + 1, i),
				    "after %d steps", i);
		KUNIT_ASSERT_LE_MSG(test, reused,
				    model_reused(free, i - 6 * WALK_WINDOW, i),
				    "after %d steps", i);
	}
}

/* === Threshold === */

struct pass_case {
	const char *name;
	unsigned long excess_kb;
	unsigned long threshold_kb;
	u32 waited;
	u32 max_delay;
	bool wanted;
};

static const struct pass_case pass_cases[] = {
	{ "no excess",			0, 0, 0, 500, false },
	{ "no excess, early",		0, 100, 499, 500, false },
	{ "no excess, late",		0, 100, 900, 500, true },
	{ "no threshold",		4, 0, 0, 500, true },
	{ "just below",			99, 100, 0, 500, false },
	{ "at the threshold",		100, 100, 0, 500, true },
	{ "above",			101, 100, 0, 500, true },
	{ "a jiffy early",		4, 100, 499, 500, false },
	{ "at the delay",		4, 100, 500, 500, true },
	{ "long waited",		4, 100, U32_MAX, 500, true },
	{ "no delay",			4, 100, 0, 0, true },
	{ "both",			100, 100, 500, 500, true },
};

KUNIT_ARRAY_PARAM_DESC(pass, pass_cases, name);

static void test_pass_wanted(struct kunit *test)
{
	const struct pass_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, c->wanted,
			fpr_pass_wanted(c->excess_kb, c->threshold_kb,
					c->waited, c->max_delay));
}

/* === Watermarks === */

struct room_case {
	const char *name;
	unsigned long spare;
	unsigned long isolated;
	unsigned long more;
	bool may;
};

static const struct room_case room_cases[] = {
	{ "no spare",			0, 0, 1, false },
	{ "first, all of it",		1024, 0, 1024, false },
	{ "first, a page short",	2047, 0, 1024, false },
	{ "first, half of it",		2048, 0, 1024, true },
	{ "first, a single page",	2, 0, 1, true },
	{ "second, an eighth",		8192, 512, 512, true },
	{ "second, a page too many",	8191, 512, 512, false },
	{ "second, small zone",		2048, 1024, 1, false },
	{ "first, large zone",		ULONG_MAX, 0, 1024, true },
	{ "second, large zone",		ULONG_MAX, 1024, 1024, true },
};

KUNIT_ARRAY_PARAM_DESC(room, room_cases, name);

static void test_may_isolate(struct kunit *test)
{
	const struct room_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, c->may,
			fpr_may_isolate(c->spare, c->isolated, c->more));
}

/* === Backoff === */

struct backoff_case {
	const char *name;
	u32 backoff;
	u32 base;
	u32 next;
};

static const struct backoff_case backoff_cases[] = {
	{ "first",		0, 10, 10 },
	{ "first, no base",	0, 0, 1 },
	{ "second",		10, 10, 20 },
	{ "base was raised",	10, 50, 50 },
	{ "base was lowered",	100, 10, 200 },
	{ "just below the end",	30 * HZ - 1, 10, 60 * HZ - 2 },
	{ "at the end",		30 * HZ, 10, 60 * HZ },
	{ "past the end",	30 * HZ + 1, 10, 60 * HZ },
	{ "stays there",	60 * HZ, 10, 60 * HZ },
	{ "base past the end",	0, 600 * HZ, 60 * HZ },
};

KUNIT_ARRAY_PARAM_DESC(backoff, backoff_cases, name);

static void test_next_backoff(struct kunit *test)
{
	const struct backoff_case *c = test->param_value;

	KUNIT_EXPECT_EQ(test, fpr_next_backoff(c->backoff, c->base), c->next);
}

static void test_backoff_left(struct kunit *test)
{
	u32 now;

	/* Also where the clock wraps. */
	for (now = -3; now != 3; now++) {
		KUNIT_EXPECT_EQ(test, fpr_backoff_left(5, now + 5, now), 5);
		KUNIT_EXPECT_EQ(test, fpr_backoff_left(5, now + 1, now), 1);
		KUNIT_EXPECT_EQ(test, fpr_backoff_left(5, now, now), 0);
		KUNIT_EXPECT_EQ(test, fpr_backoff_left(5, now - 1, now), 0);
		/* Nobody has looked at it for so long that it seems ahead. */
		KUNIT_EXPECT_EQ(test, fpr_backoff_left(5, now + 6, now), 0);
		KUNIT_EXPECT_EQ(test, fpr_backoff_left(5, now + BIT(30), now),
				0);
		KUNIT_EXPECT_EQ(test, fpr_backoff_left(0, now, now), 0);
	}
}

static struct kunit_case policy_cases[] = {
	KUNIT_CASE_PARAM(test_due, due_gen_params),
	KUNIT_CASE_PARAM(test_due_when_foretold, due_gen_params),
	KUNIT_CASE(test_expired),
	KUNIT_CASE_PARAM(test_choose_age, choice_gen_params),
	KUNIT_CASE(test_held_back),
	KUNIT_CASE_PARAM(test_recent, recent_gen_params),
	KUNIT_CASE_PARAM(test_swing, swing_gen_params),
	KUNIT_CASE(test_swing_random),
	KUNIT_CASE_PARAM(test_pass_wanted, pass_gen_params),
	KUNIT_CASE_PARAM(test_may_isolate, room_gen_params),
	KUNIT_CASE_PARAM(test_next_backoff, backoff_gen_params),
	KUNIT_CASE(test_backoff_left),
	{}
};

static struct kunit_suite policy_suite = {
	.name = "page_reporting_policy",
	.test_cases = policy_cases,
};

kunit_test_suite(policy_suite);
