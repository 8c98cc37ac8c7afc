// SPDX-License-Identifier: GPL-2.0
/*
 * Fragments memory: touches small pages, then frees every other piece and keeps
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
	fputs("usage: scatter [-k KIB] [-s SECONDS] MIB\n"
	      "  -k  size of a piece (default 4, a page)\n"
	      "  -s  hold this long (default: until killed)\n", stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void scatter(char *memory, size_t bytes, size_t piece)
{
	size_t at;

	for (at = 0; at < bytes; at += PAGE)
		memory[at] = 1;
	for (at = 0; at + piece <= bytes; at += 2 * piece)
		if (madvise(memory + at, piece, MADV_DONTNEED))
			fail("scatter: madvise");
}

int main(int argc, char **argv)
{
	size_t bytes, piece = PAGE;
	unsigned int seconds = 0;
	char *memory;
	int option;

	while ((option = getopt(argc, argv, "k:s:")) != -1) {
		if (option == 'k')
			piece = strtoul(optarg, NULL, 10) * 1024;
		else if (option == 's')
			seconds = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc - 1 || !piece || piece % PAGE)
		usage();
	bytes = strtoul(argv[optind], NULL, 10) * MIB;

	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		fail("scatter: mmap");
	if (madvise(memory, bytes, MADV_NOHUGEPAGE))
		fail("scatter: madvise");
	scatter(memory, bytes, piece);

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("scattered");
	if (seconds)
		sleep(seconds);
	else
		pause();
	return 0;
}
