// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting in user space: runs the suites, and says what failed.
 */
#include <fnmatch.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "kunit.h"

struct kunit_action {
	struct kunit_action *next;
	void (*function)(void *context);
	void *context;
};

/* All of them together take a second or two: a case that takes this hangs. */
#define CASE_SECONDS	10

static struct kunit_suite *suites;

/**
 * struct running - what is being run, for those who end it
 * @suite:	the suite, or NULL
 * @c:		the case
 * @description: what it is tried with
 */
static struct running {
	const struct kunit_suite *suite;
	const struct kunit_case *c;
	char description[KUNIT_PARAM_DESC_SIZE];
} running;

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

	printf("%s:%d: expected %s; left is %lld, right is %lld", file, line,
	       what, left, right);
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

static void print_failed(void)
{
	printf("FAIL  %s.%s %s\n", running.suite->name, running.c->name,
	       running.description);
}

/* The case hangs, or a sanitizer has ended it: the rest is not run. */
static void end_in_case(int signal)
{
	if (signal == SIGALRM)
		printf("not done after %u s:\n", CASE_SECONDS);
	if (running.suite)
		print_failed();
	printf("0 passed, 1 failed: nothing else was counted\n");
	fflush(stdout);
	_exit(EXIT_FAILURE);
}

/* What sanitizers look for: they are to raise a signal. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void)
{
	return "abort_on_error=1";
}

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1";
}

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

	alarm(CASE_SECONDS);
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
	const void *param = NULL;
	bool passed;

	running = (struct running){ .suite = suite, .c = c };
	if (c->generate_params)
		param = c->generate_params(NULL, running.description);
	do {
		passed = run_case(suite, c, param);
		outcomes[passed]++;
		if (!passed)
			print_failed();
		if (param)
			param = c->generate_params(param, running.description);
	} while (param);
	running.suite = NULL;
}

static bool wanted(const struct kunit_suite *suite, const struct kunit_case *c,
		   const char *filter)
{
	char name[256];

	snprintf(name, sizeof(name), "%s.%s", suite->name, c->name);
	return !filter || !fnmatch(filter, name, 0) ||
	       !fnmatch(filter, suite->name, 0);
}

static void print_outcome(const struct kunit_suite *suite,
			  const unsigned int outcomes[2])
{
	if (outcomes[false])
		printf("FAIL  %s: %u cases, %u failed\n", suite->name,
		       outcomes[true] + outcomes[false], outcomes[false]);
	else if (outcomes[true])
		printf("PASS  %s: %u cases\n", suite->name, outcomes[true]);
}

static void print_suites(const char *filter)
{
	const struct kunit_suite *suite;

	printf("No case matches %s, a pattern for SUITE or SUITE.CASE, with:\n",
	       filter);
	for (suite = suites; suite; suite = suite->next)
		printf("  %s\n", suite->name);
}

/* Run the cases whose names match; returns the exit status. */
int kunit_run_all(const char *filter)
{
	unsigned int all[2] = { 0, 0 };
	const struct kunit_suite *suite;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGABRT, end_in_case);
	signal(SIGALRM, end_in_case);
	for (suite = suites; suite; suite = suite->next) {
		unsigned int outcomes[2] = { 0, 0 };
		const struct kunit_case *c;

		for (c = suite->test_cases; c->run_case; c++)
			if (wanted(suite, c, filter))
				run_with_params(suite, c, outcomes);
		print_outcome(suite, outcomes);
		all[true] += outcomes[true];
		all[false] += outcomes[false];
	}
	alarm(0);
	if (filter && !all[true] && !all[false])
		print_suites(filter);
	printf("%u passed, %u failed\n", all[true], all[false]);
	return all[true] && !all[false] ? EXIT_SUCCESS : EXIT_FAILURE;
}
