// SPDX-License-Identifier: GPL-2.0
/*
 * Touches anonymous memory, holds it for a while, and frees it.
 *
 * The lines it prints are marks in time: "touched" once every page has been
 * written, "freeing" right before the memory is given up, "freed" right after.
 * Killing the program frees the memory as well.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define PAGE 4096UL

static void usage(void)
{
	fputs("usage: touch-free [-p 4k|2m|any] [-n NODE] [-s SECONDS] MIB\n"
	      "  -p  map with small or with huge pages (default 2m), or do not\n"
	      "      choose, for a kernel that has no huge pages\n"
	      "  -n  take the memory from this NUMA node only\n"
	      "  -s  hold the memory this long before freeing it (default 0)\n",
	      stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void bind_to_node(unsigned long node)
{
	unsigned long mask = 1UL << node;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &mask, 8 * sizeof(mask)))
		fail("touch-free: set_mempolicy");
}

static char *map(size_t bytes, int advice)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		fail("touch-free: mmap");
	/* A kernel that has no huge pages, as one for real time, refuses. */
	if (advice != MADV_NORMAL && madvise(memory, bytes, advice) &&
	    errno != EINVAL)
		fail("touch-free: madvise");
	return memory;
}

int main(int argc, char **argv)
{
	int advice = MADV_HUGEPAGE;
	unsigned int seconds = 0;
	size_t bytes, at;
	char *memory;
	int option;

	while ((option = getopt(argc, argv, "p:n:s:")) != -1) {
		if (option == 'p' && !strcmp(optarg, "4k"))
			advice = MADV_NOHUGEPAGE;
		else if (option == 'p' && !strcmp(optarg, "2m"))
			advice = MADV_HUGEPAGE;
		else if (option == 'p' && !strcmp(optarg, "any"))
			advice = MADV_NORMAL;
		else if (option == 'n')
			bind_to_node(strtoul(optarg, NULL, 10));
		else if (option == 's')
			seconds = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc - 1)
		usage();
	bytes = strtoul(argv[optind], NULL, 10) * MIB;

	/* Lines must leave at once: they are marks in time. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	memory = map(bytes, advice);
	for (at = 0; at < bytes; at += PAGE)
		memory[at] = 1;
	puts("touched");

	sleep(seconds);
	puts("freeing");
	if (munmap(memory, bytes))
		fail("touch-free: munmap");
	puts("freed");
	return 0;
}
