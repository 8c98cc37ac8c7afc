/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting in user space: as much of KUnit as the suites use.
 */
#ifndef _PAGE_REPORTING_KUNIT_H
#define _PAGE_REPORTING_KUNIT_H

#include <setjmp.h>
#include <stdio.h>

#include "neighbours.h"

#include "batch.h"
#include "policy.h"
#include "retain.h"
#include "reuse.h"
#include "tracker.h"
#include "words.h"

/* In place of the headers with what only the kernel has. */
#define _MM_PAGE_REPORTING_INTERNALS_H
#define _MM_PAGE_REPORTING_TEST_MEMORY_H
#define TEST_BORDER_PAGES	PAGES_PER_SECTION

#define KUNIT_PARAM_DESC_SIZE	128

struct kunit_action;

/**
 * struct kunit - a test case that runs
 * @priv:	the suite's own
 * @param_value: what the case is tried with, if it has parameters
 * @actions:	what to do when it has ended, the last one first
 * @failed:	an expectation was not met
 * @stop:	where to go on if the rest of it makes no sense
 */
struct kunit {
	void *priv;
	const void *param_value;
	struct kunit_action *actions;
	bool failed;
	jmp_buf stop;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const char *name;
	const void *(*generate_params)(const void *previous, char *description);
};

struct kunit_suite {
	const char *name;
	int (*init)(struct kunit *test);
	void (*exit)(struct kunit *test);
	struct kunit_case *test_cases;
	struct kunit_suite *next;
};

#define KUNIT_CASE(function)	{ function, #function, NULL }
#define KUNIT_CASE_PARAM(function, generator) \
	{ function, #function, generator }

#define KUNIT_ARRAY_PARAM_DESC(name, array, member) \
static const void *name##_gen_params(const void *previous, char *description) \
{ \
	typeof(&(array)[0]) next = previous ? \
		(typeof(&(array)[0]))previous + 1 : (array); \
\
	if (next == (array) + ARRAY_SIZE(array)) \
		return NULL; \
	snprintf(description, KUNIT_PARAM_DESC_SIZE, "%s", next->member); \
	return next; \
}

#define kunit_test_suite(suite) \
static void __attribute__((constructor)) add_##suite(void) \
{ \
	kunit_add_suite(&(suite)); \
}

void kunit_add_suite(struct kunit_suite *suite);
void kunit_begin(struct kunit *test, const struct kunit_suite *suite);
void kunit_end(struct kunit *test, const struct kunit_suite *suite);
int kunit_run_all(const char *filter);

void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, gfp_t gfp);
void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp);
int kunit_add_action_or_reset(struct kunit *test, void (*action)(void *),
			      void *context);

/* Ends the case if @fatal. */
void kunit_fail(struct kunit *test, bool fatal, const char *file, int line,
		const char *what, long long left, long long right,
		const char *format, ...) __printf(8, 9);

/* @what is what the source says, before macros in it are replaced. */
#define kunit_compare(test, fatal, what, left, op, right, ...) \
do { \
	__auto_type left_value = (left); \
	__auto_type right_value = (right); \
	if (!(left_value op right_value)) \
		kunit_fail(test, fatal, __FILE__, __LINE__, what, \
			   (long long)left_value, (long long)right_value, \
			   "" __VA_ARGS__); \
} while (0)

#define KUNIT_EXPECT_EQ(test, a, b) \
	kunit_compare(test, false, #a " == " #b, a, ==, b)
#define KUNIT_EXPECT_NE(test, a, b) \
	kunit_compare(test, false, #a " != " #b, a, !=, b)
#define KUNIT_EXPECT_LT(test, a, b) \
	kunit_compare(test, false, #a " < " #b, a, <, b)
#define KUNIT_EXPECT_LE(test, a, b) \
	kunit_compare(test, false, #a " <= " #b, a, <=, b)
#define KUNIT_EXPECT_GT(test, a, b) \
	kunit_compare(test, false, #a " > " #b, a, >, b)
#define KUNIT_EXPECT_GE(test, a, b) \
	kunit_compare(test, false, #a " >= " #b, a, >=, b)
#define KUNIT_EXPECT_TRUE(test, c) \
	kunit_compare(test, false, #c, !!(c), ==, true)
#define KUNIT_EXPECT_FALSE(test, c) \
	kunit_compare(test, false, "!(" #c ")", !!(c), ==, false)
#define KUNIT_EXPECT_NULL(test, p) \
	kunit_compare(test, false, "!" #p, !!(p), ==, false)
#define KUNIT_EXPECT_NOT_NULL(test, p) \
	kunit_compare(test, false, #p, !!(p), ==, true)
#define KUNIT_EXPECT_TRUE_MSG(test, c, ...) \
	kunit_compare(test, false, #c, !!(c), ==, true, __VA_ARGS__)
#define KUNIT_ASSERT_EQ(test, a, b) \
	kunit_compare(test, true, #a " == " #b, a, ==, b)
#define KUNIT_ASSERT_NE(test, a, b) \
	kunit_compare(test, true, #a " != " #b, a, !=, b)
#define KUNIT_ASSERT_LT(test, a, b) \
	kunit_compare(test, true, #a " < " #b, a, <, b)
#define KUNIT_ASSERT_LE(test, a, b) \
	kunit_compare(test, true, #a " <= " #b, a, <=, b)
#define KUNIT_ASSERT_GT(test, a, b) \
	kunit_compare(test, true, #a " > " #b, a, >, b)
#define KUNIT_ASSERT_GE(test, a, b) \
	kunit_compare(test, true, #a " >= " #b, a, >=, b)
#define KUNIT_ASSERT_TRUE(test, c) \
	kunit_compare(test, true, #c, !!(c), ==, true)
#define KUNIT_ASSERT_FALSE(test, c) \
	kunit_compare(test, true, "!(" #c ")", !!(c), ==, false)
#define KUNIT_ASSERT_NOT_NULL(test, p) \
	kunit_compare(test, true, #p, !!(p), ==, true)
#define KUNIT_ASSERT_EQ_MSG(test, a, b, ...) \
	kunit_compare(test, true, #a " == " #b, a, ==, b, __VA_ARGS__)
#define KUNIT_ASSERT_LE_MSG(test, a, b, ...) \
	kunit_compare(test, true, #a " <= " #b, a, <=, b, __VA_ARGS__)
#define KUNIT_ASSERT_GE_MSG(test, a, b, ...) \
	kunit_compare(test, true, #a " >= " #b, a, >=, b, __VA_ARGS__)
#define KUNIT_ASSERT_TRUE_MSG(test, c, ...) \
	kunit_compare(test, true, #c, !!(c), ==, true, __VA_ARGS__)

/* The geometry is one that every case can do something with. */
#define kunit_skip(test, ...)	KUNIT_ASSERT_TRUE_MSG(test, false, __VA_ARGS__)

#endif /* _PAGE_REPORTING_KUNIT_H */
