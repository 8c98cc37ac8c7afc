/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM page_reporting

#if !defined(_TRACE_PAGE_REPORTING_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_PAGE_REPORTING_H

#include <linux/mmzone.h>
#include <linux/tracepoint.h>
#include <linux/vmstat.h>

DECLARE_EVENT_CLASS(page_reporting_backend,

	TP_PROTO(const char *name, unsigned int order),

	TP_ARGS(name, order),

	TP_STRUCT__entry(
		__string(name, name)
		__field(unsigned int, order)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->order = order;
	),

	TP_printk("name=%s order=%u", __get_str(name), __entry->order)
);

DEFINE_EVENT(page_reporting_backend, page_reporting_register,
	TP_PROTO(const char *name, unsigned int order),
	TP_ARGS(name, order)
);

DEFINE_EVENT(page_reporting_backend, page_reporting_unregister,
	TP_PROTO(const char *name, unsigned int order),
	TP_ARGS(name, order)
);

TRACE_EVENT(page_reporting_batch,

	TP_PROTO(struct zone *zone, unsigned int order, unsigned int entries,
		 unsigned long pages, int err, s64 ns),

	TP_ARGS(zone, order, entries, pages, err, ns),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned int, order)
		__field(unsigned int, entries)
		__field(unsigned long, kb)
		__field(int, err)
		__field(s64, ns)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->order = order;
		__entry->entries = entries;
		__entry->kb = pages << (PAGE_SHIFT - 10);
		__entry->err = err;
		__entry->ns = ns;
	),

	TP_printk("nid=%d zone=%s order=%u entries=%u kb=%lu err=%d ns=%lld",
		  __entry->nid, __get_str(zone), __entry->order,
		  __entry->entries, __entry->kb, __entry->err, __entry->ns)
);

TRACE_EVENT(page_reporting_entry,

	TP_PROTO(struct zone *zone, unsigned long pfn, unsigned long pages,
		 bool reported),

	TP_ARGS(zone, pfn, pages, reported),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned long, pfn)
		__field(unsigned long, pages)
		__field(bool, reported)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->pfn = pfn;
		__entry->pages = pages;
		__entry->reported = reported;
	),

	TP_printk("nid=%d zone=%s pfn=0x%lx pages=%lu reported=%d",
		  __entry->nid, __get_str(zone), __entry->pfn,
		  __entry->pages, __entry->reported)
);

DECLARE_EVENT_CLASS(page_reporting_block,

	TP_PROTO(struct zone *zone, unsigned long pfn, unsigned long pages),

	TP_ARGS(zone, pfn, pages),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned long, pfn)
		__field(unsigned long, pages)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->pfn = pfn;
		__entry->pages = pages;
	),

	TP_printk("nid=%d zone=%s pfn=0x%lx pages=%lu",
		  __entry->nid, __get_str(zone), __entry->pfn,
		  __entry->pages)
);

DEFINE_EVENT(page_reporting_block, page_reporting_skip,
	TP_PROTO(struct zone *zone, unsigned long pfn, unsigned long pages),
	TP_ARGS(zone, pfn, pages)
);

DEFINE_EVENT(page_reporting_block, page_reporting_defer,
	TP_PROTO(struct zone *zone, unsigned long pfn, unsigned long pages),
	TP_ARGS(zone, pfn, pages)
);

DEFINE_EVENT(page_reporting_block, page_reporting_claim,
	TP_PROTO(struct zone *zone, unsigned long pfn, unsigned long pages),
	TP_ARGS(zone, pfn, pages)
);

TRACE_EVENT(page_reporting_pass,

	TP_PROTO(const char *name, bool flush, unsigned long pages, int err),

	TP_ARGS(name, flush, pages, err),

	TP_STRUCT__entry(
		__string(name, name)
		__field(bool, flush)
		__field(unsigned long, kb)
		__field(int, err)
	),

	TP_fast_assign(
		__assign_str(name);
		__entry->flush = flush;
		__entry->kb = pages << (PAGE_SHIFT - 10);
		__entry->err = err;
	),

	TP_printk("name=%s flush=%d kb=%lu err=%d", __get_str(name),
		  __entry->flush, __entry->kb, __entry->err)
);

TRACE_EVENT(page_reporting_restore,

	TP_PROTO(struct zone *zone, unsigned long pfn, unsigned long pages,
		 int err, s64 ns),

	TP_ARGS(zone, pfn, pages, err, ns),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned long, pfn)
		__field(unsigned long, pages)
		__field(int, err)
		__field(s64, ns)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->pfn = pfn;
		__entry->pages = pages;
		__entry->err = err;
		__entry->ns = ns;
	),

	TP_printk("nid=%d zone=%s pfn=0x%lx pages=%lu err=%d ns=%lld",
		  __entry->nid, __get_str(zone), __entry->pfn,
		  __entry->pages, __entry->err, __entry->ns)
);

TRACE_EVENT(page_reporting_refault,

	TP_PROTO(struct zone *zone, unsigned long backed,
		 unsigned long refaulted, unsigned long retained),

	TP_ARGS(zone, backed, refaulted, retained),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned long, backed_kb)
		__field(unsigned long, refaulted_kb)
		__field(unsigned long, retained_kb)
		__field(unsigned long, free_kb)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->backed_kb = backed << (PAGE_SHIFT - 10);
		__entry->refaulted_kb = refaulted << (PAGE_SHIFT - 10);
		__entry->retained_kb = retained << (PAGE_SHIFT - 10);
		__entry->free_kb = zone_page_state(zone, NR_FREE_PAGES) <<
				   (PAGE_SHIFT - 10);
	),

	TP_printk("nid=%d zone=%s backed_kb=%lu refaulted_kb=%lu retained_kb=%lu free_kb=%lu",
		  __entry->nid, __get_str(zone), __entry->backed_kb,
		  __entry->refaulted_kb, __entry->retained_kb,
		  __entry->free_kb)
);

TRACE_EVENT(page_reporting_consolidate,

	TP_PROTO(struct zone *zone, unsigned int order, unsigned long planned,
		 unsigned long made, unsigned long moved),

	TP_ARGS(zone, order, planned, made, moved),

	TP_STRUCT__entry(
		__field(int, nid)
		__string(zone, zone->name)
		__field(unsigned int, order)
		__field(unsigned long, planned)
		__field(unsigned long, made)
		__field(unsigned long, moved_kb)
	),

	TP_fast_assign(
		__entry->nid = zone_to_nid(zone);
		__assign_str(zone);
		__entry->order = order;
		__entry->planned = planned;
		__entry->made = made;
		__entry->moved_kb = moved << (PAGE_SHIFT - 10);
	),

	TP_printk("nid=%d zone=%s order=%u planned=%lu made=%lu moved_kb=%lu",
		  __entry->nid, __get_str(zone), __entry->order,
		  __entry->planned, __entry->made, __entry->moved_kb)
);

#endif /* _TRACE_PAGE_REPORTING_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
