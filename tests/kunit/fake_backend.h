/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: a backend for KUnit tests, which records what it is
 * given and does with it what the test asks for.
 */
#ifndef _MM_PAGE_REPORTING_FAKE_BACKEND_H
#define _MM_PAGE_REPORTING_FAKE_BACKEND_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/spinlock.h>

#include "internals.h"

#define FAKE_MAX_ENTRIES	65536
#define FAKE_MAX_CALLS		32

/**
 * struct fake_entry - an entry of a batch
 * @pfn:	first page frame
 * @nr_pages:	number of pages
 * @call:	number of the call that brought it
 * @at:		when that was, in jiffies
 * @reported:	as opposed to failed
 * @away:	the hypervisor has it, and it was not restored
 */
struct fake_entry {
	unsigned long pfn;
	unsigned long nr_pages;
	unsigned int call;
	unsigned long at;
	bool reported;
	bool away;
};

/**
 * struct fake_backend - a backend and what it saw
 * @prdev:	to be registered
 * @lock:	protects the record
 * @entries:	record of the entries
 * @nr_entries:	number of those
 * @calls:	calls of the report callback
 * @called_at:	when the first ones happened, in jiffies
 * @pages:	pages that were reported
 * @failed:	pages that were not
 * @lost:	entries that found no room in the record
 * @not_isolated: pages that were on a free list or in use during the call
 * @malformed:	entries that are no aligned power of two, or too small
 * @restores:	calls of the restore callback
 * @restored:	pages that it brought back
 * @strays:	calls of it for what was not away
 * @restore_error: what it returns, 0 for success
 * @restore_step: how many pages come back each time that it fails
 * @stubborn:	page frame of which the block never comes back, 0 for none
 * @error:	what to return
 * @nr_errors:	in how many calls, counted down
 * @fail_odd:	fail every other entry in so many calls, counted down
 * @fail_all:	fail every entry in so many calls, counted down
 * @least_order: refuse blocks of a smaller order, 0 for none
 * @writes_order: and say so as hv_balloon did, not by the function for it
 * @block:	wait in the call until the test lets it go on
 * @entered:	the call that waits has begun
 * @proceed:	lets it go on
 */
struct fake_backend {
	struct page_reporting_dev_info prdev;
	spinlock_t lock; /* protects the record, all up to @strays */
	struct fake_entry *entries;
	unsigned int nr_entries;
	unsigned int calls;
	unsigned long called_at[FAKE_MAX_CALLS];
	unsigned long pages;
	unsigned long failed;
	unsigned int lost;
	unsigned long not_isolated;
	unsigned int malformed;
	unsigned int restores;
	unsigned long restored;
	unsigned int strays;
	int restore_error;
	unsigned long restore_step;
	unsigned long stubborn;
	int error;
	unsigned int nr_errors;
	unsigned int fail_odd;
	unsigned int fail_all;
	unsigned int least_order;
	bool writes_order;
	bool block;
	struct completion entered;
	struct completion proceed;
};

int fake_test_init(struct kunit *test);
struct fake_backend *fake_create(struct kunit *test);
void fake_register(struct kunit *test, struct fake_backend *fake);
void fake_unregister(struct kunit *test, struct fake_backend *fake);
struct fpr_backend *fake_core(const struct fake_backend *fake);
void fake_run_pass(struct kunit *test, struct fake_backend *fake);
void fake_forget(struct fake_backend *fake);
bool fake_wait(bool (*done)(void *context), void *context);
void fake_wait_quiet(struct kunit *test, struct fake_backend *fake);
unsigned long fake_reported_at(struct fake_backend *fake, unsigned long pfn);
unsigned int fake_times_reported(struct fake_backend *fake, unsigned long pfn);
bool fake_saw(struct fake_backend *fake, unsigned long pfn,
	      unsigned long nr_pages, unsigned int times);
void fake_let_go(struct fake_backend *fake);
int fake_restore(struct page_reporting_dev_info *prdev, struct page *page,
		 unsigned int order);
void fake_register_restorer(struct kunit *test, struct fake_backend *fake);
bool fake_has(struct fake_backend *fake, unsigned long pfn);
bool fake_let_claim(struct fake_backend *fake, unsigned long pfn);

#endif /* _MM_PAGE_REPORTING_FAKE_BACKEND_H */
