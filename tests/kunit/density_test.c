// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of which blocks are emptied and when, against
 * a model that has one structure a block.
 */
#include <kunit/test.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/time64.h>

#include "internals.h"

#define NR_BLOCKS	200
#define BLOCK		512UL
#define CLASS_PAGES	(BLOCK / FPR_DENSITY_CLASSES)

/**
 * struct test_zone - a zone as a list of blocks
 * @fill:	what is in each
 * @density:	the same as it is surveyed
 * @plan:	what is planned with it
 * @source:	the plan is to empty the block
 */
struct test_zone {
	struct fpr_fill fill[NR_BLOCKS];
	struct fpr_density density;
	struct fpr_plan plan;
	bool source[NR_BLOCKS];
};

static int density_test_init(struct kunit *test)
{
	test->priv = kunit_kzalloc(test, sizeof(struct test_zone), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, test->priv);
	return 0;
}

static void fill_block(struct fpr_fill *fill, unsigned long used, bool fixed)
{
	*fill = (struct fpr_fill){
		.used = used, .free = BLOCK - used, .fixed = fixed,
	};
}

/* Plan, and follow the plan from the lowest address on. */
static void plan(struct test_zone *tz)
{
	unsigned int i;

	tz->density = (struct fpr_density){ .block_pages = BLOCK };
	for (i = 0; i < NR_BLOCKS; i++)
		fpr_density_add(&tz->density, &tz->fill[i]);
	tz->plan = fpr_make_plan(&tz->density);
	for (i = 0; i < NR_BLOCKS; i++) {
		bool split;

		tz->source[i] = fpr_to_empty(&tz->plan, &tz->fill[i], BLOCK,
					     &split);
		if (tz->source[i] && split)
			tz->plan.split--;
	}
}

static unsigned long nr_sources(const struct test_zone *tz)
{
	unsigned long nr = 0;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		nr += tz->source[i];
	return nr;
}

static bool is_mixed(const struct fpr_fill *fill)
{
	return fill->free && fill->free != BLOCK;
}

/* What has to be moved, and where it could go. */
static void balance(const struct test_zone *tz, unsigned long *used,
		    unsigned long *room)
{
	unsigned int i;

	*used = 0;
	*room = 0;
	for (i = 0; i < NR_BLOCKS; i++) {
		if (tz->source[i])
			*used += tz->fill[i].used;
		else if (is_mixed(&tz->fill[i]))
			*room += tz->fill[i].free;
	}
}

static void fill_at_random(struct test_zone *tz, struct rnd_state *rnd)
{
	/* Rounds differ in how much is whole, full, fixed, and how full. */
	unsigned int whole = prandom_u32_state(rnd) % 4;
	unsigned int fixed = prandom_u32_state(rnd) % 4;
	unsigned int most = 1 + prandom_u32_state(rnd) % BLOCK;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++) {
		bool stays = prandom_u32_state(rnd) % 8 < fixed;
		unsigned long used = prandom_u32_state(rnd) % (most + 1);

		if (prandom_u32_state(rnd) % 8 < whole)
			used = prandom_u32_state(rnd) % 2 ? BLOCK : 0;
		fill_block(&tz->fill[i], used, stays && used);
	}
}

/* The highest class of which a block is emptied. */
static unsigned long fullest_source(const struct test_zone *tz)
{
	unsigned long most = 0;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		if (tz->source[i])
			most = max(most, tz->fill[i].used / CLASS_PAGES);
	return most;
}

static void check_sources(struct kunit *test)
{
	struct test_zone *tz = test->priv;
	unsigned long most = fullest_source(tz);
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++) {
		const struct fpr_fill *fill = &tz->fill[i];

		if (tz->source[i]) {
			KUNIT_EXPECT_FALSE(test, fill->fixed);
			KUNIT_EXPECT_TRUE(test, is_mixed(fill));
			continue;
		}
		/* What is cheaper than the dearest is emptied as well. */
		if (is_mixed(fill) && !fill->fixed)
			KUNIT_EXPECT_GE(test, fill->used / CLASS_PAGES, most);
	}
}

/*
 * Could one more be emptied, of those that are cheap enough?  The model takes
 * the one that has the least in it.
 */
static bool one_more_fits(struct test_zone *tz)
{
	unsigned long used, room;
	int i, least = -1;

	for (i = 0; i < NR_BLOCKS; i++) {
		const struct fpr_fill *fill = &tz->fill[i];

		if (tz->source[i] || !is_mixed(fill) || fill->fixed ||
		    fill->used >= BLOCK * 3 / 4)
			continue;
		if (least < 0 || fill->used < tz->fill[least].used)
			least = i;
	}
	if (least < 0)
		return false;
	balance(tz, &used, &room);
	return used + tz->fill[least].used + tz->fill[least].free <= room;
}

static void test_plan(struct kunit *test)
{
	struct test_zone *tz = test->priv;
	unsigned long used, room;
	struct rnd_state rnd;
	unsigned int round;

	prandom_seed_state(&rnd, 73);
	for (round = 0; round < 500; round++) {
		fill_at_random(tz, &rnd);
		plan(tz);
		balance(tz, &used, &room);
		KUNIT_EXPECT_LE(test, used, room);
		KUNIT_EXPECT_EQ(test, nr_sources(tz), tz->plan.blocks);
		KUNIT_EXPECT_EQ(test, tz->plan.split, 0);
		KUNIT_EXPECT_FALSE(test, one_more_fits(tz));
		check_sources(test);
	}
}

/* No block is both emptied and filled, whatever the order they are met in. */
static void test_never_both(struct kunit *test)
{
	struct fpr_plan plan = { .below = 7, .split = 1 };
	unsigned long used;

	for (used = 0; used <= BLOCK; used++) {
		struct fpr_fill fill;
		bool split;

		fill_block(&fill, used, false);
		KUNIT_EXPECT_FALSE(test,
				   fpr_to_empty(&plan, &fill, BLOCK, &split) &&
				   fpr_to_fill(&plan, &fill, BLOCK, false));
		fill_block(&fill, used, true);
		KUNIT_EXPECT_FALSE(test, fpr_to_empty(&plan, &fill, BLOCK,
						      &split));
		KUNIT_EXPECT_EQ(test, fpr_to_fill(&plan, &fill, BLOCK, false),
				fill.free > 0);
	}
}

static void fill_all(struct test_zone *tz, unsigned long used, bool fixed)
{
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		fill_block(&tz->fill[i], used, fixed);
	plan(tz);
}

/* Of blocks that are half full, half are emptied into the others. */
static void test_plan_of_halves(struct kunit *test)
{
	struct test_zone *tz = test->priv;

	fill_all(tz, BLOCK / 2, false);
	KUNIT_EXPECT_EQ(test, nr_sources(tz), NR_BLOCKS / 2);
	KUNIT_EXPECT_TRUE(test, tz->source[0]);
	KUNIT_EXPECT_FALSE(test, tz->source[NR_BLOCKS - 1]);
}

/* What is whole, full, fixed or nearly full is left alone. */
static void test_plan_of_nothing(struct kunit *test)
{
	struct test_zone *tz = test->priv;

	fill_all(tz, 0, false);
	KUNIT_EXPECT_EQ(test, tz->plan.blocks, 0);
	fill_all(tz, BLOCK, false);
	KUNIT_EXPECT_EQ(test, tz->plan.blocks, 0);
	fill_all(tz, BLOCK / 4, true);
	KUNIT_EXPECT_EQ(test, tz->plan.blocks, 0);
	fill_all(tz, BLOCK * 3 / 4, false);
	KUNIT_EXPECT_EQ(test, tz->plan.blocks, 0);
}

/* What cannot be moved offers room all the same. */
static void test_fixed_offers_room(struct kunit *test)
{
	struct test_zone *tz = test->priv;
	unsigned int i;

	for (i = 0; i < NR_BLOCKS; i++)
		fill_block(&tz->fill[i], BLOCK / 4, i % 2);
	plan(tz);
	KUNIT_EXPECT_EQ(test, nr_sources(tz), NR_BLOCKS / 2);
	KUNIT_EXPECT_TRUE(test, tz->source[0] && !tz->source[1]);
}

/* Where much is neither free nor used, somebody has it who is not known. */
static void test_stray_pages(struct kunit *test)
{
	struct fpr_fill fill = { .used = BLOCK / 4 };
	struct fpr_plan plan = { .below = FPR_DENSITY_CLASSES / 2 };
	bool split;

	fill.free = BLOCK - fill.used - BLOCK / 16;
	KUNIT_EXPECT_TRUE(test, fpr_to_empty(&plan, &fill, BLOCK, &split));
	fill.free--;
	KUNIT_EXPECT_FALSE(test, fpr_to_empty(&plan, &fill, BLOCK, &split));
	KUNIT_EXPECT_TRUE(test, fpr_to_fill(&plan, &fill, BLOCK, false));
}

/* === When === */

/* A zone as it is looked at, with a run that was over long ago. */
static struct fpr_look quiet_look(struct fpr_watch *watch)
{
	struct fpr_look look = {
		.now = 1000 * HZ, .fragments = 9000, .threshold = 2048,
	};

	*watch = (struct fpr_watch){ .wait = FPR_RUN_WAIT };
	return look;
}

/* Look again as often as it asks for, for so long.  Returns when it would run. */
static u32 look_for(struct fpr_watch *watch, struct fpr_look *look, u32 time,
		    unsigned long allocated_each)
{
	u32 begin = look->now;

	while (look->now - begin <= time) {
		u32 next = fpr_until_run(watch, look);

		if (!next)
			return look->now - begin;
		look->now += next;
		look->allocated += allocated_each;
	}
	return FPR_NEVER;
}

static void test_runs_when_calm(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = quiet_look(&watch);

	look.allocated = 1 << 20;
	KUNIT_EXPECT_EQ(test, look_for(&watch, &look, 60 * HZ, 100),
			FPR_CALM_TIME);
}

static void test_waits_while_busy(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = quiet_look(&watch);

	KUNIT_EXPECT_EQ(test, look_for(&watch, &look, 60 * HZ, 50000),
			FPR_NEVER);
	KUNIT_EXPECT_EQ(test, look_for(&watch, &look, 60 * HZ, 100),
			FPR_CALM_TIME);
}

static void test_waits_for_fragments(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = quiet_look(&watch);

	look.fragments = look.threshold - 1;
	KUNIT_EXPECT_EQ(test, look_for(&watch, &look, 60 * HZ, 0), FPR_NEVER);
	look.fragments = look.threshold;
	KUNIT_EXPECT_LE(test, look_for(&watch, &look, 60 * HZ, 0),
			FPR_LOOK_SELDOM + FPR_CALM_TIME);
}

/* A zone as it is looked at when a run that was worth it has just ended. */
static struct fpr_look look_after_run(struct fpr_watch *watch)
{
	struct fpr_look look = quiet_look(watch);

	look_for(watch, &look, 60 * HZ, 0);
	fpr_run_over(watch, &look, FPR_RUN_WORTH_IT, true);
	return look;
}

/* The next run comes after this time, or with the first look after that. */
static void expect_next_run(struct kunit *test, struct fpr_watch *watch,
			    struct fpr_look *look, u32 wait)
{
	u32 again = look_for(watch, look, 2 * FPR_RUN_WAIT_MAX, 0);

	KUNIT_EXPECT_GE(test, again, wait);
	KUNIT_EXPECT_LE(test, again, wait + FPR_LOOK_SELDOM);
}

/* What a run has left is tried again after a long time only. */
static void test_not_again(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = look_after_run(&watch);

	expect_next_run(test, &watch, &look, FPR_RUN_WAIT_MAX);
}

/* More of it is reason enough, but not at once. */
static void test_again_for_more(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = look_after_run(&watch);

	look.fragments += look.threshold;
	expect_next_run(test, &watch, &look, FPR_RUN_WAIT);
}

/* So is as much as before, if it was used in between. */
static void test_again_for_new(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = look_after_run(&watch);
	u32 again;

	look.fragments -= look.threshold;
	look.now += FPR_LOOK_SELDOM;
	fpr_until_run(&watch, &look);
	look.fragments += look.threshold;
	again = look_for(&watch, &look, 2 * FPR_RUN_WAIT_MAX, 0);
	KUNIT_EXPECT_LE(test, again, FPR_RUN_WAIT + FPR_LOOK_SELDOM);
}

/* Runs in vain come ever less often; one that was worth it forgives that. */
static void test_in_vain(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = quiet_look(&watch);
	u32 wait = watch.wait;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		fpr_run_over(&watch, &look, FPR_RUN_IN_VAIN, false);
		wait = min(wait * 2, FPR_RUN_WAIT_MAX);
		KUNIT_EXPECT_EQ(test, watch.wait, wait);
	}
	KUNIT_EXPECT_EQ(test, watch.wait, FPR_RUN_WAIT_MAX);
	fpr_run_over(&watch, &look, FPR_RUN_WORTH_IT, true);
	KUNIT_EXPECT_EQ(test, watch.wait, FPR_RUN_WAIT);
}

/* One that was cut off goes on, and is not held against the zone. */
static void test_cut_off(struct kunit *test)
{
	struct fpr_watch watch;
	struct fpr_look look = quiet_look(&watch);

	fpr_run_over(&watch, &look, FPR_RUN_CUT_OFF, true);
	KUNIT_EXPECT_EQ(test, watch.wait, FPR_RUN_WAIT);
	expect_next_run(test, &watch, &look, FPR_RUN_WAIT);

	/* Unless it is for nothing again and again. */
	fpr_run_over(&watch, &look, FPR_RUN_CUT_OFF, false);
	KUNIT_EXPECT_EQ(test, watch.wait, 2 * FPR_RUN_WAIT);
	expect_next_run(test, &watch, &look, 2 * FPR_RUN_WAIT);
}

/* A burst is one however long the zone was not looked at. */
static void test_burst(struct kunit *test)
{
	unsigned long most = (SZ_16M >> PAGE_SHIFT) + (SZ_8M >> PAGE_SHIFT);

	KUNIT_EXPECT_TRUE(test, fpr_calm(most, HZ));
	KUNIT_EXPECT_FALSE(test, fpr_calm(most + 1, HZ));
	KUNIT_EXPECT_TRUE(test, fpr_calm(SZ_8M >> PAGE_SHIFT, 0));
	KUNIT_EXPECT_FALSE(test, fpr_calm(most * 4, 3600 * HZ));
}

/* No more than the share of a CPU, though a part of the first jiffy is over. */
static void test_rest(struct kunit *test)
{
	static const u64 busy_ms[] = { 0, 1, 4, 10, 100, 3000 };
	unsigned int i, percent;

	for (i = 0; i < ARRAY_SIZE(busy_ms); i++) {
		for (percent = 1; percent <= 100; percent++) {
			u64 busy = busy_ms[i] * NSEC_PER_MSEC;
			u64 least = div_u64(busy * (100 - percent), percent);
			u64 rest = fpr_rest_us(busy, percent);

			KUNIT_EXPECT_GE(test, rest * NSEC_PER_USEC, least);
			KUNIT_EXPECT_LE(test, rest * NSEC_PER_USEC,
					least + NSEC_PER_USEC);
		}
	}
}

static struct kunit_case density_cases[] = {
	KUNIT_CASE(test_plan),
	KUNIT_CASE(test_never_both),
	KUNIT_CASE(test_plan_of_halves),
	KUNIT_CASE(test_plan_of_nothing),
	KUNIT_CASE(test_fixed_offers_room),
	KUNIT_CASE(test_stray_pages),
	KUNIT_CASE(test_runs_when_calm),
	KUNIT_CASE(test_waits_while_busy),
	KUNIT_CASE(test_waits_for_fragments),
	KUNIT_CASE(test_not_again),
	KUNIT_CASE(test_again_for_more),
	KUNIT_CASE(test_again_for_new),
	KUNIT_CASE(test_in_vain),
	KUNIT_CASE(test_cut_off),
	KUNIT_CASE(test_burst),
	KUNIT_CASE(test_rest),
	{}
};

static struct kunit_suite density_suite = {
	.name = "page_reporting_density",
	.init = density_test_init,
	.test_cases = density_cases,
};

kunit_test_suite(density_suite);
