// SPDX-License-Identifier: GPL-2.0
/*
 * Fragments memory: touches small pages, then frees every other one and keeps
 * the rest, so that half of the memory is free but hardly a block is whole.
 *
 * Prints "scattered" and holds until it is killed or the time is over.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define PAGE 4096UL

static void usage(void)
{
	fputs("usage: scatter [-s SECONDS] MIB\n"
	      "  -s  hold this long (default: until killed)\n", stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void scatter(char *memory, size_t bytes)
{
	size_t at;

	for (at = 0; at < bytes; at += PAGE)
		memory[at] = 1;
	for (at = 0; at < bytes; at += 2 * PAGE)
		if (madvise(memory + at, PAGE, MADV_DONTNEED))
			fail("scatter: madvise");
}

int main(int argc, char **argv)
{
	unsigned int seconds = 0;
	char *memory;
	size_t bytes;
	int option;

	while ((option = getopt(argc, argv, "s:")) != -1) {
		if (option != 's')
			usage();
		seconds = strtoul(optarg, NULL, 10);
	}
	if (optind != argc - 1)
		usage();
	bytes = strtoul(argv[optind], NULL, 10) * MIB;

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		fail("scatter: mmap");
	if (madvise(memory, bytes, MADV_NOHUGEPAGE))
		fail("scatter: madvise");
	scatter(memory, bytes);

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("scattered");
	if (seconds)
		sleep(seconds);
	else
		pause();
	return 0;
}
