// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: free memory that is no whole block.
 *
 * A piece is a part of a block, of a smaller order.  A zone may have a second
 * tracker, for pieces whose block has been in use in part for long.  Here is
 * what one of the two trackers leaves to the other.  Callers hold zone->lock.
 */
#include <linux/jiffies.h>
#include <linux/lockdep.h>
#include <linux/math.h>
#include <linux/minmax.h>

#include "backend.h"
#include "pieces.h"
#include "retain.h"
#include "table.h"
#include "tracker.h"
#include "tunables.h"
#include "words.h"

/*
 * Memory became free that is no whole block.  @fz is the tracker of pieces,
 * which retains nothing: what it reports has been free for long.
 */
void fpr_notify_piece(struct fpr_zone *fz, unsigned long pfn,
		      unsigned int freed_order)
{
	unsigned long backed = fpr_mark_freed(fz, pfn, freed_order, jiffies);

	fpr_account_refault(fz, backed << fz->order);
	fpr_wake_in(fz, READ_ONCE(fpr_tunables.piece_age_ms));
}

/* What has become part of a whole block is a matter of the block. */
void fpr_drop_pieces(struct fpr_zone *fz, unsigned long pfn,
		     unsigned int freed_order)
{
	unsigned int order = max(freed_order, fz->end_order);
	struct fpr_range range = {
		.pfn = round_down(pfn, 1UL << order), .nr_pages = 1UL << order,
	};

	fpr_drop(fz, &range);
}

/* The block at @pfn is in use.  Parts of it may be free. */
void fpr_mark_pieces(struct fpr_zone *fz, unsigned long pfn)
{
	struct fpr_range block = { pfn, fpr_block_pages(fz) };

	if (fz->pieces)
		fpr_mark_pending(fz->pieces, &block, jiffies);
}

/*
 * The piece at @pfn is part of a whole block, which is the other tracker's.
 * That one did not hear of it if the block became whole when a batch returned.
 */
void fpr_leave_to_block(struct fpr_zone *fz, unsigned long pfn)
{
	struct fpr_zone *whole = fpr_zone_get_locked(fz->zone);
	struct fpr_range block = {
		.pfn = round_down(pfn, fpr_block_pages(whole)),
		.nr_pages = fpr_block_pages(whole),
	};

	fpr_drop(fz, &block);
	fpr_mark_pending(whole, &block, jiffies);
	fpr_wake(whole);
}
