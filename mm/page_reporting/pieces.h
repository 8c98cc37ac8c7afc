/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: free memory that is no whole block.
 */
#ifndef _MM_PAGE_REPORTING_PIECES_H
#define _MM_PAGE_REPORTING_PIECES_H

struct fpr_zone;

#ifdef CONFIG_PAGE_REPORTING_PIECES
void fpr_notify_piece(struct fpr_zone *fz, unsigned long pfn,
		      unsigned int freed_order);
void fpr_drop_pieces(struct fpr_zone *fz, unsigned long pfn,
		     unsigned int freed_order);
void fpr_mark_pieces(struct fpr_zone *fz, unsigned long pfn);
void fpr_leave_to_block(struct fpr_zone *fz, unsigned long pfn);
#else /* CONFIG_PAGE_REPORTING_PIECES */
static inline void fpr_notify_piece(struct fpr_zone *fz, unsigned long pfn,
				    unsigned int freed_order)
{
}

static inline void fpr_drop_pieces(struct fpr_zone *fz, unsigned long pfn,
				   unsigned int freed_order)
{
}

static inline void fpr_mark_pieces(struct fpr_zone *fz, unsigned long pfn)
{
}

static inline void fpr_leave_to_block(struct fpr_zone *fz, unsigned long pfn)
{
}
#endif /* CONFIG_PAGE_REPORTING_PIECES */
#endif /* _MM_PAGE_REPORTING_PIECES_H */
