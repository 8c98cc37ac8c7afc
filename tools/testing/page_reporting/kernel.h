/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting in user space: what the files under test need of the
 * kernel.
 *
 * It is included before everything else, and each <linux/...> that a file
 * includes is empty.  The locks and RCU only check that they are held: there is
 * one thread.
 */
#ifndef _PAGE_REPORTING_KERNEL_H
#define _PAGE_REPORTING_KERNEL_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* === Types and the compiler === */

typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;
typedef unsigned int gfp_t;

#define __rcu
#define __init
#define __read_mostly
#define __counted_by(member)
#define __noreturn		__attribute__((noreturn))
#define __printf(text, first)	__attribute__((format(printf, text, first)))

#define U32_MAX			UINT32_MAX
#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/* An option that is set is defined as 1. */
#define __stringify_1(text)	#text
#define __stringify(text)	__stringify_1(text)
#define IS_ENABLED(option)	(sizeof(__stringify(option)) == sizeof("1"))

#define READ_ONCE(x)		(*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value)	(*(volatile typeof(x) *)&(x) = (value))
#define smp_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)

/* What the kernel does while it boots is done before main(). */
#define subsys_initcall(function) \
static void __attribute__((constructor)) call_##function(void) \
{ \
	if (function()) \
		abort(); \
}

/* Ends the program: says where, and what is wrong. */
void broken(const char *file, int line, const char *what)
	__noreturn;

#define must(condition) \
	((condition) ? (void)0 : broken(__FILE__, __LINE__, #condition))

/* === Numbers === */

#define __pick(a, op, b) \
({ \
	__auto_type pick_a = (a); \
	__auto_type pick_b = (b); \
	pick_a op pick_b ? pick_a : pick_b; \
})
#define min(a, b)		__pick(a, <, b)
#define max(a, b)		__pick(a, >, b)
#define min_t(type, a, b)	__pick((type)(a), <, (type)(b))
#define max_t(type, a, b)	__pick((type)(a), >, (type)(b))
#define max3(a, b, c) \
({ \
	__auto_type max3_a = (a); \
	__auto_type max3_bc = __pick(b, >, c); \
	max3_a > max3_bc ? max3_a : max3_bc; \
})
#define clamp(value, low, high) \
({ \
	__auto_type clamp_low = max(value, low); \
	min(clamp_low, high); \
})

#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define round_down(x, power)	((x) & ~((typeof(x))(power) - 1))
#define ALIGN(x, power)		round_down((x) + (typeof(x))(power) - 1, power)

static inline u64 div_u64(u64 dividend, u32 divisor)
{
	return dividend / divisor;
}

static inline unsigned long rounddown_pow_of_two(unsigned long n)
{
	return 1UL << (sizeof(n) * CHAR_BIT - 1 - __builtin_clzl(n));
}

/* === Bits === */

#define BITS_PER_LONG		((int)sizeof(long) * CHAR_BIT)
#define BITS_TO_LONGS(n)	DIV_ROUND_UP(n, BITS_PER_LONG)
#define BIT(n)			(1UL << (n))
#define GENMASK(high, low) \
	((~0UL >> (BITS_PER_LONG - 1 - (high))) & (~0UL << (low)))

#define __ffs(word)		((unsigned long)__builtin_ctzl(word))
#define hweight_long(word)	((unsigned long)__builtin_popcountl(word))

static inline void __set_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] |= BIT(nr % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned long nr, unsigned long *map)
{
	map[nr / BITS_PER_LONG] &= ~BIT(nr % BITS_PER_LONG);
}

static inline bool test_bit(unsigned long nr, const unsigned long *map)
{
	return map[nr / BITS_PER_LONG] & BIT(nr % BITS_PER_LONG);
}

unsigned long find_next_bit(const unsigned long *map, unsigned long size,
			    unsigned long from);

#define for_each_set_bit_from(bit, map, size) \
	for (; (bit) = find_next_bit(map, size, bit), (bit) < (size); (bit)++)
#define for_each_set_bit(bit, map, size) \
	for ((bit) = 0; \
	     (bit) = find_next_bit(map, size, bit), (bit) < (size); (bit)++)

/* === Time === */

#define HZ			250

extern unsigned long jiffies;

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	return DIV_ROUND_UP((unsigned long)ms * HZ, 1000);
}

#define MSEC_PER_SEC		1000L
#define NSEC_PER_MSEC		1000000L
#define NSEC_PER_USEC		1000L

#define cond_resched()		do { } while (0)

/* === Locks, RCU, atomics === */

/* Not more than whether it is held. */
typedef struct {
	bool held;
} spinlock_t;

static inline void spin_lock_init(spinlock_t *lock)
{
	lock->held = false;
}

static inline void spin_lock_irq(spinlock_t *lock)
{
	must(!lock->held);
	lock->held = true;
}

static inline void spin_unlock_irq(spinlock_t *lock)
{
	must(lock->held);
	lock->held = false;
}

#define lockdep_is_held(lock)		((lock)->held)
#define lockdep_assert_held(lock)	must(lockdep_is_held(lock))

struct rcu_head {
	void *next;
};

extern unsigned int rcu_readers;

static inline void rcu_read_lock(void)
{
	rcu_readers++;
}

static inline void rcu_read_unlock(void)
{
	must(rcu_readers);
	rcu_readers--;
}

#define rcu_access_pointer(p)		READ_ONCE(p)
#define rcu_dereference(p)		({ must(rcu_readers); READ_ONCE(p); })
#define rcu_dereference_protected(p, c)	({ must(c); (p); })
#define rcu_assign_pointer(p, value)	WRITE_ONCE(p, value)
#define RCU_INIT_POINTER(p, value)	WRITE_ONCE(p, value)

typedef struct {
	long value;
} atomic_long_t;

static inline void atomic_long_add(long n, atomic_long_t *sum)
{
	sum->value += n;
}

/* === Memory for the program itself === */

#define GFP_KERNEL		0U
#define __GFP_ZERO		0U
#define __GFP_NOWARN		0U
#define __GFP_RETRY_MAYFAIL	0U

#define struct_size(p, array, n) \
	(sizeof(*(p)) + sizeof(*(p)->array) * (n))

static inline void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return calloc(n, size);
}

static inline void *kvzalloc(size_t size, gfp_t gfp)
{
	return calloc(1, size);
}

static inline void kfree(const void *p)
{
	free((void *)p);
}

static inline void kvfree(const void *p)
{
	free((void *)p);
}

struct kmem_cache {
	size_t size;
};

/* For one cache a file. */
#define KMEM_CACHE(type, flags) \
({ \
	static struct kmem_cache cache = { sizeof(struct type) }; \
	&cache; \
})

static inline void *kmem_cache_alloc_node(struct kmem_cache *cache, gfp_t gfp,
					  int nid)
{
	return calloc(1, cache->size);
}

/* === Pages and zones === */

#define NUMA_NO_NODE		(-1)
#define PAGE_SHIFT		12
#define PAGE_SIZE		BIT(PAGE_SHIFT)
#define SZ_8M			(8 << 20)
#define SZ_16M			(16 << 20)
#define SZ_128M			(128 << 20)
#define SZ_256M			(256 << 20)
#define MAX_PAGE_ORDER		10
#define NR_PAGE_ORDERS		(MAX_PAGE_ORDER + 1)
#define MAX_ORDER_NR_PAGES	BIT(MAX_PAGE_ORDER)
#define pageblock_order		9
#define pageblock_nr_pages	BIT(pageblock_order)
#define pageblock_aligned(pfn)	((pfn) % pageblock_nr_pages == 0)
#define SECTION_SIZE_BITS	27
#define PAGES_PER_SECTION	BIT(SECTION_SIZE_BITS - PAGE_SHIFT)

enum zone_stat_item { NR_FREE_PAGES, NR_ZONE_STATS };

struct zone {
	spinlock_t lock;	/* @stat, and the trackers */
	unsigned long stat[NR_ZONE_STATS];
};

static inline unsigned long zone_page_state(const struct zone *zone,
					    enum zone_stat_item item)
{
	return zone->stat[item];
}

/* As large as in the kernel; nobody looks inside. */
struct page {
	unsigned long words[8];
};

static inline struct page *pfn_to_page(unsigned long pfn)
{
	return (struct page *)(0xffff000000000000UL +
			       pfn * sizeof(struct page));
}

struct scatterlist {
	struct page *page;
	unsigned int offset;
	unsigned int length;
};

static inline void sg_init_table(struct scatterlist *sgl, unsigned int nr)
{
	memset(sgl, 0, nr * sizeof(*sgl));
}

static inline void sg_set_page(struct scatterlist *sg, struct page *page,
			       unsigned int length, unsigned int offset)
{
	*sg = (struct scatterlist){ page, offset, length };
}

/* === Chance: of a generator, or of the fuzzer === */

struct rnd_state {
	u64 state;
};

void prandom_seed_state(struct rnd_state *state, u64 seed);
u32 prandom_u32_state(struct rnd_state *state);

#endif /* _PAGE_REPORTING_KERNEL_H */
