// SPDX-License-Identifier: GPL-2.0
/*
 * Proves that no page in use loses its contents.
 *
 * Every thread keeps a set of regions, some of 4 KiB pages and some of huge
 * pages, filled with a pattern in which each word depends on its address, the
 * region's round and the thread.  It picks regions at random for ever: verifies
 * one, or verifies and frees it, or allocates and fills it again.  The first
 * wrong word ends the program with status 1.  A SIGTERM ends it as the time does,
 * with a last look at everything.
 *
 * The main thread keeps one more page untouched over the whole run, and can
 * tell where it lies in physical memory (-v): the victim for a test of what
 * happens when a page in use is reported after all.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define PAGE 4096UL
#define REGION (2 * MIB)
#define REGION_WORDS (REGION / sizeof(uint64_t))
#define WORDS_SHOWN 4
#define PAGEMAP_PFN ((1ULL << 55) - 1)

struct region {
	uint64_t *words;	/* NULL while freed */
	uint64_t seed;
};

struct worker {
	pthread_t thread;
	unsigned int id;
	unsigned int random;
	unsigned long rounds;
	size_t nr_regions;
	struct region *regions;
};

static volatile time_t end;

static void usage(void)
{
	fputs("usage: integrity [-v] [-n NODE] [-t THREADS] [-m MIB]"
	      " [-s SECONDS]\n"
	      "  -v  print the physical page number of a page kept in use\n"
	      "  -n  take the memory from this NUMA node only\n"
	      "  -t  number of threads (default 2)\n"
	      "  -m  memory of each thread (default 64)\n"
	      "  -s  run this long (default 10)\n", stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(3);
}

static void end_now(int signal)
{
	(void)signal;
	end = 0;
}

/* Threads inherit it. */
static void bind_to_node(unsigned long node)
{
	unsigned long mask = 1UL << node;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof(mask)))
		fail("integrity: set_mempolicy");
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec;
}

/* Odd multipliers spread every bit of the address and of the seed. */
static uint64_t pattern(const uint64_t *word, uint64_t seed)
{
	return ((uintptr_t)word + seed * 0xd1342543de82ef95ULL) *
	       0x9e3779b97f4a7c15ULL;
}

static void fill(uint64_t *words, size_t count, uint64_t seed)
{
	size_t i;

	for (i = 0; i < count; i++)
		words[i] = pattern(&words[i], seed);
}

static void verify(const uint64_t *words, size_t count, uint64_t seed,
		   const char *where)
{
	unsigned int shown = 0;
	size_t i;

	for (i = 0; i < count && shown < WORDS_SHOWN; i++) {
		uint64_t want = pattern(&words[i], seed);

		if (words[i] == want)
			continue;
		printf("WRONG WORD in %s at %p: %016llx, not %016llx\n", where,
		       (void *)&words[i], (unsigned long long)words[i],
		       (unsigned long long)want);
		shown++;
	}
	if (shown) {
		fflush(stdout);
		_exit(1);
	}
}

static void *map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("integrity: mmap");
	return memory;
}

/* Huge pages need an aligned region: map twice as much and trim it. */
static uint64_t *map_region(int advice)
{
	char *memory = map(2 * REGION);
	size_t skip = -(uintptr_t)memory % REGION;

	if ((skip && munmap(memory, skip)) ||
	    munmap(memory + skip + REGION, REGION - skip))
		fail("integrity: munmap");
	/* A kernel that has no huge pages refuses. */
	if (madvise(memory + skip, REGION, advice) && errno != EINVAL)
		fail("integrity: madvise");
	return (uint64_t *)(memory + skip);
}

static void allocate(struct worker *w, struct region *r)
{
	int huge = rand_r(&w->random) & 1;

	r->seed = (uint64_t)w->id << 40 | ++w->rounds;
	r->words = map_region(huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	fill(r->words, REGION_WORDS, r->seed);
}

static void release(struct region *r)
{
	if (munmap(r->words, REGION))
		fail("integrity: munmap");
	r->words = NULL;
}

static void step(struct worker *w)
{
	struct region *r = &w->regions[rand_r(&w->random) % w->nr_regions];

	if (!r->words) {
		allocate(w, r);
		return;
	}
	verify(r->words, REGION_WORDS, r->seed, "a region");
	if (rand_r(&w->random) % 4)
		release(r);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	size_t i;

	while (now() < end)
		step(w);
	for (i = 0; i < w->nr_regions; i++)
		if (w->regions[i].words)
			verify(w->regions[i].words, REGION_WORDS,
			       w->regions[i].seed, "a region");
	return NULL;
}

static uint64_t physical_page(void *address)
{
	off_t at = (uintptr_t)address / PAGE * sizeof(uint64_t);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
		fail("integrity: /proc/self/pagemap");
	close(fd);
	return entry & PAGEMAP_PFN;
}

static void start(struct worker *w, unsigned int id, size_t nr_regions)
{
	w->id = id + 1;
	w->random = id + 1;
	w->nr_regions = nr_regions;
	w->regions = calloc(nr_regions, sizeof(*w->regions));
	if (!w->regions)
		fail("integrity: calloc");
	if (pthread_create(&w->thread, NULL, work, w))
		fail("integrity: pthread_create");
}

int main(int argc, char **argv)
{
	unsigned int threads = 2, seconds = 10, show_victim = 0, i;
	unsigned long mib = 64, rounds = 0;
	struct worker *workers;
	uint64_t *victim;
	int option;

	while ((option = getopt(argc, argv, "vn:t:m:s:")) != -1) {
		if (option == 'v')
			show_victim = 1;
		else if (option == 'n')
			bind_to_node(strtoul(optarg, NULL, 10));
		else if (option == 't')
			threads = strtoul(optarg, NULL, 10);
		else if (option == 'm')
			mib = strtoul(optarg, NULL, 10);
		else if (option == 's')
			seconds = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc || !threads || mib * MIB < REGION)
		usage();
	end = now() + seconds;
	signal(SIGTERM, end_now);

	setvbuf(stdout, NULL, _IOLBF, 0);
	victim = map(PAGE);
	fill(victim, PAGE / sizeof(*victim), 0);
	if (show_victim)
		printf("victim %llu\n",
		       (unsigned long long)physical_page(victim));

	workers = calloc(threads, sizeof(*workers));
	if (!workers)
		fail("integrity: calloc");
	for (i = 0; i < threads; i++)
		start(&workers[i], i, mib * MIB / REGION);
	for (i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		rounds += workers[i].rounds;
	}
	verify(victim, PAGE / sizeof(*victim), 0, "the victim page");
	printf("no wrong word in %lu rounds\n", rounds);
	return 0;
}
