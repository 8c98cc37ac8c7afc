// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of the sysfs files, called as sysfs does.
 */
#include <kunit/test.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

/* A file of ours. */
struct test_file {
	struct kobject *kobj;
	struct kobj_attribute *attr;
};

static struct kernfs_node *find_node(struct kunit *test,
				     struct kernfs_node *parent,
				     const char *name)
{
	struct kernfs_node *node = kernfs_find_and_get(parent, name);

	KUNIT_ASSERT_NOT_NULL_MSG(test, node, "%s is missing", name);
	/* It does not go away: nothing removes these files. */
	kernfs_put(node);
	return node;
}

/* Find a file by its name, "stats/" in front of those of counters. */
static struct test_file find_file(struct kunit *test, const char *name)
{
	struct kernfs_node *dir = find_node(test, mm_kobj->sd,
					    "page_reporting");
	struct kobject *kobj = dir->priv;
	struct attribute *attr;

	if (strstarts(name, "stats/")) {
		dir = find_node(test, dir, "stats");
		name += strlen("stats/");
	}
	attr = find_node(test, dir, name)->priv;
	return (struct test_file){
		.kobj = kobj,
		.attr = container_of(attr, struct kobj_attribute, attr),
	};
}

static ssize_t write_file(struct kunit *test, const char *name,
			  const char *text)
{
	struct test_file file = find_file(test, name);

	return file.attr->store(file.kobj, file.attr, text, strlen(text));
}

static void expect_content(struct kunit *test, const char *name,
			   const char *expected)
{
	struct test_file file = find_file(test, name);
	char *content = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, content);
	KUNIT_EXPECT_EQ(test, strlen(expected),
			file.attr->show(file.kobj, file.attr, content));
	KUNIT_EXPECT_STREQ_MSG(test, content, expected, "%s", name);
}

static long read_number(struct kunit *test, const char *name)
{
	struct test_file file = find_file(test, name);
	char *content = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	long number = -1;

	KUNIT_ASSERT_NOT_NULL(test, content);
	KUNIT_EXPECT_GT(test, file.attr->show(file.kobj, file.attr, content),
			0);
	KUNIT_EXPECT_EQ(test, 0, kstrtol(content, 10, &number));
	return number;
}

/* === Tunables === */

struct tunable {
	const char *name;
	const char *most;
	const char *too_much;
	int too_much_err;
};

static const struct tunable tunables[] = {
	{ "age_ms", "600000", "600001", -EINVAL },
	{ "max_age_ms", "600000", "600001", -EINVAL },
	{ "fine_age_ms", "600000", "600001", -EINVAL },
	{ "max_delay_ms", "600000", "600001", -EINVAL },
	{ "threshold_kb", "1073741824", "1073741825", -EINVAL },
	{ "held_max_kb", "4294967295", "4294967296", -ERANGE },
	{ "held_reserve_percent", "100", "101", -EINVAL },
	{ "order", __stringify(MAX_PAGE_ORDER), "11", -EINVAL },
	{ "enabled", "1", "2", -EINVAL },
};

KUNIT_ARRAY_PARAM_DESC(tunable, tunables, name);

static void expect_refused(struct kunit *test, const char *name,
			   const char *text, int err)
{
	char before[32];

	snprintf(before, sizeof(before), "%ld\n", read_number(test, name));
	KUNIT_EXPECT_EQ_MSG(test, write_file(test, name, text), err, "%s",
			    text);
	expect_content(test, name, before);
}

static void test_tunable(struct kunit *test)
{
	const struct tunable *t = test->param_value;
	char most[32];

	snprintf(most, sizeof(most), "%s\n", t->most);
	KUNIT_EXPECT_EQ(test, write_file(test, t->name, "0\n"), 2);
	expect_content(test, t->name, "0\n");
	KUNIT_EXPECT_EQ(test, write_file(test, t->name, most), strlen(most));
	expect_content(test, t->name, most);
	expect_refused(test, t->name, t->too_much, t->too_much_err);
	expect_refused(test, t->name, "-1", -EINVAL);
	expect_refused(test, t->name, "", -EINVAL);
	expect_refused(test, t->name, "many", -EINVAL);
	expect_refused(test, t->name, "99999999999", -ERANGE);
}

/* === State === */

static void test_backend(struct kunit *test)
{
	struct fake_backend *fake = test->priv;

	expect_content(test, "backend", "none\n");
	fake_register(test, fake);
	expect_content(test, "backend", "fake\n");
	fake_wait_quiet(test, fake);
	WRITE_ONCE(fake_core(fake)->error, -EIO);
	expect_content(test, "backend", "fake:stopped\n");
	KUNIT_EXPECT_EQ(test, write_file(test, "enabled", "1"), 1);
	expect_content(test, "backend", "fake\n");
	fake_unregister(test, fake);
	expect_content(test, "backend", "none\n");
}

static void test_pending(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	expect_content(test, "pending_kb", "0\n");
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, write_file(test, "enabled", "0"), 1);
	test_block_free(block);
	KUNIT_EXPECT_GE(test, read_number(test, "pending_kb"),
			MAX_ORDER_NR_PAGES * PAGE_SIZE / 1024);
	/* The write of a tunable starts a pass. */
	KUNIT_EXPECT_EQ(test, write_file(test, "enabled", "1"), 1);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_TRUE(test, fake_saw(fake, block->pfn, MAX_ORDER_NR_PAGES,
					 1));
}

/* What the backend has is neither free nor pending, but shown. */
static void test_isolated(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;
	long block_kb = MAX_ORDER_NR_PAGES * PAGE_SIZE / 1024;
	long isolated_kb;

	expect_content(test, "isolated_kb", "0\n");
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	expect_content(test, "isolated_kb", "0\n");
	fake->block = true;
	test_block_free(block);
	wait_for_completion(&fake->entered);
	isolated_kb = read_number(test, "isolated_kb");
	KUNIT_EXPECT_GE(test, isolated_kb, block_kb);
	/* The order does not change meanwhile. */
	KUNIT_EXPECT_EQ(test, write_file(test, "order", "3"), -EBUSY);
	KUNIT_EXPECT_EQ(test, read_number(test, "isolated_kb"), isolated_kb);
	fake_let_go(fake);
	fake_wait_quiet(test, fake);
	expect_content(test, "isolated_kb", "0\n");
}

static void test_flush(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fake_backend *fake = test->priv;

	KUNIT_EXPECT_EQ(test, write_file(test, "flush", "1"), -ENODEV);
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	KUNIT_EXPECT_EQ(test, write_file(test, "age_ms", "600000"), 6);
	fake_forget(fake);
	test_block_free(block);
	KUNIT_EXPECT_EQ(test, write_file(test, "flush", "0"), -EINVAL);
	KUNIT_EXPECT_EQ(test, fake->pages, 0);
	KUNIT_EXPECT_EQ(test, write_file(test, "flush", "1\n"), 2);
	KUNIT_EXPECT_GE(test, fake->pages, MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_EQ(test, read_number(test, "flush"),
			fake->pages * PAGE_SIZE);

	fake_forget(fake);
	KUNIT_EXPECT_EQ(test, write_file(test, "flush", "al"), -EINVAL);
	KUNIT_EXPECT_EQ(test, fake->pages, 0);
	KUNIT_EXPECT_EQ(test, write_file(test, "flush", "all\n"), 4);
	KUNIT_EXPECT_GE(test, fake->pages, MAX_ORDER_NR_PAGES);
	KUNIT_EXPECT_EQ(test, read_number(test, "flush"),
			fake->pages * PAGE_SIZE);
}

static void test_current_age(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, write_file(test, "age_ms", "700"), 3);
	KUNIT_EXPECT_GE(test, read_number(test, "current_age_ms"), 700);
}

/* === Counters === */

struct counter {
	const char *name;
	enum fpr_counter counter;
	bool in_kb;
};

static const struct counter counters[] = {
	{ "stats/reported_kb", FPR_REPORTED, true },
	{ "stats/refaulted_kb", FPR_REFAULTED, true },
	{ "stats/failed_kb", FPR_FAILED, true },
	{ "stats/skipped_kb", FPR_SKIPPED, true },
	{ "stats/deferred_kb", FPR_DEFERRED, true },
	{ "stats/restored_kb", FPR_RESTORED, true },
	{ "stats/passes", FPR_PASSES, false },
	{ "stats/batches", FPR_BATCHES, false },
};

KUNIT_ARRAY_PARAM_DESC(counter, counters, name);

static void test_counter(struct kunit *test)
{
	const struct counter *c = test->param_value;
	long before = read_number(test, c->name);

	fpr_count(c->counter, 3);
	KUNIT_EXPECT_EQ(test, read_number(test, c->name) - before,
			c->in_kb ? 3 * PAGE_SIZE / 1024 : 3);
	fpr_count(c->counter, -3);
}

static struct kunit_case sysfs_cases[] = {
	KUNIT_CASE_PARAM(test_tunable, tunable_gen_params),
	KUNIT_CASE(test_backend),
	KUNIT_CASE(test_pending),
	KUNIT_CASE(test_isolated),
	KUNIT_CASE(test_flush),
	KUNIT_CASE(test_current_age),
	KUNIT_CASE_PARAM(test_counter, counter_gen_params),
	{}
};

static struct kunit_suite sysfs_suite = {
	.name = "page_reporting_sysfs",
	.init = fake_test_init,
	.test_cases = sysfs_cases,
};

kunit_test_suite(sysfs_suite);
