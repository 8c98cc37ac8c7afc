// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of registering and unregistering.
 */
#include <kunit/test.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

static void expect_no_backend(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, list_empty(&fpr_backends));
	KUNIT_EXPECT_FALSE(test, static_key_enabled(&page_reporting_enabled));
	KUNIT_EXPECT_EQ(test, fpr_pending_pages(NULL), 0);
}

/* === Refused === */

struct invalid_case {
	const char *name;
	bool no_report;
	unsigned int order;
	unsigned int flags;
	bool no_node;
	int err;
};

static const struct invalid_case invalid_cases[] = {
	{ .name = "no callback", .no_report = true, .err = -EINVAL },
	{ .name = "order", .order = MAX_PAGE_ORDER + 1, .err = -ERANGE },
	{ .name = "largest order", .order = UINT_MAX - 1, .err = -ERANGE },
	{ .name = "unknown flag", .flags = BIT(7) | PAGE_REPORTING_MERGE,
	  .err = -EINVAL },
	{ .name = "no possible node", .no_node = true, .err = -ENODEV },
};

KUNIT_ARRAY_PARAM_DESC(invalid, invalid_cases, name);

static void test_invalid_is_refused(struct kunit *test)
{
	const struct invalid_case *c = test->param_value;
	unsigned int order = page_reporting_order;
	struct fake_backend *fake = test->priv;
	nodemask_t impossible = NODE_MASK_NONE;

	if (c->no_report)
		fake->prdev.report = NULL;
	if (c->no_node)
		fake->prdev.nodes = &impossible;
	fake->prdev.order = c->order;
	fake->prdev.flags = c->flags;
	KUNIT_EXPECT_EQ(test, page_reporting_register(&fake->prdev), c->err);
	KUNIT_EXPECT_EQ(test, page_reporting_order, order);
	KUNIT_EXPECT_EQ(test, fake->calls, 0);
	expect_no_backend(test);
	page_reporting_unregister(&fake->prdev);
	expect_no_backend(test);
}

static void test_second_is_refused(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct fake_backend *second = fake_create(test);

	fake->prdev.order = MAX_PAGE_ORDER;
	second->prdev.order = 3;
	fake_register(test, fake);
	KUNIT_EXPECT_EQ(test, page_reporting_register(&second->prdev), -EBUSY);
	KUNIT_EXPECT_EQ(test, page_reporting_register(&fake->prdev), -EBUSY);
	KUNIT_EXPECT_EQ(test, page_reporting_order, MAX_PAGE_ORDER);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_GT(test, fake->pages, 0);

	/* One that is not registered can be unregistered, to no effect. */
	page_reporting_unregister(&second->prdev);
	KUNIT_EXPECT_PTR_NE(test, fake_core(fake), NULL);
	KUNIT_EXPECT_TRUE(test, static_key_enabled(&page_reporting_enabled));
	fake_unregister(test, fake);
	KUNIT_EXPECT_EQ(test, second->calls, 0);
	expect_no_backend(test);

	fake_register(test, second);
	KUNIT_EXPECT_EQ(test, page_reporting_order, 3);
}

/* === Accepted === */

static const unsigned int capacities[] = {
	0, 1, 2, PAGE_REPORTING_CAPACITY, PAGE_REPORTING_CAPACITY_MAX,
	PAGE_REPORTING_CAPACITY_MAX + 1, UINT_MAX,
};

static void describe_capacity(const unsigned int *capacity, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "capacity %u", *capacity);
}

KUNIT_ARRAY_PARAM(capacity, capacities, describe_capacity);

static unsigned int longest_call(const struct fake_backend *fake)
{
	unsigned int i, length = 0, longest = 0;

	for (i = 0; i < fake->nr_entries; i++) {
		if (i && fake->entries[i].call != fake->entries[i - 1].call)
			length = 0;
		length++;
		longest = max(longest, length);
	}
	return longest;
}

static void test_capacity(struct kunit *test)
{
	const unsigned int *capacity = test->param_value;
	struct fake_backend *fake = test->priv;
	struct test_block *blocks[3];
	unsigned int i;

	fake->prdev.capacity = *capacity;
	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		blocks[i] = test_block_alloc(test);
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_LE(test, longest_call(fake),
			*capacity ?: PAGE_REPORTING_CAPACITY);
	fake_forget(fake);
	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		test_block_free(blocks[i]);
	fake_wait_quiet(test, fake);
	for (i = 0; i < ARRAY_SIZE(blocks); i++)
		KUNIT_EXPECT_TRUE(test, fake_saw(fake, blocks[i]->pfn,
						 MAX_ORDER_NR_PAGES, 1));
	KUNIT_EXPECT_LE(test, longest_call(fake),
			*capacity ?: PAGE_REPORTING_CAPACITY);
}

static const unsigned int orders[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, MAX_PAGE_ORDER,
};

static void describe_order(const unsigned int *order, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "order %u", *order);
}

KUNIT_ARRAY_PARAM(order, orders, describe_order);

/* What becomes of an order that a backend asks for: 0 may be one or none. */
static unsigned int resulting_order(unsigned int order)
{
	return order == PAGE_REPORTING_ORDER_UNSPECIFIED ? pageblock_order :
							   order;
}

static void test_order_of_backend(struct kunit *test)
{
	const unsigned int *order = test->param_value;
	struct fake_backend *fake = test->priv;

	fake->prdev.order = *order;
	fake_register(test, fake);
	KUNIT_EXPECT_EQ(test, page_reporting_order, resulting_order(*order));
	KUNIT_EXPECT_EQ(test, fake_core(fake)->order, resulting_order(*order));
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, fake->malformed, 0);
	fake_unregister(test, fake);
	KUNIT_EXPECT_EQ(test, page_reporting_order, (unsigned int)-1);
	KUNIT_EXPECT_EQ(test, fpr_current_order(), pageblock_order);
}

/* A user's choice counts more than the backend's, and outlives it. */
static void test_order_of_user(struct kunit *test)
{
	const unsigned int *order = test->param_value;
	struct fake_backend *fake = test->priv;

	KUNIT_ASSERT_EQ(test, fpr_set_order(*order), 0);
	KUNIT_EXPECT_EQ(test, fpr_current_order(), *order);
	fake->prdev.order = MAX_PAGE_ORDER - 1;
	fake_register(test, fake);
	KUNIT_EXPECT_EQ(test, page_reporting_order, *order);
	KUNIT_EXPECT_EQ(test, fake_core(fake)->order, *order);
	KUNIT_EXPECT_EQ(test, fpr_set_order(MAX_PAGE_ORDER + 1), -EINVAL);
	KUNIT_EXPECT_EQ(test, page_reporting_order, *order);
	fake_wait_quiet(test, fake);
	fake_unregister(test, fake);
	KUNIT_EXPECT_EQ(test, page_reporting_order, *order);
}

static void test_again_and_again(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	struct test_block *block = test_block_alloc(test);
	unsigned int i;

	for (i = 0; i < 50; i++) {
		fake_register(test, fake);
		if (i == 25)
			test_block_free(block);
		if (i % 10 == 9)
			fake_wait_quiet(test, fake);
		fake_unregister(test, fake);
	}
	expect_no_backend(test);
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	KUNIT_EXPECT_EQ(test, 0,
			test_pages_astray(block->pfn, MAX_ORDER_NR_PAGES));
}

static struct kunit_case register_cases[] = {
	KUNIT_CASE_PARAM(test_invalid_is_refused, invalid_gen_params),
	KUNIT_CASE(test_second_is_refused),
	KUNIT_CASE_PARAM(test_capacity, capacity_gen_params),
	KUNIT_CASE_PARAM(test_order_of_backend, order_gen_params),
	KUNIT_CASE_PARAM(test_order_of_user, order_gen_params),
	KUNIT_CASE(test_again_and_again),
	{}
};

static struct kunit_suite register_suite = {
	.name = "page_reporting_register",
	.init = fake_test_init,
	.test_cases = register_cases,
};

kunit_test_suite(register_suite);
