// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: KUnit tests of moving pages of a file out of blocks, and
 * of making whole blocks of fragments.
 *
 * The file has every other page of what it once had, so that its memory is half
 * free and hardly any of it whole.
 */
#include <kunit/test.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pagemap.h>
#include <linux/page-isolation.h>
#include <linux/pageblock-flags.h>
#include <linux/sched.h>
#include <linux/shmem_fs.h>
#include <linux/spinlock.h>
#include <linux/swap.h>
#include <linux/tracepoint.h>

#include <trace/events/page_reporting.h>

#include "../../internal.h"
#include "../hook.h"
#include "internals.h"
#include "fake_backend.h"
#include "test_memory.h"

/* Enough for some blocks that have nothing but its pages in them. */
#define FILE_PAGES	(12 * pageblock_nr_pages)

struct test_file {
	struct file *file;
	unsigned long *pfns;
};

static unsigned long content_of(unsigned long index)
{
	return index * 2654435761UL + 17;
}

static struct page *get_file_page(struct kunit *test, struct test_file *tf,
				  unsigned long index)
{
	struct page *page = shmem_read_mapping_page(tf->file->f_mapping, index);

	/* Called for each of thousands of pages of 64 KiB, which are cleared. */
	cond_resched();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	return page;
}

static void close_file(void *context)
{
	struct test_file *tf = context;

	fput(tf->file);
	flush_delayed_fput();
	drain_all_pages(NULL);
}

static void write_pages(struct kunit *test, struct test_file *tf)
{
	unsigned long i;

	for (i = 0; i < FILE_PAGES; i++) {
		struct page *page = get_file_page(test, tf, i);
		unsigned long *word = kmap_local_page(page);

		*word = content_of(i);
		kunmap_local(word);
		set_page_dirty(page);
		put_page(page);
	}
}

static void drop_odd_pages(struct test_file *tf)
{
	struct inode *inode = file_inode(tf->file);
	unsigned long i;

	for (i = 1; i < FILE_PAGES; i += 2)
		shmem_truncate_range(inode, i * PAGE_SIZE,
				     (i + 1) * PAGE_SIZE - 1);
	lru_add_drain_all();
	drain_all_pages(NULL);
}

static void note_pfns(struct kunit *test, struct test_file *tf)
{
	unsigned long i;

	for (i = 0; i < FILE_PAGES; i += 2) {
		struct page *page = get_file_page(test, tf, i);

		tf->pfns[i] = page_to_pfn(page);
		put_page(page);
	}
}

static struct test_file *scattered_file(struct kunit *test, bool locked)
{
	struct test_file *tf = kunit_kzalloc(test, sizeof(*tf), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, tf);
	tf->pfns = kunit_kcalloc(test, FILE_PAGES, sizeof(long), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tf->pfns);
	tf->file = shmem_kernel_file_setup("fpr_test", FILE_PAGES * PAGE_SIZE,
					   EMPTY_VMA_FLAGS);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tf->file);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, close_file, tf));
	if (locked)
		mapping_set_unevictable(tf->file->f_mapping);
	write_pages(test, tf);
	drop_odd_pages(tf);
	note_pfns(test, tf);
	return tf;
}

/* Nothing of the file is lost or changed. */
static void expect_intact(struct kunit *test, struct test_file *tf)
{
	unsigned long i, bad = 0;

	for (i = 0; i < FILE_PAGES; i += 2) {
		struct page *page = get_file_page(test, tf, i);
		unsigned long *word = kmap_local_page(page);

		bad += *word != content_of(i);
		kunmap_local(word);
		put_page(page);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/* How many pages of the file are in a block? */
static unsigned long pages_in(const struct test_file *tf,
			      const struct fpr_mover *mover, unsigned long pfn)
{
	unsigned long i, nr = 0;

	for (i = 0; i < FILE_PAGES; i += 2)
		nr += tf->pfns[i] - pfn < fpr_mover_pages(mover);
	return nr;
}

/*
 * Find a block that has pages of the file and nothing else in use, and make it
 * the one to be emptied.
 */
static bool find_source(const struct test_file *tf, struct fpr_mover *mover)
{
	struct fpr_fill fill;
	unsigned long i;

	for (i = 0; i < FILE_PAGES; i += 2) {
		unsigned long pfn = round_down(tf->pfns[i],
					       fpr_mover_pages(mover));

		if (fpr_survey_block(mover, pfn, &fill) && !fill.fixed &&
		    fill.used == pages_in(tf, mover, pfn)) {
			mover->source = pfn;
			return true;
		}
	}
	return false;
}

/* A backend, for which nothing happens by itself. */
static void register_disabled(struct kunit *test, unsigned int order)
{
	struct fake_backend *fake = test->priv;

	WRITE_ONCE(fpr_tunables.enabled, false);
	fake->prdev.order = order;
	fake_register(test, fake);
}

/*
 * A mover in the zone of the file that may use room in any block.  A block of
 * it has 2^@order pages.
 */
static void init_mover_of(struct kunit *test, struct test_file *tf,
			  struct fpr_mover *mover, unsigned int order)
{
	register_disabled(test, order);
	fpr_mover_init(mover, page_zone(pfn_to_page(tf->pfns[0])), order);
	KUNIT_ASSERT_TRUE(test, find_source(tf, mover));
}

static void init_mover(struct kunit *test, struct test_file *tf,
		       struct fpr_mover *mover)
{
	init_mover_of(test, tf, mover, pageblock_order);
}

static bool is_whole(const struct fpr_mover *mover, unsigned long pfn)
{
	struct fpr_fill fill;

	return fpr_survey_block(mover, pfn, &fill) &&
	       fill.free >= fpr_mover_pages(mover);
}

static unsigned long nr_whole(const struct fpr_mover *mover)
{
	unsigned long pages = fpr_mover_pages(mover);
	unsigned long pfn = round_up(mover->zone->zone_start_pfn, pages);
	unsigned long nr = 0;

	for (; pfn + pages <= zone_end_pfn(mover->zone); pfn += pages)
		nr += is_whole(mover, pfn);
	return nr;
}

static bool is_isolated(const struct fpr_mover *mover)
{
	return is_migrate_isolate_page(pfn_to_page(mover->source));
}

/* What is seen in a block is what is there. */
static void test_survey(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fpr_mover mover;
	struct fpr_fill fill;

	init_mover(test, tf, &mover);
	KUNIT_ASSERT_TRUE(test, fpr_survey_block(&mover, mover.source, &fill));
	KUNIT_EXPECT_GT(test, fill.used, 0);
	KUNIT_EXPECT_GT(test, fill.free, 0);
	KUNIT_EXPECT_LE(test, fill.used + fill.free, fpr_mover_pages(&mover));
	KUNIT_EXPECT_EQ(test, 0,
			test_pages_astray(mover.source,
					  fpr_mover_pages(&mover)));
}

/* What the kernel has allocated for itself cannot be moved. */
static void test_survey_fixed(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fpr_mover mover;
	struct fpr_fill fill;

	fpr_mover_init(&mover, page_zone(block->page), MAX_PAGE_ORDER);
	test_block_free_part(block, 0, MAX_ORDER_NR_PAGES / 2);
	KUNIT_ASSERT_TRUE(test, fpr_survey_block(&mover, block->pfn, &fill));
	KUNIT_EXPECT_TRUE(test, fill.fixed);
	KUNIT_EXPECT_EQ(test, fill.used, 0);
	KUNIT_EXPECT_EQ(test, fill.free, MAX_ORDER_NR_PAGES / 2);
}

/* A slab of one page has no reference since Linux 7.3. */
static void test_survey_slab(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fpr_mover mover;
	struct fpr_fill fill;

	fpr_mover_init(&mover, page_zone(block->page), MAX_PAGE_ORDER);
	test_block_free_part(block, 1, MAX_ORDER_NR_PAGES - 1);
	set_page_count(block->page, 0);
	__folio_set_slab(page_folio(block->page));
	KUNIT_EXPECT_TRUE(test, fpr_survey_block(&mover, block->pfn, &fill));
	__folio_clear_slab(page_folio(block->page));
	set_page_count(block->page, 1);
	KUNIT_EXPECT_TRUE(test, fill.fixed);
}

/* What somebody has locked in memory is left where it is. */
static void test_survey_locked(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, true);
	struct page *page = pfn_to_page(tf->pfns[0]);
	struct fpr_mover mover;
	struct fpr_fill fill;

	fpr_mover_init(&mover, page_zone(page), pageblock_order);
	KUNIT_ASSERT_TRUE(test, folio_test_unevictable(page_folio(page)));
	KUNIT_ASSERT_TRUE(test,
			  fpr_survey_block(&mover,
					   round_down(tf->pfns[0],
						      pageblock_nr_pages),
					   &fill));
	KUNIT_EXPECT_TRUE(test, fill.fixed);
}

/* Only blocks for movable memory are looked at. */
static void test_survey_other_type(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fpr_mover mover;
	struct fpr_fill fill;

	fpr_mover_init(&mover, page_zone(block->page), MAX_PAGE_ORDER);
	test_set_migratetype(block->page, MIGRATE_UNMOVABLE);
	KUNIT_EXPECT_FALSE(test, fpr_survey_block(&mover, block->pfn, &fill));
	test_set_migratetype(block->page, MIGRATE_MOVABLE);
}

static void vacate_block(struct kunit *test, unsigned int order)
{
	struct test_file *tf = scattered_file(test, false);
	struct fpr_mover mover;
	unsigned long pages, before;

	init_mover_of(test, tf, &mover, order);
	pages = pages_in(tf, &mover, mover.source);
	before = nr_whole(&mover);
	KUNIT_EXPECT_EQ(test, fpr_vacate(&mover), FPR_VACATED_WHOLE);
	fpr_return_room(&mover);
	KUNIT_EXPECT_EQ(test, mover.moved, pages);
	KUNIT_EXPECT_FALSE(test, is_isolated(&mover));
	KUNIT_EXPECT_TRUE(test, is_whole(&mover, mover.source));
	KUNIT_EXPECT_EQ(test, nr_whole(&mover), before + 1);
	note_pfns(test, tf);
	KUNIT_EXPECT_EQ(test, pages_in(tf, &mover, mover.source), 0);
	expect_intact(test, tf);
}

/* The block becomes whole, and none that was whole is used for that. */
static void test_vacate(struct kunit *test)
{
	vacate_block(test, pageblock_order);
}

/* A block may be several pageblocks. */
static void test_vacate_largest(struct kunit *test)
{
	vacate_block(test, MAX_PAGE_ORDER);
}

/* A page of the file that is in the block to be emptied. */
static unsigned long index_in_source(const struct test_file *tf,
				     const struct fpr_mover *mover)
{
	unsigned long i = 0;

	while (tf->pfns[i] - mover->source >= fpr_mover_pages(mover))
		i += 2;
	return i;
}

/* A page that somebody uses stays, and so does the block as it was. */
static void test_vacate_pinned(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fpr_mover mover;
	struct page *pinned;
	unsigned long i;

	init_mover(test, tf, &mover);
	i = index_in_source(tf, &mover);
	pinned = get_file_page(test, tf, i);
	KUNIT_EXPECT_EQ(test, fpr_vacate(&mover), FPR_VACATED_STUCK);
	fpr_return_room(&mover);
	KUNIT_EXPECT_FALSE(test, is_isolated(&mover));
	KUNIT_EXPECT_EQ(test, page_to_pfn(pinned), tf->pfns[i]);
	note_pfns(test, tf);
	KUNIT_EXPECT_EQ(test, page_to_pfn(pinned), tf->pfns[i]);
	put_page(pinned);
	expect_intact(test, tf);
}

/* To try a page several times, because it is locked, takes one place only. */
static void test_vacate_locked(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fpr_mover mover;
	unsigned long moved, room;
	struct page *page;

	init_mover(test, tf, &mover);
	page = get_file_page(test, tf, index_in_source(tf, &mover));
	lock_page(page);
	put_page(page);
	/* Until nothing else is there. */
	do {
		moved = mover.moved;
		KUNIT_EXPECT_EQ(test, fpr_vacate(&mover), FPR_VACATED_STUCK);
	} while (mover.moved != moved);
	room = mover.room_pages;
	KUNIT_EXPECT_GT(test, room, 0);
	KUNIT_EXPECT_EQ(test, fpr_vacate(&mover), FPR_VACATED_STUCK);
	KUNIT_EXPECT_EQ(test, mover.room_pages, room);
	unlock_page(page);
	fpr_return_room(&mover);
	expect_intact(test, tf);
}

/* Where all blocks are to be emptied there is nowhere to go. */
static void test_vacate_without_room(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fpr_mover mover;

	init_mover(test, tf, &mover);
	mover.full = true;
	KUNIT_EXPECT_EQ(test, fpr_vacate(&mover), FPR_VACATED_STUCK);
	KUNIT_EXPECT_EQ(test, mover.moved, 0);
	KUNIT_EXPECT_FALSE(test, is_isolated(&mover));
	expect_intact(test, tf);
}

/* Who has isolated the block wants it: it is left alone. */
static void test_vacate_isolated(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fpr_mover mover;
	unsigned long end;

	init_mover(test, tf, &mover);
	end = mover.source + fpr_mover_pages(&mover);
	KUNIT_ASSERT_EQ(test, 0,
			start_isolate_page_range(mover.source, end,
						 PB_ISOLATE_MODE_OTHER));
	KUNIT_EXPECT_EQ(test, fpr_vacate(&mover), FPR_VACATED_STUCK);
	KUNIT_EXPECT_TRUE(test, is_isolated(&mover));
	undo_isolate_page_range(mover.source, end);
	KUNIT_EXPECT_EQ(test, mover.moved, 0);
	expect_intact(test, tf);
}

/* Each slice gets on with a block, if only by some pages. */
static void test_vacate_in_slices(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	enum fpr_vacated vacated;
	struct fpr_mover mover;
	unsigned int slices = 0;
	unsigned long pages;

	init_mover(test, tf, &mover);
	pages = pages_in(tf, &mover, mover.source);
	mover.deadline = 0;
	do {
		vacated = fpr_vacate(&mover);
		fpr_return_room(&mover);
		KUNIT_EXPECT_FALSE(test, is_isolated(&mover));
		slices++;
	} while (vacated == FPR_VACATED_LATE && slices < 10000);
	KUNIT_EXPECT_EQ(test, vacated, FPR_VACATED_WHOLE);
	KUNIT_EXPECT_GT(test, slices, 1);
	KUNIT_EXPECT_EQ(test, mover.moved, pages);
	expect_intact(test, tf);
}

/* Take the page at @pfn off its free list, as room. */
static void take_room(struct kunit *test, struct fpr_mover *mover,
		      unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	bool taken;

	spin_lock_irq(&mover->zone->lock);
	taken = PageBuddy(page) && !buddy_order(page) &&
		__isolate_free_page(page, 0);
	if (taken)
		list_add(&page->lru, &mover->room[0].entries);
	spin_unlock_irq(&mover->zone->lock);
	KUNIT_ASSERT_TRUE(test, taken);
	mover->room[0].nr = 1;
	mover->nr_room = 1;
	mover->room_pages = 1;
}

/* A block that becomes whole with room that returns is pending. */
static void test_returned_room_completes(struct kunit *test)
{
	struct test_block *block = test_block_alloc(test);
	struct fpr_mover mover;
	struct fpr_zone *fz;
	bool after;

	register_disabled(test, pageblock_order);
	fpr_mover_init(&mover, page_zone(block->page), pageblock_order);
	test_block_free_part(block, 0, 1);
	take_room(test, &mover, block->pfn);
	test_block_free_part(block, 1, pageblock_nr_pages - 1);

	spin_lock_irq(&mover.zone->lock);
	fz = fpr_zone_get_locked(mover.zone);
	fpr_clear_pending(fz, block->pfn);
	spin_unlock_irq(&mover.zone->lock);
	fpr_return_room(&mover);
	spin_lock_irq(&mover.zone->lock);
	after = fpr_clear_pending(fz, block->pfn);
	spin_unlock_irq(&mover.zone->lock);
	KUNIT_EXPECT_TRUE(test, after);
	KUNIT_EXPECT_TRUE(test, is_whole(&mover, block->pfn));
}

/* Room that was taken and not needed is free again. */
static void test_return_room(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	unsigned long start, end, astray = 0;
	struct fpr_mover mover;

	init_mover(test, tf, &mover);
	fpr_vacate(&mover);
	fpr_return_room(&mover);
	KUNIT_EXPECT_EQ(test, mover.nr_room, 0);
	start = round_up(mover.zone->zone_start_pfn, fpr_mover_pages(&mover));
	end = round_down(zone_end_pfn(mover.zone), fpr_mover_pages(&mover));
	for (; start < end; start += fpr_mover_pages(&mover))
		if (fpr_survey_block(&mover, start, &(struct fpr_fill){}))
			astray += test_pages_astray(start,
						    fpr_mover_pages(&mover));
	KUNIT_EXPECT_EQ(test, astray, 0);
}

/* === The worker === */

static long consolidated(void)
{
	return atomic_long_read(&fpr_total.n[FPR_CONSOLIDATED]);
}

/**
 * struct run_tally - what the events of runs add up to
 * @runs:	how many there were
 * @made:	pages of the blocks that became whole
 * @moved:	pages that were moved
 */
struct run_tally {
	atomic_long_t runs;
	atomic_long_t made;
	atomic_long_t moved;
};

static struct run_tally run_tally;

static void see_run(void *data, struct zone *zone, unsigned int order,
		    unsigned long planned, unsigned long made,
		    unsigned long moved)
{
	atomic_long_inc(&run_tally.runs);
	atomic_long_add(made << order, &run_tally.made);
	atomic_long_add(moved, &run_tally.moved);
}

static void stop_watching(void *unused)
{
	unregister_trace_page_reporting_consolidate(see_run, NULL);
	tracepoint_synchronize_unregister();
}

static void watch_runs(struct kunit *test)
{
	atomic_long_set(&run_tally.runs, 0);
	atomic_long_set(&run_tally.made, 0);
	atomic_long_set(&run_tally.moved, 0);
	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		return;
	KUNIT_ASSERT_EQ(test, 0,
			register_trace_page_reporting_consolidate(see_run,
								  NULL));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, stop_watching,
							   NULL));
}

static bool has_consolidated(void *before)
{
	return consolidated() > *(long *)before;
}

static long moved(void)
{
	return atomic_long_read(&fpr_total.n[FPR_MOVED]);
}

static bool has_moved(void *before)
{
	return moved() > *(long *)before;
}

static void start_worker(struct kunit *test, unsigned int percent)
{
	struct fake_backend *fake = test->priv;

	fake->prdev.order = pageblock_order;
	WRITE_ONCE(fpr_tunables.consolidate_percent, percent);
	fake_register(test, fake);
}

static void test_consolidates(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fake_backend *fake = test->priv;
	long before = consolidated();
	long moved_before = moved();

	watch_runs(test);
	start_worker(test, 100);
	KUNIT_EXPECT_TRUE(test, fake_wait(has_consolidated, &before));
	fake_unregister(test, fake);
	/* The events of the runs add up to the counters. */
	if (IS_ENABLED(CONFIG_TRACEPOINTS)) {
		KUNIT_EXPECT_EQ(test, atomic_long_read(&run_tally.made),
				consolidated() - before);
		KUNIT_EXPECT_EQ(test, atomic_long_read(&run_tally.moved),
				moved() - moved_before);
	}
	KUNIT_EXPECT_EQ(test, fake->not_isolated, 0);
	KUNIT_EXPECT_EQ(test, fake->malformed, 0);
	expect_intact(test, tf);
}

/* Nothing has become whole after as long as the worker takes to see it. */
static void expect_left_alone(struct kunit *test, long before)
{
	schedule_timeout_uninterruptible(FPR_LOOK_OFTEN + 2 * FPR_CALM_TIME);
	KUNIT_EXPECT_EQ(test, consolidated(), before);
}

/* Now something becomes whole; the backend goes, and the file is intact. */
static void expect_consolidates(struct kunit *test, struct test_file *tf,
				long before)
{
	struct fake_backend *fake = test->priv;

	KUNIT_EXPECT_TRUE(test, fake_wait(has_consolidated, &before));
	fake_unregister(test, fake);
	expect_intact(test, tf);
}

/* It is off, and the tunable switches it on while the backend is there. */
static void test_switch(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fake_backend *fake = test->priv;
	long before = consolidated();

	start_worker(test, 0);
	fake_wait_quiet(test, fake);
	expect_left_alone(test, before);
	WRITE_ONCE(fpr_tunables.consolidate_percent, 100);
	mutex_lock(&fpr_mutex);
	fpr_kick_all();
	mutex_unlock(&fpr_mutex);
	expect_consolidates(test, tf, before);
}

static void end_take(void *unused)
{
	page_reporting_end_take();
}

/* Blocks that are smaller than a pageblock are left as they are. */
static void test_not_for_small_blocks(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fake_backend *fake = test->priv;
	long before = consolidated();

	fake->prdev.order = pageblock_order - 1;
	WRITE_ONCE(fpr_tunables.consolidate_percent, 100);
	fake_register(test, fake);
	expect_left_alone(test, before);
	KUNIT_EXPECT_EQ(test, 0, fpr_set_order(pageblock_order));
	expect_consolidates(test, tf, before);
}

/* Who takes memory by address meets nothing that is being moved. */
static void test_not_while_taken(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	long before = consolidated();

	page_reporting_begin_take();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, end_take,
							   NULL));
	start_worker(test, 100);
	expect_left_alone(test, before);
	kunit_release_action(test, end_take, NULL);
	expect_consolidates(test, tf, before);
}

/* What is not reported is not made whole either. */
static void test_not_while_disabled(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	long before = consolidated();

	fpr_set_enabled(false);
	start_worker(test, 100);
	expect_left_alone(test, before);
	fpr_set_enabled(true);
	expect_consolidates(test, tf, before);
}

/* Nothing is made whole for a backend that takes nothing for now. */
static void test_not_while_backing_off(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct fake_backend *fake = test->priv;
	struct fpr_backend *backend;
	long before = consolidated();

	start_worker(test, 100);
	backend = fake_core(fake);
	/* A pass that succeeds ends the back-off. */
	fake_wait_quiet(test, fake);
	flush_work(&backend->work);
	WRITE_ONCE(backend->retry_at, (u32)jiffies + FPR_BACKOFF_MAX);
	WRITE_ONCE(backend->backoff, FPR_BACKOFF_MAX);
	expect_left_alone(test, before);
	fpr_set_enabled(true);
	expect_consolidates(test, tf, before);
}

static void pin_pages(struct kunit *test, struct test_file *tf)
{
	unsigned long i;

	for (i = 0; i < FILE_PAGES; i += 2)
		get_file_page(test, tf, i);
}

static void unpin_pages(void *context)
{
	struct test_file *tf = context;
	unsigned long i;

	for (i = 0; i < FILE_PAGES; i += 2)
		put_page(pfn_to_page(tf->pfns[i]));
}

static bool has_run(void *unused)
{
	return atomic_long_read(&run_tally.runs);
}

/* A run that cannot win is not repeated at once. */
static void test_in_vain_once(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	long before = consolidated();

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "runs show in events");
	watch_runs(test);
	pin_pages(test, tf);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unpin_pages,
							   tf));
	start_worker(test, 100);
	KUNIT_ASSERT_TRUE(test, fake_wait(has_run, NULL));
	expect_left_alone(test, before);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&run_tally.runs), 1);
	kunit_release_action(test, unpin_pages, tf);
	expect_intact(test, tf);
}

/* A backend that leaves in the midst of a run leaves nothing behind. */
static void test_unregister_in_run(struct kunit *test)
{
	struct test_file *tf = scattered_file(test, false);
	struct zone *zone = page_zone(pfn_to_page(tf->pfns[0]));
	struct fake_backend *fake = test->priv;
	long before = moved();

	start_worker(test, 1);
	KUNIT_ASSERT_TRUE(test, fake_wait(has_moved, &before));
	fake_unregister(test, fake);
	before = moved();
	KUNIT_EXPECT_EQ(test, zone->nr_isolate_pageblock, 0);
	schedule_timeout_uninterruptible(HZ / 2);
	KUNIT_EXPECT_EQ(test, moved(), before);
	expect_intact(test, tf);
}

static struct kunit_case vacate_cases[] = {
	KUNIT_CASE(test_survey),
	KUNIT_CASE(test_survey_fixed),
	KUNIT_CASE(test_survey_slab),
	KUNIT_CASE(test_survey_locked),
	KUNIT_CASE(test_survey_other_type),
	KUNIT_CASE(test_vacate),
	KUNIT_CASE(test_vacate_largest),
	KUNIT_CASE(test_vacate_pinned),
	KUNIT_CASE(test_vacate_locked),
	KUNIT_CASE(test_vacate_without_room),
	KUNIT_CASE(test_vacate_isolated),
	KUNIT_CASE(test_vacate_in_slices),
	KUNIT_CASE(test_returned_room_completes),
	KUNIT_CASE(test_return_room),
	KUNIT_CASE_SLOW(test_consolidates),
	KUNIT_CASE_SLOW(test_switch),
	KUNIT_CASE_SLOW(test_not_for_small_blocks),
	KUNIT_CASE_SLOW(test_not_while_taken),
	KUNIT_CASE_SLOW(test_not_while_disabled),
	KUNIT_CASE_SLOW(test_not_while_backing_off),
	KUNIT_CASE_SLOW(test_in_vain_once),
	KUNIT_CASE_SLOW(test_unregister_in_run),
	{}
};

static struct kunit_suite vacate_suite = {
	.name = "page_reporting_vacate",
	.init = fake_test_init,
	.test_cases = vacate_cases,
};

kunit_test_suite(vacate_suite);
