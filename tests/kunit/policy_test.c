// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of the policy, as tables with the borders.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/limits.h>

#include "../internal.h"

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
	{ "longest past",	0x7fffffff, 1, 0, true, 0 },
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
}

/* === Threshold === */

struct pass_case {
	const char *name;
	unsigned long pending_kb;
	unsigned long threshold_kb;
	u32 waited;
	u32 max_delay;
	bool wanted;
};

static const struct pass_case pass_cases[] = {
	{ "nothing pending",		0, 0, 0, 0, false },
	{ "nothing pending, late",	0, 100, 900, 500, false },
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
			fpr_pass_wanted(c->pending_kb, c->threshold_kb,
					c->waited, c->max_delay));
}

/* === Watermarks === */

struct limit_case {
	const char *name;
	unsigned long free;
	unsigned long high;
	unsigned long largest;
	unsigned long limit;
};

static const struct limit_case limit_cases[] = {
	{ "empty zone",		0, 0, 1024, 0 },
	{ "below the mark",	999, 1000, 1024, 0 },
	{ "at the mark",	1000, 1000, 1024, 0 },
	{ "far below",		0, ULONG_MAX, 1024, 0 },
	{ "a page short",	1000 + 2047, 1000, 1024, 0 },
	{ "just enough",	1000 + 2048, 1000, 1024, 1024 },
	{ "an eighth is small",	1000 + 8191, 1000, 1024, 1024 },
	{ "an eighth is equal",	1000 + 8192, 1000, 1024, 1024 },
	{ "an eighth is more",	1000 + 8200, 1000, 1024, 1025 },
	{ "large",		1000 + 80000, 1000, 1024, 10000 },
	{ "page by page",	2, 0, 1, 1 },
};

KUNIT_ARRAY_PARAM_DESC(limit, limit_cases, name);

static void test_batch_limit(struct kunit *test)
{
	const struct limit_case *c = test->param_value;
	unsigned long limit = fpr_batch_limit(c->free, c->high, c->largest);

	KUNIT_EXPECT_EQ(test, limit, c->limit);
	if (limit)
		KUNIT_EXPECT_GE(test, c->free - limit, c->high + c->largest);
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

static struct kunit_case policy_cases[] = {
	KUNIT_CASE_PARAM(test_due, due_gen_params),
	KUNIT_CASE_PARAM(test_due_when_foretold, due_gen_params),
	KUNIT_CASE_PARAM(test_pass_wanted, pass_gen_params),
	KUNIT_CASE_PARAM(test_batch_limit, limit_gen_params),
	KUNIT_CASE_PARAM(test_next_backoff, backoff_gen_params),
	{}
};

static struct kunit_suite policy_suite = {
	.name = "page_reporting_policy",
	.test_cases = policy_cases,
};

kunit_test_suite(policy_suite);
