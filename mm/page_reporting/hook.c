// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: what the allocator calls.
 *
 * The hook runs under zone->lock, in the path of every free that completes a
 * block: it marks, accounts and wakes, and no more.
 */
#include <linux/jump_label.h>
#include <linux/lockdep.h>
#include <linux/mm.h>

#include "backend.h"
#include "hook.h"
#include "pieces.h"
#include "restore.h"
#include "retain.h"
#include "table.h"
#include "tracker.h"

DEFINE_STATIC_KEY_FALSE(page_reporting_enabled);

static void fpr_notify_block(struct fpr_zone *fz, unsigned long pfn,
			     unsigned int freed_order)
{
	unsigned long pending = fz->nr_pending;
	unsigned long backed = fpr_mark_freed(fz, pfn, freed_order, jiffies);

	fpr_account_free(fz, 1UL << freed_order, backed << fz->order);
	/*
	 * What was pending before has a pass to come, but that may be far away
	 * if nothing more could be unbacked: see fpr_scarce_wait().
	 */
	if (fz->nr_pending != pending || fz->backend->restores)
		fpr_wake(fz);
}

/* The part of page_reporting_notify_free() that is not inlined. */
void __page_reporting_notify_free(struct zone *zone, unsigned long pfn,
				  unsigned int freed_order,
				  unsigned int merged_order)
{
	struct fpr_zone *fz;

	lockdep_assert_held(&zone->lock);
	/* The key is on before the table is there. */
	if (!READ_ONCE(fpr_table))
		return;
	fz = fpr_zone_get_locked(zone);
	if (!fz)
		return;
	if (merged_order >= fz->order) {
		fpr_notify_block(fz, pfn, freed_order);
		if (fz->pieces)
			fpr_drop_pieces(fz->pieces, pfn, freed_order);
	} else if (fz->pieces && merged_order >= fz->pieces->order) {
		fpr_notify_piece(fz->pieces, pfn, freed_order);
	}
}

/* The part of page_reporting_yield_range() that is not inlined. */
void __page_reporting_yield_range(unsigned long start_pfn,
				  unsigned long end_pfn)
{
	fpr_await_batch_at(page_zone(pfn_to_page(start_pfn)), start_pfn,
			   end_pfn);
	fpr_restore_range(start_pfn, end_pfn);
}
