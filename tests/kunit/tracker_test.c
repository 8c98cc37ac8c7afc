// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of the tracker on synthetic zones, against
 * a model with one plain structure a block and no bit arithmetic.
 */
#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "internals.h"

#define STEPS		400
#define MAX_BLOCKS	24000

struct geometry {
	const char *name;
	unsigned int order;
	unsigned long start_pfn;
	unsigned long end_pfn;
	unsigned int hole_every;	/* which segments are missing, 0: none */
};

#define SEGMENT(order)	((unsigned long)BITS_PER_LONG << (order))

/* As far up as a page frame number can be, and a segment of any order fits. */
#define HIGH_PFN	(1UL << (BITS_PER_LONG == 64 ? 48 : 19))

static const struct geometry geometries[] = {
	{ "one block", 9, 0, 512, 0 },
	{ "one page", 0, 77, 78, 0 },
	{ "one segment", 9, 0, SEGMENT(9), 0 },
	{ "one segment, inside", 9, 5 * 512, 40 * 512, 0 },
	{ "across a border", 9, SEGMENT(9) - 512, SEGMENT(9) + 512, 0 },
	{ "two segments, late start", 9, 512 * 3, 2 * SEGMENT(9), 0 },
	{ "starts inside a block", 9, 1000, 3 * SEGMENT(9) + 77, 0 },
	{ "order 0", 0, 0, 1000, 0 },
	{ "order 0, many segments", 0, 4097, 24000, 0 },
	{ "order 0, holes", 0, 1, 20000, 3 },
	{ "order 1", 1, 2, 12345, 5 },
	{ "order 5, half of it holes", 5, 32 * 7, 32 * 4000, 2 },
	{ "largest order", MAX_PAGE_ORDER, 0, 40 * SEGMENT(MAX_PAGE_ORDER), 7 },
	{ "largest order, odd", MAX_PAGE_ORDER, MAX_ORDER_NR_PAGES,
	  10 * SEGMENT(MAX_PAGE_ORDER) - 3, 0 },
	{ "high", 9, HIGH_PFN, HIGH_PFN + 10 * SEGMENT(9), 4 },
	{ "high, odd", 4, HIGH_PFN + 16 * 11, HIGH_PFN + 16 * 999, 0 },
};

KUNIT_ARRAY_PARAM_DESC(geometry, geometries, name);

/* A block as the model sees it. */
struct model_block {
	bool present;
	bool pending;
	bool reported;
	bool fresh;	/* not used since it is tracked */
	u32 stamp;
};

struct tracker_test {
	const struct geometry *geometry;
	struct zone zone;
	struct fpr_zone *fz;
	struct rnd_state rnd;
	u32 now;

	/* the model */
	struct model_block *blocks;
	unsigned long first_block;	/* the number of blocks[0] */
	unsigned long nr_blocks;
	unsigned long block_pages;
	u32 since;

	/* room for the results */
	struct fpr_age_histogram *histogram;
	unsigned long *found;
	unsigned int nr_found;
	unsigned long *expected;
	unsigned int nr_expected;
};

/* === The model === */

static unsigned long pages_of_order(unsigned int order)
{
	unsigned long pages = 1;

	while (order--)
		pages *= 2;
	return pages;
}

static struct model_block *model_block(struct tracker_test *tt,
				       unsigned long pfn)
{
	unsigned long number = pfn / tt->block_pages;

	if (number < tt->first_block ||
	    number >= tt->first_block + tt->nr_blocks)
		return NULL;
	return &tt->blocks[number - tt->first_block];
}

static unsigned long model_pfn(struct tracker_test *tt, unsigned long i)
{
	return (tt->first_block + i) * tt->block_pages;
}

static unsigned long model_nr_pending(struct tracker_test *tt)
{
	unsigned long i, nr = 0;

	for (i = 0; i < tt->nr_blocks; i++)
		nr += tt->blocks[i].pending;
	return nr;
}

static void model_set_pending(struct tracker_test *tt, unsigned long pfn)
{
	struct model_block *block = model_block(tt, pfn);

	if (!block || !block->present)
		return;
	block->pending = true;
	block->fresh = false;
	block->reported = false;
	block->stamp = tt->now;
}

/* @waited says whether anything was pending before the last change. */
static void model_note_since(struct tracker_test *tt, bool waited)
{
	if (!waited && model_nr_pending(tt))
		tt->since = tt->now;
}

static bool model_due(struct tracker_test *tt, unsigned long i, u32 age)
{
	return tt->blocks[i].pending && tt->now - tt->blocks[i].stamp >= age;
}

/* === The tracker under test === */

static void free_tracker(void *context)
{
	struct tracker_test *tt = context;

	fpr_zone_free(tt->fz);
}

static void add_segment(struct kunit *test, unsigned long index,
			unsigned long first)
{
	struct tracker_test *tt = test->priv;
	struct fpr_segment *segment;
	unsigned long pending = 0;
	unsigned int bit;

	for (bit = 0; bit < BITS_PER_LONG; bit++) {
		struct model_block *block = &tt->blocks[first + bit];

		block->present = true;
		block->stamp = tt->now;
		block->pending = prandom_u32_state(&tt->rnd) % 2;
		block->fresh = block->pending;
		if (block->pending)
			pending |= 1UL << bit;
	}
	segment = fpr_segment_alloc(pending, NUMA_NO_NODE, tt->now);
	KUNIT_ASSERT_NOT_NULL(test, segment);
	spin_lock_irq(&tt->zone.lock);
	fpr_segment_install(tt->fz, index, segment);
	spin_unlock_irq(&tt->zone.lock);
}

/* Make the tracker and the model of a geometry; some blocks are pending. */
static void set_up(struct kunit *test)
{
	const struct geometry *g = test->param_value;
	struct tracker_test *tt = test->priv;
	unsigned long first, last, i;

	tt->geometry = g;
	tt->block_pages = pages_of_order(g->order);
	first = g->start_pfn / tt->block_pages / BITS_PER_LONG;
	last = (g->end_pfn - 1) / tt->block_pages / BITS_PER_LONG;
	tt->first_block = first * BITS_PER_LONG;
	tt->nr_blocks = (last - first + 1) * BITS_PER_LONG;
	KUNIT_ASSERT_LE(test, tt->nr_blocks, MAX_BLOCKS);

	tt->blocks = kunit_kcalloc(test, tt->nr_blocks, sizeof(*tt->blocks),
				   GFP_KERNEL);
	tt->histogram = kunit_kzalloc(test, sizeof(*tt->histogram), GFP_KERNEL);
	tt->found = kunit_kcalloc(test, tt->nr_blocks, sizeof(long),
				  GFP_KERNEL);
	tt->expected = kunit_kcalloc(test, tt->nr_blocks, sizeof(long),
				     GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tt->blocks);
	KUNIT_ASSERT_NOT_NULL(test, tt->histogram);
	KUNIT_ASSERT_NOT_NULL(test, tt->found);
	KUNIT_ASSERT_NOT_NULL(test, tt->expected);

	tt->fz = fpr_zone_alloc(&tt->zone, g->start_pfn, g->end_pfn, g->order);
	KUNIT_ASSERT_NOT_NULL(test, tt->fz);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_tracker, tt));
	KUNIT_ASSERT_EQ(test, tt->fz->nr_segments, last - first + 1);
	for (i = 0; i < tt->fz->nr_segments; i++)
		if (!g->hole_every || (i + 1) % g->hole_every)
			add_segment(test, i, i * BITS_PER_LONG);
	tt->since = tt->now;
	tt->fz->since = tt->now;
}

static bool same_block(struct tracker_test *tt, unsigned long i)
{
	struct fpr_zone *fz = tt->fz;
	struct model_block *block = &tt->blocks[i];
	/* Nobody else knows this tracker. */
	struct fpr_segment *segment =
		rcu_dereference_protected(fz->segments[i / BITS_PER_LONG],
					  true);
	unsigned long bit = 1UL << i % BITS_PER_LONG;

	if (!segment)
		return !block->present;
	return block->present && !!(segment->pending & bit) == block->pending &&
	       !!(segment->reported & bit) == block->reported &&
	       !!(segment->fresh & bit) == block->fresh &&
	       segment->stamp[i % BITS_PER_LONG] == block->stamp;
}

static bool same_summary(struct tracker_test *tt, unsigned long index)
{
	bool pending = false;
	unsigned int bit;

	for (bit = 0; bit < BITS_PER_LONG; bit++)
		pending |= tt->blocks[index * BITS_PER_LONG + bit].pending;
	return test_bit(index, tt->fz->summary) == pending;
}

/* Compare everything; stop the test where the first difference is. */
static void assert_same(struct kunit *test, const char *what)
{
	struct tracker_test *tt = test->priv;
	unsigned long i;

	for (i = 0; i < tt->nr_blocks; i++)
		KUNIT_ASSERT_TRUE_MSG(test, same_block(tt, i),
				      "block %lu after %s", i, what);
	for (i = 0; i < tt->nr_blocks / BITS_PER_LONG; i++)
		KUNIT_ASSERT_TRUE_MSG(test, same_summary(tt, i),
				      "segment %lu after %s", i, what);
	KUNIT_ASSERT_EQ_MSG(test, tt->fz->nr_pending, model_nr_pending(tt),
			    "after %s", what);
	KUNIT_ASSERT_EQ_MSG(test, tt->fz->since, tt->since, "after %s", what);
}

/* === Steps === */

static unsigned long random_below(struct tracker_test *tt, unsigned long n)
{
	return prandom_u32_state(&tt->rnd) % n;
}

static struct fpr_range random_range(struct tracker_test *tt)
{
	unsigned long first = random_below(tt, tt->nr_blocks);
	unsigned long nr = 1 + random_below(tt, min(tt->nr_blocks - first,
						    100UL));

	return (struct fpr_range){ .pfn = model_pfn(tt, first),
				   .nr_pages = nr * tt->block_pages };
}

/* Pages are freed as blocks of the allocator, larger or smaller than ours. */
static void step_mark_freed(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned int order = random_below(tt, MAX_PAGE_ORDER + 1);
	unsigned long size = pages_of_order(order);
	unsigned long span = tt->nr_blocks * tt->block_pages;
	unsigned long pfn = model_pfn(tt, 0) + random_below(tt, span);
	unsigned long backed, expected = 0, page, last = ULONG_MAX;
	bool waited = model_nr_pending(tt);

	pfn -= pfn % size;
	for (page = pfn; page < pfn + size; page++) {
		struct model_block *block = model_block(tt, page);

		if (page / tt->block_pages == last)
			continue;
		last = page / tt->block_pages;
		if (block && block->reported)
			expected++;
		model_set_pending(tt, page);
	}
	model_note_since(tt, waited);

	spin_lock_irq(&tt->zone.lock);
	backed = fpr_mark_freed(tt->fz, pfn, order, tt->now);
	spin_unlock_irq(&tt->zone.lock);
	KUNIT_EXPECT_EQ(test, backed, expected);
	assert_same(test, "mark_freed");
}

static void step_mark_pending(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_range range = random_range(tt);
	bool waited = model_nr_pending(tt);
	unsigned long i;

	for (i = 0; i < range.nr_pages; i += tt->block_pages)
		model_set_pending(tt, range.pfn + i);
	model_note_since(tt, waited);
	spin_lock_irq(&tt->zone.lock);
	fpr_mark_pending(tt->fz, &range, tt->now);
	spin_unlock_irq(&tt->zone.lock);
	assert_same(test, "mark_pending");
}

static void step_drop(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_range range = random_range(tt);
	unsigned long i;

	for (i = 0; i < range.nr_pages; i += tt->block_pages) {
		struct model_block *block = model_block(tt, range.pfn + i);

		block->pending = false;
		block->reported = false;
		block->fresh = false;
	}
	spin_lock_irq(&tt->zone.lock);
	fpr_drop(tt->fz, &range);
	spin_unlock_irq(&tt->zone.lock);
	assert_same(test, "drop");
}

static void step_mark_reported(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_range range = random_range(tt);
	unsigned long i, used, expected = 0;

	for (i = 0; i < range.nr_pages; i += tt->block_pages) {
		struct model_block *block = model_block(tt, range.pfn + i);

		if (!block->present || block->pending)
			continue;
		expected += !block->fresh;
		block->fresh = false;
		block->reported = true;
		block->stamp = tt->now;
	}
	spin_lock_irq(&tt->zone.lock);
	used = fpr_mark_reported(tt->fz, &range, tt->now);
	spin_unlock_irq(&tt->zone.lock);
	KUNIT_EXPECT_EQ(test, used, expected);
	assert_same(test, "mark_reported");
}

static void step_clear_pending(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned long i = random_below(tt, tt->nr_blocks);
	bool cleared;

	spin_lock_irq(&tt->zone.lock);
	cleared = fpr_clear_pending(tt->fz, model_pfn(tt, i));
	spin_unlock_irq(&tt->zone.lock);
	KUNIT_EXPECT_EQ(test, cleared, tt->blocks[i].pending);
	tt->blocks[i].pending = false;
	assert_same(test, "clear_pending");
}

static void step_restamp(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned long i = random_below(tt, tt->nr_blocks);
	bool pending;

	spin_lock_irq(&tt->zone.lock);
	pending = fpr_restamp(tt->fz, model_pfn(tt, i), tt->now);
	spin_unlock_irq(&tt->zone.lock);
	KUNIT_EXPECT_EQ(test, pending, tt->blocks[i].pending);
	if (pending)
		tt->blocks[i].stamp = tt->now;
	assert_same(test, "restamp");
}

/* All that was reported is pending once more, and keeps what it knows. */
static void step_forget_reported(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	bool waited = model_nr_pending(tt);
	unsigned long i;

	for (i = 0; i < tt->nr_blocks; i++) {
		struct model_block *block = &tt->blocks[i];

		if (!block->reported || block->pending)
			continue;
		block->pending = true;
		block->fresh = true;
		block->stamp = tt->now;
	}
	model_note_since(tt, waited);
	spin_lock_irq(&tt->zone.lock);
	for (i = 0; i < tt->fz->nr_segments; i++)
		fpr_forget_reported(tt->fz, i, tt->now);
	spin_unlock_irq(&tt->zone.lock);
	assert_same(test, "forget_reported");
}

static void expect_due(struct tracker_test *tt, u32 age)
{
	unsigned long i;

	tt->nr_expected = 0;
	for (i = 0; i < tt->nr_blocks; i++)
		if (model_due(tt, i, age))
			tt->expected[tt->nr_expected++] = model_pfn(tt, i);
}

static void assert_found(struct kunit *test, const char *what)
{
	struct tracker_test *tt = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ_MSG(test, tt->nr_found, tt->nr_expected, "%s", what);
	for (i = 0; i < tt->nr_found; i++)
		KUNIT_ASSERT_EQ_MSG(test, tt->found[i], tt->expected[i],
				    "%s, block %u", what, i);
}

/* One look at the zone finds every due block, and when the next will be. */
static void step_collect(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	u32 age = random_below(tt, 400), next = FPR_NEVER;
	struct fpr_scan scan = {
		.now = tt->now, .age = age, .next = FPR_NEVER,
	};
	unsigned long i;

	expect_due(tt, age);
	for (i = 0; i < tt->nr_blocks; i++)
		if (tt->blocks[i].pending && !model_due(tt, i, age))
			next = min(next, tt->blocks[i].stamp + age - tt->now);

	rcu_read_lock();
	tt->nr_found = fpr_collect(tt->fz, &scan, tt->found, tt->nr_blocks);
	rcu_read_unlock();
	assert_found(test, "collect");
	KUNIT_ASSERT_EQ(test, scan.next, next);
	assert_same(test, "collect");
}

static void clear_found(struct tracker_test *tt, unsigned int from)
{
	unsigned int i;

	spin_lock_irq(&tt->zone.lock);
	for (i = from; i < tt->nr_found; i++)
		fpr_clear_pending(tt->fz, tt->found[i]);
	spin_unlock_irq(&tt->zone.lock);
	for (i = from; i < tt->nr_found; i++)
		model_block(tt, tt->found[i])->pending = false;
}

/*
 * In small portions, each reported, or all left as they are, before the next:
 * none lost or twice.
 */
static void step_drain(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned int max = 1 + random_below(tt, 90);
	u32 age = random_below(tt, 200);
	bool leave = random_below(tt, 2);
	struct fpr_scan scan = {
		.now = tt->now, .age = age, .next = FPR_NEVER,
	};

	expect_due(tt, age);
	tt->nr_found = 0;
	for (;;) {
		unsigned int room = min(max, (unsigned int)tt->nr_blocks -
					     tt->nr_found);
		unsigned int nr;

		if (!room)
			break;
		rcu_read_lock();
		nr = fpr_collect(tt->fz, &scan, tt->found + tt->nr_found,
				 room);
		rcu_read_unlock();
		if (!nr)
			break;
		KUNIT_ASSERT_LE(test, nr, room);
		tt->nr_found += nr;
		if (!leave)
			clear_found(tt, tt->nr_found - nr);
	}
	assert_found(test, "drain");
	assert_same(test, "drain");
}

/*
 * In portions, while others use memory in between: what is found next is what
 * is still due, from where the last portion ended.
 */
static void step_collect_in_use(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned int max = 1 + random_below(tt, 90);
	u32 age = random_below(tt, 200);
	struct fpr_scan scan = {
		.now = tt->now, .age = age, .next = FPR_NEVER,
	};
	unsigned long i = 0, used;

	do {
		tt->nr_expected = 0;
		for (; i < tt->nr_blocks && tt->nr_expected < max; i++)
			if (model_due(tt, i, age))
				tt->expected[tt->nr_expected++] =
					model_pfn(tt, i);
		rcu_read_lock();
		tt->nr_found = fpr_collect(tt->fz, &scan, tt->found, max);
		rcu_read_unlock();
		assert_found(test, "collect in use");
		/* All that is left of a segment, often. */
		used = min(i + random_below(tt, 2 * BITS_PER_LONG),
			   tt->nr_blocks);
		for (tt->nr_found = 0; i < used; i++)
			tt->found[tt->nr_found++] = model_pfn(tt, i);
		clear_found(tt, 0);
	} while (tt->nr_expected == max);
	assert_same(test, "collect in use");
}

static void step_next_due(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned long from = random_below(tt, tt->nr_blocks);
	unsigned long to = from + random_below(tt, tt->nr_blocks - from + 1);
	u32 age = random_below(tt, 300);
	struct fpr_scan scan = { .now = tt->now, .age = age };
	unsigned long first = from, end;
	struct fpr_range range;
	bool found;

	while (first < to && !model_due(tt, first, age))
		first++;
	for (end = first; end < to && model_due(tt, end, age); end++)
		;

	spin_lock_irq(&tt->zone.lock);
	found = fpr_next_due(tt->fz, model_pfn(tt, from), model_pfn(tt, to),
			     &scan, &range);
	spin_unlock_irq(&tt->zone.lock);
	KUNIT_ASSERT_EQ(test, found, first < end);
	if (!found)
		return;
	KUNIT_ASSERT_EQ(test, range.pfn, model_pfn(tt, first));
	KUNIT_ASSERT_EQ(test, range.nr_pages, (end - first) * tt->block_pages);
}

#ifdef CONFIG_PAGE_REPORTING_RETAIN
static unsigned long count_pending(struct tracker_test *tt, u32 from, u32 to)
{
	unsigned long i, nr = 0;

	for (i = 0; i < tt->nr_blocks; i++)
		nr += tt->blocks[i].pending &&
		      tt->now - tt->blocks[i].stamp >= from &&
		      tt->now - tt->blocks[i].stamp < to;
	return nr;
}

static void step_histogram(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	u32 ceiling = random_below(tt, 1000);
	unsigned int i;
	u32 width;

	rcu_read_lock();
	fpr_build_histogram(tt->fz, tt->histogram, tt->now, ceiling);
	rcu_read_unlock();
	width = tt->histogram->width;
	KUNIT_ASSERT_GT(test, FPR_AGE_BUCKETS * width, ceiling);
	for (i = 0; i < FPR_AGE_BUCKETS - 1; i++)
		KUNIT_ASSERT_EQ_MSG(test, tt->histogram->blocks[i],
				    count_pending(tt, i * width,
						  (i + 1) * width),
				    "bucket %u", i);
	KUNIT_ASSERT_EQ(test, tt->histogram->blocks[i],
			count_pending(tt, i * width, U32_MAX));
}

/*
 * Collect in portions, of which sometimes only a part can be dealt with: the
 * scan goes back to the first block that was left over.
 */
static void collect_with_rewinds(struct tracker_test *tt, struct fpr_scan *scan)
{
	unsigned int nr, done, room;

	tt->nr_found = 0;
	do {
		room = min((unsigned int)tt->nr_blocks - tt->nr_found,
			   1U + (unsigned int)random_below(tt, 90));
		rcu_read_lock();
		nr = fpr_collect(tt->fz, scan, tt->found + tt->nr_found, room);
		rcu_read_unlock();
		done = nr ? 1 + random_below(tt, nr) : 0;
		tt->nr_found += done;
		clear_found(tt, tt->nr_found - done);
		if (done == nr)
			continue;
		spin_lock_irq(&tt->zone.lock);
		fpr_rewind(tt->fz, scan, tt->found + tt->nr_found, nr - done);
		spin_unlock_irq(&tt->zone.lock);
	} while (nr && room);
}

/*
 * Of the blocks that are old enough, some are retained: the youngest, as far as
 * the buckets of the histogram tell, and none for longer than the ceiling.
 */
static void step_retain(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_scan scan = { .now = tt->now, .next = FPR_NEVER };
	u32 ceiling = 1 + random_below(tt, 1000);
	unsigned long retained = random_below(tt, tt->nr_blocks + 10);
	unsigned long i, young, certain;
	u32 width, youngest = U32_MAX;

	rcu_read_lock();
	fpr_build_histogram(tt->fz, tt->histogram, tt->now, ceiling);
	rcu_read_unlock();
	fpr_choose_age(&scan, tt->histogram, retained, 0, ceiling);
	width = tt->histogram->width;
	young = count_pending(tt, 0, ceiling);
	certain = ceiling > width ? count_pending(tt, 0, ceiling - width) : 0;

	collect_with_rewinds(tt, &scan);
	assert_same(test, "retain");
	KUNIT_ASSERT_LE(test, model_nr_pending(tt), min(retained, young));
	KUNIT_ASSERT_GE(test, model_nr_pending(tt), min(retained, certain));
	for (i = 0; i < tt->nr_found; i++)
		youngest = min(youngest, tt->now -
			       model_block(tt, tt->found[i])->stamp);
	if (tt->nr_found)
		KUNIT_ASSERT_EQ(test, 0, count_pending(tt, youngest + width,
						       U32_MAX));
}

#endif /* CONFIG_PAGE_REPORTING_RETAIN */

/* Freeing is what happens most; draining is rare, so that blocks gather. */
static void (*const steps[])(struct kunit *test) = {
	step_mark_freed, step_mark_freed, step_mark_freed, step_mark_freed,
	step_mark_pending, step_drop, step_mark_reported, step_mark_reported,
	step_clear_pending, step_clear_pending, step_restamp, step_collect,
	step_collect, step_next_due, step_next_due, step_drain,
	step_collect_in_use, step_forget_reported,
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	step_histogram, step_retain,
#endif
};

/* === Cases === */

static void test_random_steps(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned int i;

	set_up(test);
	assert_same(test, "set-up");
	for (i = 0; i < STEPS; i++) {
		steps[random_below(tt, ARRAY_SIZE(steps))](test);
		tt->now += random_below(tt, 40);
		cond_resched();
	}
}

/* Where a page frame is, by the inline helpers. */
static void test_index_arithmetic(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	unsigned long i;

	set_up(test);
	KUNIT_EXPECT_EQ(test, fpr_block_pages(tt->fz), tt->block_pages);
	for (i = 0; i < tt->nr_blocks; i++) {
		unsigned long pfn = model_pfn(tt, i);
		unsigned long last = pfn + tt->block_pages - 1;
		unsigned long index = i / BITS_PER_LONG;

		KUNIT_ASSERT_EQ(test, fpr_segment_index(tt->fz, pfn), index);
		KUNIT_ASSERT_EQ(test, fpr_segment_index(tt->fz, last), index);
		KUNIT_ASSERT_EQ(test, fpr_block_bit(tt->fz, pfn),
				i % BITS_PER_LONG);
		KUNIT_ASSERT_EQ(test, fpr_block_bit(tt->fz, last),
				i % BITS_PER_LONG);
		if (!(i % BITS_PER_LONG))
			KUNIT_ASSERT_EQ(test, fpr_segment_pfn(tt->fz, index),
					pfn);
	}
}

/* What lies outside of the zone has no block, and is left alone. */
static void test_outside(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_scan scan = { .now = tt->now, .ceiling = 1 };
	unsigned long outside[2];
	unsigned int i;

	set_up(test);
	outside[0] = model_pfn(tt, tt->nr_blocks);
	outside[1] = model_pfn(tt, 0) - tt->block_pages;
	spin_lock_irq(&tt->zone.lock);
	for (i = 0; i < ARRAY_SIZE(outside); i++) {
		struct fpr_range range = {
			.pfn = outside[i], .nr_pages = tt->block_pages,
		};

		KUNIT_EXPECT_EQ(test, 0,
				fpr_mark_freed(tt->fz, range.pfn,
					       tt->geometry->order, tt->now));
		fpr_mark_pending(tt->fz, &range, tt->now);
		KUNIT_EXPECT_EQ(test, 0, fpr_mark_reported(tt->fz, &range,
							   tt->now));
		KUNIT_EXPECT_FALSE(test, fpr_clear_pending(tt->fz, range.pfn));
		KUNIT_EXPECT_FALSE(test, fpr_restamp(tt->fz, range.pfn,
						     tt->now));
		KUNIT_EXPECT_FALSE(test, fpr_block_due(tt->fz, range.pfn,
						       &scan));
		fpr_move_run(tt->fz, &range);
	}
	fpr_forget_reported(tt->fz, tt->fz->nr_segments, tt->now);
	spin_unlock_irq(&tt->zone.lock);
	assert_same(test, "frames outside");
}

/* A segment that goes takes its pending blocks along, and can come back. */
static void test_remove_segments(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_segment *segment;
	unsigned long i, bit;

	set_up(test);
	for (i = 0; i < tt->fz->nr_segments; i += 2) {
		bool present = tt->blocks[i * BITS_PER_LONG].present;

		spin_lock_irq(&tt->zone.lock);
		segment = fpr_segment_remove(tt->fz, i);
		spin_unlock_irq(&tt->zone.lock);
		KUNIT_EXPECT_EQ(test, !!segment, present);
		kfree(segment);
		for (bit = 0; bit < BITS_PER_LONG; bit++)
			tt->blocks[i * BITS_PER_LONG + bit] =
				(struct model_block){};
	}
	assert_same(test, "removal");
	step_mark_freed(test);
	add_segment(test, 0, 0);
	assert_same(test, "return");
}

/* A longer tracker knows all that the one knew whose place it takes. */
static void test_inherit(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	const struct geometry *g = test->param_value;
	struct fpr_zone *old, *longer;
	unsigned long last;

	set_up(test);
	step_mark_freed(test);
	tt->fz->window.pages[0] = 512;
	tt->fz->retained = 256;
	longer = fpr_zone_alloc(&tt->zone, g->start_pfn,
				g->end_pfn + tt->block_pages * BITS_PER_LONG,
				g->order);
	KUNIT_ASSERT_NOT_NULL(test, longer);
	old = tt->fz;
	tt->fz = longer;
	spin_lock_irq(&tt->zone.lock);
	fpr_inherit(longer, old);
	fpr_retain_inherit(longer, old);
	spin_unlock_irq(&tt->zone.lock);
	fpr_zone_free(old);

	if (IS_ENABLED(CONFIG_PAGE_REPORTING_RETAIN)) {
		KUNIT_EXPECT_EQ(test, longer->window.pages[0], 512);
		KUNIT_EXPECT_EQ(test, longer->retained, 256);
	}
	/* The model does not have the segment that is new. */
	last = longer->nr_segments - 1;
	KUNIT_EXPECT_EQ(test, last, tt->nr_blocks / BITS_PER_LONG);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(longer->segments[last]));
	assert_same(test, "inheritance");
}

/* Ages are differences, so the clock may wrap while blocks wait. */
static void test_clock_wraps(struct kunit *test)
{
	struct tracker_test *tt = test->priv;

	tt->now = U32_MAX - 20;
	set_up(test);
	while (tt->now < 400 || tt->now > 500) {
		step_mark_freed(test);
		step_collect(test);
		step_next_due(test);
		tt->now += 20;
	}
	step_drain(test);
}

/* A run that is moved to a batch is not pending any more. */
static void test_move_run(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_range range;
	unsigned long before;

	set_up(test);
	spin_lock_irq(&tt->zone.lock);
	range.pfn = model_pfn(tt, 0);
	range.nr_pages = 3 * tt->block_pages;
	fpr_mark_pending(tt->fz, &range, tt->now);
	before = tt->fz->nr_pending;
	fpr_move_run(tt->fz, &range);
	KUNIT_EXPECT_EQ(test, tt->fz->nr_pending, before - 3);
	KUNIT_EXPECT_FALSE(test, fpr_clear_pending(tt->fz, range.pfn));
	/* It is gone. */
	fpr_move_run(tt->fz, &range);
	KUNIT_EXPECT_EQ(test, tt->fz->nr_pending, before - 3);
	spin_unlock_irq(&tt->zone.lock);
}

#ifdef CONFIG_PAGE_REPORTING_RETAIN
/* What was retained in vain is not retained any more. */
static void test_account_moved(struct kunit *test)
{
	struct tracker_test *tt = test->priv;
	struct fpr_scan scan = { .ceiling = 30 };
	struct fpr_range range;

	set_up(test);
	spin_lock_irq(&tt->zone.lock);
	range.pfn = model_pfn(tt, 0);
	range.nr_pages = 3 * tt->block_pages;
	fpr_mark_pending(tt->fz, &range, tt->now);
	tt->fz->retained = 5 * tt->block_pages;

	/* Of the three, the one in the middle is younger. */
	range.pfn += tt->block_pages;
	range.nr_pages = tt->block_pages;
	fpr_mark_pending(tt->fz, &range, tt->now + 1);
	range.pfn -= tt->block_pages;
	range.nr_pages = 3 * tt->block_pages;
	scan.now = tt->now + 30;
	fpr_account_moved(tt->fz, &range, &scan);
	KUNIT_EXPECT_EQ(test, tt->fz->retained, 3 * tt->block_pages);
	fpr_account_moved(tt->fz, &range, &scan);
	fpr_account_moved(tt->fz, &range, &scan);
	KUNIT_EXPECT_EQ(test, tt->fz->retained, 0);
	spin_unlock_irq(&tt->zone.lock);
}
#endif

static int tracker_test_init(struct kunit *test)
{
	struct tracker_test *tt = kunit_kzalloc(test, sizeof(*tt), GFP_KERNEL);

	if (!tt)
		return -ENOMEM;
	spin_lock_init(&tt->zone.lock);
	prandom_seed_state(&tt->rnd, 612);
	tt->now = 100000;
	test->priv = tt;
	return 0;
}

static struct kunit_case tracker_cases[] = {
	KUNIT_CASE_PARAM(test_index_arithmetic, geometry_gen_params),
	KUNIT_CASE_PARAM(test_outside, geometry_gen_params),
	KUNIT_CASE_PARAM(test_remove_segments, geometry_gen_params),
	KUNIT_CASE_PARAM(test_inherit, geometry_gen_params),
	KUNIT_CASE_PARAM(test_clock_wraps, geometry_gen_params),
	KUNIT_CASE_PARAM(test_move_run, geometry_gen_params),
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	KUNIT_CASE_PARAM(test_account_moved, geometry_gen_params),
#endif
	KUNIT_CASE_PARAM(test_random_steps, geometry_gen_params),
	{}
};

static struct kunit_suite tracker_suite = {
	.name = "page_reporting_tracker",
	.init = tracker_test_init,
	.test_cases = tracker_cases,
};

kunit_test_suite(tracker_suite);
