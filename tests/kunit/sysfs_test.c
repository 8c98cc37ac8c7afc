// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of the sysfs files, called as sysfs does.
 */
#include <kunit/test.h>
#include <linux/kernfs.h>
#include <linux/kobject.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "../sysfs.h"
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
	/* It does not go away: only the test removes any of these files. */
	kernfs_put(node);
	return node;
}

/*
 * Find a file by its path.  A directory without a kobject of its own, as stats,
 * has that of the one above.
 */
static struct test_file find_file(struct kunit *test, const char *path)
{
	struct kernfs_node *node = find_node(test, mm_kobj->sd,
					     "page_reporting");
	char *rest = kunit_kstrdup(test, path, GFP_KERNEL), *name;
	struct kobject *kobj = NULL;
	struct attribute *attr;

	KUNIT_ASSERT_NOT_NULL(test, rest);
	while ((name = strsep(&rest, "/"))) {
		kobj = node->priv;
		node = find_node(test, node, name);
	}
	attr = node->priv;
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
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	{ "max_age_ms", "600000", "600001", -EINVAL },
#endif
#ifdef CONFIG_PAGE_REPORTING_PIECES
	{ "piece_age_ms", "600000", "600001", -EINVAL },
#endif
#ifdef CONFIG_PAGE_REPORTING_RESTORE
	{ "unbacked_max_kb", "4294967294", "4294967295", -EINVAL },
	{ "unbacked_reserve_percent", "100", "101", -EINVAL },
#endif
	{ "order", __stringify(MAX_PAGE_ORDER), "64", -EINVAL },
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

#ifdef CONFIG_PAGE_REPORTING_RESTORE
static void test_no_limit(struct kunit *test)
{
	expect_content(test, "unbacked_max_kb", "max\n");
	KUNIT_EXPECT_EQ(test, write_file(test, "unbacked_max_kb", "7"), 1);
	expect_content(test, "unbacked_max_kb", "7\n");
	KUNIT_EXPECT_EQ(test, write_file(test, "unbacked_max_kb", "maxi"),
			-EINVAL);
	expect_content(test, "unbacked_max_kb", "7\n");
	KUNIT_EXPECT_EQ(test, write_file(test, "unbacked_max_kb", "max\n"), 4);
	expect_content(test, "unbacked_max_kb", "max\n");
}
#endif

static bool has_directory(const char *name)
{
	struct kernfs_node *top, *backends = NULL, *dir = NULL;

	top = kernfs_find_and_get(mm_kobj->sd, "page_reporting");
	if (top)
		backends = kernfs_find_and_get(top, "backends");
	if (backends)
		dir = kernfs_find_and_get(backends, name);
	kernfs_put(dir);
	kernfs_put(backends);
	kernfs_put(top);
	return dir;
}

static void test_backend(struct kunit *test)
{
	struct fake_backend *fake = test->priv;
	char nodes[64];

	snprintf(nodes, sizeof(nodes), "%*pbl\n",
		 nodemask_pr_args(&node_possible_map));
	KUNIT_EXPECT_FALSE(test, has_directory("fake"));
	fake_register(test, fake);
	expect_content(test, "backends/fake/nodes", nodes);
	expect_content(test, "backends/fake/error", "0\n");
	fake_wait_quiet(test, fake);
	expect_content(test, "backends/fake/pending_kb", "0\n");
	expect_content(test, "backends/fake/isolated_kb", "0\n");
	KUNIT_EXPECT_EQ(test, read_number(test,
					  "backends/fake/stats/reported_kb"),
			fake->pages * PAGE_SIZE / 1024);
	WRITE_ONCE(fake_core(fake)->error, -EIO);
	expect_content(test, "backends/fake/error", "-5\n");
	KUNIT_EXPECT_EQ(test, write_file(test, "enabled", "1"), 1);
	expect_content(test, "backends/fake/error", "0\n");
	fake_unregister(test, fake);
	KUNIT_EXPECT_FALSE(test, has_directory("fake"));
}

/* A name is no path, and a name that is taken gets a number. */
static void test_names(struct kunit *test)
{
	struct fpr_backend *other = kzalloc(sizeof(*other), GFP_KERNEL);
	struct fake_backend *fake = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->name = "a/b";
	refcount_set(&other->refs, 1);
	fake->prdev.name = "a/b";
	fake_register(test, fake);
	KUNIT_EXPECT_TRUE(test, has_directory("a!b"));

	mutex_lock(&fpr_mutex);
	fpr_sysfs_add(other);
	mutex_unlock(&fpr_mutex);
	KUNIT_EXPECT_NOT_NULL(test, other->dir);
	KUNIT_EXPECT_TRUE(test, has_directory("a!b.2"));
	mutex_lock(&fpr_mutex);
	fpr_sysfs_remove(other);
	mutex_unlock(&fpr_mutex);
	KUNIT_EXPECT_FALSE(test, has_directory("a!b.2"));
	/* The directory may go later, with its own reference. */
	fpr_backend_put(other);
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
	static const char flushed_kb[] = "backends/fake/stats/flushed_kb";
	struct test_block *block = test_block_alloc(test);
	unsigned long flushed = 0;
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
	flushed += fake->pages;
	KUNIT_EXPECT_EQ(test, read_number(test, flushed_kb),
			flushed * PAGE_SIZE / 1024);

	fake_forget(fake);
	KUNIT_EXPECT_EQ(test, write_file(test, "flush", "al"), -EINVAL);
	KUNIT_EXPECT_EQ(test, fake->pages, 0);
	KUNIT_EXPECT_EQ(test, write_file(test, "flush", "all\n"), 4);
	KUNIT_EXPECT_GE(test, fake->pages, MAX_ORDER_NR_PAGES);
	flushed += fake->pages;
	KUNIT_EXPECT_EQ(test, read_number(test, flushed_kb),
			flushed * PAGE_SIZE / 1024);
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
	{ "reported_kb", FPR_REPORTED, true },
	{ "flushed_kb", FPR_FLUSHED, true },
	{ "failed_kb", FPR_FAILED, true },
	{ "skipped_kb", FPR_SKIPPED, true },
	{ "deferred_kb", FPR_DEFERRED, true },
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	{ "refaulted_kb", FPR_REFAULTED, true },
#endif
#ifdef CONFIG_PAGE_REPORTING_RESTORE
	{ "restored_kb", FPR_RESTORED, true },
	{ "claimed_kb", FPR_CLAIMED, true },
#endif
#ifdef CONFIG_PAGE_REPORTING_CONSOLIDATE
	{ "consolidated_kb", FPR_CONSOLIDATED, true },
	{ "moved_kb", FPR_MOVED, true },
#endif
	{ "passes", FPR_PASSES, false },
	{ "batches", FPR_BATCHES, false },
};

KUNIT_ARRAY_PARAM_DESC(counter, counters, name);

/* What a backend counts is in its file and in the sum. */
static void test_counter(struct kunit *test)
{
	const struct counter *c = test->param_value;
	long step = c->in_kb ? 3 * PAGE_SIZE / 1024 : 3;
	struct fake_backend *fake = test->priv;
	long own, sum;
	char own_file[64], sum_file[64];

	snprintf(own_file, sizeof(own_file), "backends/fake/stats/%s",
		 c->name);
	snprintf(sum_file, sizeof(sum_file), "stats/%s", c->name);
	fake_register(test, fake);
	fake_wait_quiet(test, fake);
	fpr_set_enabled(false);
	own = read_number(test, own_file);
	sum = read_number(test, sum_file);
	fpr_count(&fake_core(fake)->counters, c->counter, 3);
	KUNIT_EXPECT_EQ(test, read_number(test, own_file), own + step);
	KUNIT_EXPECT_EQ(test, read_number(test, sum_file), sum + step);
	fpr_count(&fake_core(fake)->counters, c->counter, -3);
}

static struct kunit_case sysfs_cases[] = {
	KUNIT_CASE_PARAM(test_tunable, tunable_gen_params),
#ifdef CONFIG_PAGE_REPORTING_RESTORE
	KUNIT_CASE(test_no_limit),
#endif
	KUNIT_CASE(test_backend),
	KUNIT_CASE(test_names),
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
