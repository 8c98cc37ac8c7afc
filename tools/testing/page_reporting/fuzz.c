// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting in user space: a libFuzzer target of the tracker.
 *
 * The steps are those of the KUnit suite, and so is the model that each one is
 * compared with; what the suite takes from a random number generator is taken
 * from the input of the fuzzer.
 */
#include "kunit.h"

/* The steps are not for others to call. */
#include <tracker_test.c>

#define MAX_SEGMENTS	4

static const uint8_t *input;
static size_t input_left;

/* A number below 65536: more than there are blocks. */
static u32 next_number(void)
{
	u32 number;

	if (input_left < 2) {
		input_left = 0;
		return 0;
	}
	number = input[0] | input[1] << 8;
	input += 2;
	input_left -= 2;
	return number;
}

void prandom_seed_state(struct rnd_state *state, u64 seed)
{
}

/*
 * A state other than 0 stands for what is set up, where the input would be
 * wasted; the low bits of it are those that matter.
 */
u32 prandom_u32_state(struct rnd_state *state)
{
	if (!state->state)
		return next_number();
	state->state = state->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return state->state >> 33;
}

/* A zone of a few segments, anywhere, which begins and ends anywhere. */
static struct geometry any_geometry(void)
{
	unsigned int order = next_number() % NR_PAGE_ORDERS;
	unsigned long span = MAX_SEGMENTS * SEGMENT(order);
	unsigned long start = next_number() * 3UL % span;

	if (next_number() % 2)
		start += HIGH_PFN;
	return (struct geometry){
		.name = "any",
		.order = order,
		.start_pfn = start,
		.end_pfn = start + 1 + next_number() * 7UL % span,
		.hole_every = next_number() % MAX_SEGMENTS,
	};
}

static void run_steps(struct kunit *test, const struct geometry *geometry)
{
	struct tracker_test *tt = test->priv;

	test->param_value = geometry;
	tt->now = -next_number();
	tt->rnd.state = next_number() | 1;
	set_up(test);
	tt->rnd.state = 0;
	assert_same(test, "set-up");
	while (input_left && !test->failed) {
		steps[random_below(tt, ARRAY_SIZE(steps))](test);
		tt->now += random_below(tt, 40);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct geometry geometry;
	struct kunit test = {};

	input = data;
	input_left = size;
	geometry = any_geometry();
	kunit_begin(&test, &tracker_suite);
	if (!setjmp(test.stop))
		run_steps(&test, &geometry);
	if (test.failed) {
		printf("order %u, page frames %lu to %lu, holes %u\n",
		       geometry.order, geometry.start_pfn, geometry.end_pfn,
		       geometry.hole_every);
		fflush(stdout);
		abort();
	}
	kunit_end(&test, &tracker_suite);
	return 0;
}
