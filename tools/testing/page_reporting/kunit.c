// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting in user space: runs the suites, and says what failed.
 */
#include <fnmatch.h>
#include <stdarg.h>

#include "kunit.h"

struct kunit_action {
	struct kunit_action *next;
	void (*function)(void *context);
	void *context;
};

static struct kunit_suite *suites;

/* In the order of the files on the command line of the linker. */
void kunit_add_suite(struct kunit_suite *suite)
{
	struct kunit_suite **last = &suites;

	while (*last)
		last = &(*last)->next;
	*last = suite;
}

/* === What a case can ask for === */

int kunit_add_action_or_reset(struct kunit *test, void (*function)(void *),
			      void *context)
{
	struct kunit_action *action = malloc(sizeof(*action));

	must(action);
	*action = (struct kunit_action){ test->actions, function, context };
	test->actions = action;
	return 0;
}

void *kunit_kcalloc(struct kunit *test, size_t n, size_t size, gfp_t gfp)
{
	void *memory = calloc(n, size);

	must(memory);
	kunit_add_action_or_reset(test, free, memory);
	return memory;
}

void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t gfp)
{
	return kunit_kcalloc(test, 1, size, gfp);
}

void kunit_fail(struct kunit *test, bool fatal, const char *file, int line,
		const char *what, long long left, long long right,
		const char *format, ...)
{
	va_list arguments;

	printf("%s:%d: expected %s, have %lld and %lld", file, line, what, left,
	       right);
	va_start(arguments, format);
	if (*format) {
		printf(": ");
		vprintf(format, arguments);
	}
	va_end(arguments);
	printf("\n");
	test->failed = true;
	if (fatal)
		longjmp(test->stop, 1);
}

/* === Running === */

void kunit_begin(struct kunit *test, const struct kunit_suite *suite)
{
	if (suite->init)
		must(!suite->init(test));
}

void kunit_end(struct kunit *test, const struct kunit_suite *suite)
{
	if (suite->exit)
		suite->exit(test);
	while (test->actions) {
		struct kunit_action *action = test->actions;

		test->actions = action->next;
		action->function(action->context);
		free(action);
	}
}

/* Returns whether all expectations were met. */
static bool run_case(const struct kunit_suite *suite,
		     const struct kunit_case *c, const void *param)
{
	struct kunit test = { .param_value = param };

	kunit_begin(&test, suite);
	if (!setjmp(test.stop))
		c->run_case(&test);
	/* A case that was stopped may have held them. */
	rcu_readers = 0;
	kunit_end(&test, suite);
	return !test.failed;
}

/* Counts outcomes: [false] is what failed. */
static void run_with_params(const struct kunit_suite *suite,
			    const struct kunit_case *c,
			    unsigned int outcomes[2])
{
	char description[KUNIT_PARAM_DESC_SIZE] = "";
	const void *param = NULL;
	bool passed;

	if (c->generate_params)
		param = c->generate_params(NULL, description);
	do {
		passed = run_case(suite, c, param);
		outcomes[passed]++;
		if (!passed)
			printf("FAIL  %s.%s %s\n", suite->name, c->name,
			       description);
		if (param)
			param = c->generate_params(param, description);
	} while (param);
}

static bool wanted(const struct kunit_suite *suite, const struct kunit_case *c,
		   const char *filter)
{
	char name[256];

	snprintf(name, sizeof(name), "%s.%s", suite->name, c->name);
	return !filter || !fnmatch(filter, name, 0) ||
	       !fnmatch(filter, suite->name, 0);
}

/* Run the cases whose names match; returns the exit status. */
int kunit_run_all(const char *filter)
{
	unsigned int all[2] = { 0, 0 };
	const struct kunit_suite *suite;

	for (suite = suites; suite; suite = suite->next) {
		unsigned int outcomes[2] = { 0, 0 };
		const struct kunit_case *c;

		for (c = suite->test_cases; c->run_case; c++)
			if (wanted(suite, c, filter))
				run_with_params(suite, c, outcomes);
		if (outcomes[true] + outcomes[false])
			printf("%s  %s: %u cases\n",
			       outcomes[false] ? "FAIL" : "PASS", suite->name,
			       outcomes[true] + outcomes[false]);
		all[true] += outcomes[true];
		all[false] += outcomes[false];
	}
	printf("%u passed, %u failed\n", all[true], all[false]);
	return all[true] && !all[false] ? EXIT_SUCCESS : EXIT_FAILURE;
}
