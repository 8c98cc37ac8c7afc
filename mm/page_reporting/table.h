/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting: which tracker a zone has.
 */
#ifndef _MM_PAGE_REPORTING_TABLE_H
#define _MM_PAGE_REPORTING_TABLE_H

#include <linux/lockdep.h>
#include <linux/mmzone.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct fpr_backend;
struct fpr_zone;

extern struct fpr_zone __rcu **fpr_table;
int fpr_alloc_table(void);
struct fpr_zone *fpr_zone_of(struct zone *zone);
unsigned long fpr_present_blocks(const struct fpr_zone *fz,
				 unsigned long index);
bool fpr_has_pieces(const struct fpr_backend *backend, unsigned int order,
		    bool pieces);
unsigned int fpr_piece_order(unsigned int order);
struct fpr_zone *fpr_build(struct fpr_backend *backend, struct zone *zone,
			   unsigned int order, bool pieces);
struct fpr_zone *fpr_publish(struct zone *zone, struct fpr_zone *fz);
int fpr_await_batch_at(struct zone *zone, unsigned long start_pfn,
		       unsigned long end_pfn);
unsigned long fpr_pending_pages(const struct fpr_backend *backend);
unsigned long fpr_isolated_pages(const struct fpr_backend *backend);
u32 fpr_current_age(void);
void fpr_remove_trackers(struct fpr_backend *backend);
struct fpr_zone *fpr_grow(struct fpr_backend *backend, struct zone *zone);
bool fpr_is_current(const struct fpr_backend *backend,
		    const struct fpr_zone *fz);

static inline struct fpr_zone __rcu **fpr_slot(struct zone *zone)
{
	return &fpr_table[zone_to_nid(zone) * MAX_NR_ZONES + zone_idx(zone)];
}

/* The tracker of @zone or NULL.  Context: RCU read side. */
static inline struct fpr_zone *fpr_zone_get(struct zone *zone)
{
	return rcu_dereference(*fpr_slot(zone));
}

/* The tracker of @zone or NULL, for as long as zone->lock is held. */
static inline struct fpr_zone *fpr_zone_get_locked(struct zone *zone)
{
	return rcu_dereference_protected(*fpr_slot(zone),
					 lockdep_is_held(&zone->lock));
}

#endif /* _MM_PAGE_REPORTING_TABLE_H */
