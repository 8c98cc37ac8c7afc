// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: what does a pass cost as memory grows?
 *
 * A zone of up to 4 TiB, all of it free, in blocks of one order.  Some of them
 * wait to be reported.  Two ways to find them, on the same free list:
 *
 * walk		what Linux 6.12 does: go along the list under zone->lock, skip
 *		what is flagged as reported, take 32 blocks at a time, stop when
 *		a sixteenth of the list was handled, go on two seconds later
 * tracker	what this library does, with the tracker's own code
 *
 * There is no room for the struct pages of so much memory.  A block has one
 * stand-in, of the size of the struct page at its head: what is touched for a
 * block is one cache line in both ways.  Taking blocks off the list and putting
 * them back is the same for both; reporting takes no time.
 *
 * The list is in random order, as that of a system that has run for a while.
 * Blocks that wait are either at its front, where freeing puts them, or spread
 * over it, as after memory was used in between.
 */
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>

#include "internals.h"

#define CAPACITY	PAGE_REPORTING_CAPACITY
#define REPEATS		3
#define MANY_BLOCKS	(4UL << 20)	/* takes long: measured once */
#define RANDOM_STRIDE	0x9e3779b1UL	/* odd: meets every block */

/*
 * Stand-ins in physically contiguous memory.  On User Mode Linux each page of
 * vmalloc() may be a mapping of its own, and the host allows 65530 of these.
 */
#define CHUNK_BLOCKS	(MAX_ORDER_NR_PAGES * PAGE_SIZE / \
			 sizeof(struct bench_block))

struct bench_block {
	unsigned long flags;
	struct list_head lru;
	unsigned long reported;
	unsigned long rest[4];
};

/* As a struct page with the usual configuration of a 64-bit kernel. */
static_assert(sizeof(struct bench_block) == 64);

struct bench_case {
	const char *name;
	unsigned int order;
	unsigned int percent;
	bool spread;
};

/* A percentage of 0 stands for as many blocks as there are in a batch. */
static const struct bench_case bench_cases[] = {
	{ "order 9, few, spread", 9, 0, true },
	{ "order 9, 1 %, front", 9, 1, false },
	{ "order 9, 1 %, spread", 9, 1, true },
	{ "order 9, 10 %, front", 9, 10, false },
	{ "order 9, 10 %, spread", 9, 10, true },
	{ "order 9, 50 %, front", 9, 50, false },
	{ "order 9, 50 %, spread", 9, 50, true },
	{ "order 5, 1 %, front", 5, 1, false },
	{ "order 5, 1 %, spread", 5, 1, true },
	{ "order 5, 10 %, front", 5, 10, false },
	{ "order 5, 10 %, spread", 5, 10, true },
	{ "order 5, 50 %, front", 5, 50, false },
	{ "order 5, 50 %, spread", 5, 50, true },
	{ "order 0, 1 %, front", 0, 1, false },
	{ "order 0, 1 %, spread", 0, 1, true },
	{ "order 0, 10 %, front", 0, 10, false },
	{ "order 0, 10 %, spread", 0, 10, true },
	{ "order 0, 50 %, front", 0, 50, false },
	{ "order 0, 50 %, spread", 0, 50, true },
};

KUNIT_ARRAY_PARAM_DESC(bench, bench_cases, name);

/* What a way to report everything that waits has cost. */
struct bench_cost {
	u64 first_ns;		/* first pass */
	u64 total_ns;		/* all passes */
	u64 hold_ns;		/* longest time under the lock */
	unsigned long hold;	/* most list entries seen in one go */
	unsigned long passes;
	unsigned long blocks;
};

struct bench {
	const struct bench_case *how;
	struct zone zone;
	struct list_head list;
	struct bench_block **chunks;
	unsigned long nr;
	struct fpr_zone *fz;
	struct fpr_age_histogram histogram;
	unsigned long pfns[CAPACITY];
	struct bench_block *batch[CAPACITY];
	unsigned int nr_batch;

	/* the present hold */
	u64 since;
	unsigned long seen;
	struct bench_cost cost;
};

/* === The zone === */

static unsigned long nr_chunks(const struct bench *b)
{
	return DIV_ROUND_UP(b->nr, CHUNK_BLOCKS);
}

static struct bench_block *nth_stand_in(const struct bench *b, unsigned long n)
{
	return &b->chunks[n / CHUNK_BLOCKS][n % CHUNK_BLOCKS];
}

static unsigned long nth_block(const struct bench *b, unsigned long n)
{
	return (n * RANDOM_STRIDE) & (b->nr - 1);
}

static bool waits(const struct bench *b, unsigned long i)
{
	if (!b->how->percent)
		return !(i % (b->nr / CAPACITY));
	return hash_64(i, 32) % 100 < b->how->percent;
}

static void fill_list(struct bench *b)
{
	unsigned long n;

	INIT_LIST_HEAD(&b->list);
	for (n = 0; n < b->nr; n++) {
		unsigned long i = nth_block(b, n);
		struct bench_block *block = nth_stand_in(b, i);

		block->reported = !waits(b, i);
		if (block->reported || b->how->spread)
			list_add_tail(&block->lru, &b->list);
		else
			list_add(&block->lru, &b->list);
		if (!(n % SZ_64K))
			cond_resched();
	}
}

static unsigned long pending_bits(const struct bench *b, unsigned long index)
{
	unsigned long pending = 0;
	unsigned int bit;

	for (bit = 0; bit < FPR_SEGMENT_BLOCKS; bit++)
		if (waits(b, index * FPR_SEGMENT_BLOCKS + bit))
			pending |= BIT(bit);
	return pending;
}

static void fill_tracker(struct kunit *test, struct bench *b)
{
	unsigned long i;

	b->fz = fpr_zone_alloc(&b->zone, 0, b->nr << b->how->order,
			       b->how->order);
	KUNIT_ASSERT_NOT_NULL(test, b->fz);
	for (i = 0; i < b->fz->nr_segments; i++) {
		struct fpr_segment *segment;

		segment = fpr_segment_alloc(pending_bits(b, i), NUMA_NO_NODE,
					    jiffies);
		KUNIT_ASSERT_NOT_NULL(test, segment);
		spin_lock_irq(&b->zone.lock);
		fpr_segment_install(b->fz, i, segment);
		spin_unlock_irq(&b->zone.lock);
		cond_resched();
	}
}

static void empty_tracker(void *context)
{
	struct bench *b = context;

	if (!b->fz)
		return;
	fpr_zone_free(b->fz);
	b->fz = NULL;
}

/* === What both ways do === */

static void hold(struct bench *b) __acquires(&b->zone.lock)
{
	spin_lock_irq(&b->zone.lock);
	b->since = ktime_get_ns();
	b->seen = 0;
}

static void let_go(struct bench *b) __releases(&b->zone.lock)
{
	u64 ns = ktime_get_ns() - b->since;

	spin_unlock_irq(&b->zone.lock);
	b->cost.hold_ns = max(b->cost.hold_ns, ns);
	b->cost.hold = max(b->cost.hold, b->seen);
}

static void isolate(struct bench *b, struct bench_block *block)
{
	list_del(&block->lru);
	b->batch[b->nr_batch++] = block;
}

static void put_back(struct bench *b)
{
	unsigned int i;

	for (i = 0; i < b->nr_batch; i++) {
		list_add_tail(&b->batch[i]->lru, &b->list);
		b->batch[i]->reported = true;
	}
	b->seen += b->nr_batch;
	b->cost.blocks += b->nr_batch;
	b->nr_batch = 0;
}

/* === The two ways === */

static void to_front(struct bench *b, struct bench_block *block)
{
	if (!list_is_first(&block->lru, &b->list))
		list_rotate_to_front(&block->lru, &b->list);
}

/* Returns whether another pass is needed. */
static bool walk_pass(struct bench *b)
{
	long budget = DIV_ROUND_UP(b->nr, CAPACITY * 16);
	struct bench_block *block, *next;
	bool again = false;

	hold(b);
	list_for_each_entry_safe(block, next, &b->list, lru) {
		b->seen++;
		if (block->reported)
			continue;
		if (budget < 0) {
			again = true;
			next = block;
			break;
		}
		if (b->nr_batch < CAPACITY) {
			isolate(b, block);
			continue;
		}
		to_front(b, block);
		let_go(b);
		budget--;
		hold(b);
		put_back(b);
		next = list_first_entry(&b->list, struct bench_block, lru);
	}
	if (!list_entry_is_head(next, &b->list, lru))
		to_front(b, next);
	put_back(b);
	let_go(b);
	return again;
}

static unsigned int collect(struct bench *b, struct fpr_scan *scan)
{
	unsigned int nr;

	rcu_read_lock();
	nr = fpr_collect(b->fz, scan, b->pfns, CAPACITY);
	rcu_read_unlock();
	return nr;
}

static void isolate_due(struct bench *b, struct fpr_scan *scan,
			unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!fpr_block_due(b->fz, b->pfns[i], scan))
			continue;
		isolate(b, nth_stand_in(b, b->pfns[i] >> b->how->order));
		fpr_clear_pending(b->fz, b->pfns[i]);
		b->seen++;
	}
}

static void mark_reported(struct bench *b, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct fpr_range range = {
			.pfn = b->pfns[i],
			.nr_pages = fpr_block_pages(b->fz),
		};

		fpr_mark_reported(b->fz, &range, jiffies);
	}
}

/*
 * A histogram is only taken while memory is held back: the most a pass can do.
 */
static bool tracker_pass(struct bench *b)
{
	struct fpr_scan scan = { .now = jiffies, .next = FPR_NEVER };
	unsigned int nr;

	rcu_read_lock();
	fpr_build_histogram(b->fz, &b->histogram, scan.now, HZ);
	rcu_read_unlock();
	while ((nr = collect(b, &scan))) {
		hold(b);
		isolate_due(b, &scan, nr);
		let_go(b);
		hold(b);
		put_back(b);
		mark_reported(b, nr);
		let_go(b);
	}
	return false;
}

/* === The measurement === */

static void measure(struct bench *b, bool (*pass)(struct bench *b))
{
	bool again = true;
	u64 start, ns;

	memset(&b->cost, 0, sizeof(b->cost));
	while (again) {
		start = ktime_get_ns();
		again = pass(b);
		ns = ktime_get_ns() - start;
		b->cost.total_ns += ns;
		if (!b->cost.passes++)
			b->cost.first_ns = ns;
		cond_resched();
	}
}

/* Other work on the host makes times longer, never shorter. */
static void keep_best(struct bench_cost *best, const struct bench_cost *cost)
{
	if (!best->passes) {
		*best = *cost;
		return;
	}
	best->first_ns = min(best->first_ns, cost->first_ns);
	best->total_ns = min(best->total_ns, cost->total_ns);
	best->hold_ns = min(best->hold_ns, cost->hold_ns);
}

static void show(struct kunit *test, struct bench *b, const char *way,
		 const struct bench_cost *cost)
{
	unsigned long gib = b->nr >> (30 - PAGE_SHIFT - b->how->order);

	kunit_info(test,
		   "scale way=%s gib=%lu order=%u percent=%u spread=%d first_ns=%llu total_ns=%llu hold_ns=%llu hold_entries=%lu passes=%lu blocks=%lu\n",
		   way, gib, b->how->order, b->how->percent, b->how->spread,
		   cost->first_ns, cost->total_ns, cost->hold_ns, cost->hold,
		   cost->passes, cost->blocks);
}

static unsigned long still_waiting(struct bench *b)
{
	unsigned long i, nr = 0;

	for (i = 0; i < b->nr; i++)
		nr += !nth_stand_in(b, i)->reported;
	return nr;
}

static void compare(struct kunit *test, struct bench *b)
{
	struct bench_cost walk = {}, tracker = {};
	int repeats = b->nr > MANY_BLOCKS ? 1 : REPEATS;

	while (repeats--) {
		fill_list(b);
		measure(b, walk_pass);
		KUNIT_ASSERT_EQ(test, still_waiting(b), 0);
		keep_best(&walk, &b->cost);

		fill_list(b);
		fill_tracker(test, b);
		measure(b, tracker_pass);
		KUNIT_ASSERT_EQ(test, still_waiting(b), 0);
		KUNIT_ASSERT_EQ(test, b->fz->nr_pending, 0);
		keep_best(&tracker, &b->cost);
		empty_tracker(b);
	}
	KUNIT_EXPECT_EQ(test, walk.blocks, tracker.blocks);
	KUNIT_EXPECT_LE(test, tracker.hold, CAPACITY);
	show(test, b, "walk", &walk);
	show(test, b, "tracker", &tracker);
}

static void free_chunks(void *context)
{
	struct bench *b = context;
	unsigned long i;

	for (i = 0; i < nr_chunks(b); i++)
		free_pages((unsigned long)b->chunks[i], MAX_PAGE_ORDER);
}

static void alloc_chunks(struct kunit *test, struct bench *b)
{
	unsigned long i;

	b->chunks = kunit_kcalloc(test, nr_chunks(b), sizeof(*b->chunks),
				  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b->chunks);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_chunks, b));
	for (i = 0; i < nr_chunks(b); i++) {
		unsigned long chunk;

		chunk = __get_free_pages(GFP_KERNEL | __GFP_ZERO,
					 MAX_PAGE_ORDER);
		KUNIT_ASSERT_NE(test, chunk, 0);
		b->chunks[i] = (struct bench_block *)chunk;
	}
}

/* Too large for the memory at hand: a page is a block of order 0. */
static bool fits(unsigned long nr)
{
	return nr * sizeof(struct bench_block) <= SZ_2G;
}

static void run(struct kunit *test, unsigned long gib)
{
	const struct bench_case *how = test->param_value;
	struct bench *b;

	b = kunit_kzalloc(test, sizeof(*b), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, b);
	b->how = how;
	b->nr = gib << (30 - PAGE_SHIFT - how->order);
	if (!fits(b->nr))
		kunit_skip(test, "%lu stand-ins need more than 2 GiB", b->nr);
	spin_lock_init(&b->zone.lock);
	alloc_chunks(test, b);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, empty_tracker,
							   b));
	compare(test, b);
}

static void scale_1_gib(struct kunit *test)
{
	run(test, 1);
}

static void scale_8_gib(struct kunit *test)
{
	run(test, 8);
}

static void scale_64_gib(struct kunit *test)
{
	run(test, 64);
}

static void scale_512_gib(struct kunit *test)
{
	run(test, 512);
}

static void scale_1024_gib(struct kunit *test)
{
	run(test, 1024);
}

static void scale_4096_gib(struct kunit *test)
{
	run(test, 4096);
}

/* Slow, so that running the suites leaves it out. */
#define SCALE_CASE(function)						\
	KUNIT_CASE_PARAM_ATTR(function, bench_gen_params,		\
			      { .speed = KUNIT_SPEED_VERY_SLOW })

static struct kunit_case scale_bench_cases[] = {
	SCALE_CASE(scale_1_gib),
	SCALE_CASE(scale_8_gib),
	SCALE_CASE(scale_64_gib),
	SCALE_CASE(scale_512_gib),
	SCALE_CASE(scale_1024_gib),
	SCALE_CASE(scale_4096_gib),
	{}
};

static struct kunit_suite scale_bench_suite = {
	.name = "page_reporting_scale",
	.test_cases = scale_bench_cases,
};

kunit_test_suite(scale_bench_suite);
