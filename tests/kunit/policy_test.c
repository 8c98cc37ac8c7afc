// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of the policy, as tables with the borders.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/limits.h>

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

/* === Retaining === */

/*
 * Blocks younger than age and slack together pass as long as the quota lasts.
 */
static void test_retained(struct kunit *test)
{
	struct fpr_scan scan = {
		.now = 1000, .age = 50, .slack = 20, .quota = 2,
		.ceiling = 500,
	};

	KUNIT_EXPECT_FALSE(test, fpr_retained(&scan, 930));
	KUNIT_EXPECT_EQ(test, scan.quota, 2);
	KUNIT_EXPECT_FALSE(test, fpr_retained(&scan, 931));
	KUNIT_EXPECT_FALSE(test, fpr_retained(&scan, 950));
	KUNIT_EXPECT_EQ(test, scan.quota, 0);
	KUNIT_EXPECT_TRUE(test, fpr_retained(&scan, 931));
	KUNIT_EXPECT_FALSE(test, fpr_retained(&scan, 930));
	/* One that was not reported after all makes room for another. */
	fpr_refund(&scan, 930);
	KUNIT_EXPECT_EQ(test, scan.quota, 0);
	fpr_refund(&scan, 931);
	KUNIT_EXPECT_EQ(test, scan.quota, 1);
	/* Until the ceiling, now that it has reached the age. */
	KUNIT_EXPECT_EQ(test, fpr_until_due(&scan, 931), 500 - 69);
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
	KUNIT_CASE(test_retained),
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
