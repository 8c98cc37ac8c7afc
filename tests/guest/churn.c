// SPDX-License-Identifier: GPL-2.0
/*
 * Allocates, touches and frees the same amount of memory again and again.
 *
 * Prints how many cycles it did and what one allocation (mapping and touching)
 * took on average: what a guest pays when memory it will need again soon has
 * been given back to the host.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define PAGE 4096UL

static void usage(void)
{
	fputs("usage: churn [-v] [-p 4k|2m] [-g GAP_MS] [-s SECONDS | -n CYCLES] MIB\n"
	      "  -v  print a line for each cycle, too\n"
	      "  -p  map with small or with huge pages (default 2m)\n"
	      "  -g  pause between freeing and the next cycle (default 0)\n"
	      "  -s  run this long (default 10)\n"
	      "  -n  run so many cycles, however long that takes\n", stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/*
 * Returns the seconds that mapping and touching took, and in @busy those of the
 * whole cycle.
 */
static double cycle(size_t bytes, int advice, double *busy)
{
	double start = now(), took;
	char *memory;
	size_t at;

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		fail("churn: mmap");
	if (madvise(memory, bytes, advice))
		fail("churn: madvise");
	for (at = 0; at < bytes; at += PAGE)
		memory[at] = 1;
	took = now() - start;

	if (munmap(memory, bytes))
		fail("churn: munmap");
	*busy = now() - start;
	return took;
}

int main(int argc, char **argv)
{
	unsigned long gap_ms = 0, seconds = 10, most = 0, cycles = 0;
	int advice = MADV_HUGEPAGE, verbose = 0;
	double end, took, busy, spent = 0;
	struct timespec gap;
	size_t bytes;
	int option;

	while ((option = getopt(argc, argv, "vp:g:s:n:")) != -1) {
		if (option == 'v')
			verbose = 1;
		else if (option == 'p' && !strcmp(optarg, "4k"))
			advice = MADV_NOHUGEPAGE;
		else if (option == 'p' && !strcmp(optarg, "2m"))
			advice = MADV_HUGEPAGE;
		else if (option == 'g')
			gap_ms = strtoul(optarg, NULL, 10);
		else if (option == 's')
			seconds = strtoul(optarg, NULL, 10);
		else if (option == 'n')
			most = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc - 1)
		usage();
	bytes = strtoul(argv[optind], NULL, 10) * MIB;
	gap.tv_sec = gap_ms / 1000;
	gap.tv_nsec = gap_ms % 1000 * 1000000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	end = now() + seconds;
	for (; most ? cycles < most : now() < end; cycles++) {
		took = cycle(bytes, advice, &busy);
		spent += took;
		if (verbose)
			printf("cycle ms=%.1f busy_ms=%.6f\n", took * 1e3,
			       busy * 1e3);
		nanosleep(&gap, NULL);
	}
	printf("cycles=%lu mean_ms=%.1f\n", cycles,
	       cycles ? spent / cycles * 1e3 : 0);
	return 0;
}
