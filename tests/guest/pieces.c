// SPDX-License-Identifier: GPL-2.0
/*
 * Frees small pieces all over memory, and shows which memory is free.
 *
 * Fills memory with pieces of 4 KiB to 1 MiB in random order.  Each round frees
 * some, takes half as much again, waits, and prints a line with one hexadecimal
 * digit for each four blocks of 2 MiB of physical memory: a bit is set if the
 * block is entirely in the free lists, the highest bit is the lowest block.
 * The last round leaves nothing.  Every run makes the same choices.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MIB (1UL << 20)
#define PAGE 4096UL
#define PIECE_SIZES 9
#define BLOCK_PAGES (2 * MIB / PAGE)
#define BLOCKS_PER_DIGIT 4
#define KPF_BUDDY 10

struct piece {
	char *memory;
	size_t bytes;
};

static struct piece *pieces;
static size_t nr_pieces, bytes_held;

static void usage(void)
{
	fputs("usage: pieces [-r ROUNDS] [-w MS] MIB\n"
	      "  -r  number of rounds (default 20)\n"
	      "  -w  wait before looking at what is free (default 1000)\n",
	      stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void take_piece(void)
{
	struct piece *piece = &pieces[nr_pieces++];
	size_t at;

	piece->bytes = PAGE << rand() % PIECE_SIZES;
	piece->memory = mmap(NULL, piece->bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (piece->memory == MAP_FAILED)
		fail("pieces: mmap");
	if (madvise(piece->memory, piece->bytes, MADV_NOHUGEPAGE))
		fail("pieces: madvise");
	for (at = 0; at < piece->bytes; at += PAGE)
		piece->memory[at] = 1;
	bytes_held += piece->bytes;
}

static void free_piece(size_t i)
{
	bytes_held -= pieces[i].bytes;
	if (munmap(pieces[i].memory, pieces[i].bytes))
		fail("pieces: munmap");
	pieces[i] = pieces[--nr_pieces];
}

static void free_down_to(size_t bytes)
{
	while (bytes_held > bytes)
		free_piece(rand() % nr_pieces);
}

static void take_up_to(size_t bytes)
{
	while (bytes_held < bytes)
		take_piece();
}

static void pause_ms(unsigned long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Returns -1 behind the end of memory. */
static int block_is_free(FILE *flags)
{
	static uint64_t page[BLOCK_PAGES];
	size_t i;

	if (fread(page, sizeof(*page), BLOCK_PAGES, flags) != BLOCK_PAGES)
		return -1;
	for (i = 0; i < BLOCK_PAGES; i++)
		if (!(page[i] & 1UL << KPF_BUDDY))
			return 0;
	return 1;
}

static void show_free_blocks(void)
{
	FILE *flags = fopen("/proc/kpageflags", "r");
	unsigned int digit = 0, blocks = 0;
	int is_free;

	if (!flags)
		fail("pieces: /proc/kpageflags");
	while ((is_free = block_is_free(flags)) >= 0) {
		digit = digit << 1 | is_free;
		if (++blocks % BLOCKS_PER_DIGIT)
			continue;
		printf("%x", digit);
		digit = 0;
	}
	printf("\n");
	fclose(flags);
}

int main(int argc, char **argv)
{
	unsigned long rounds = 20, wait_ms = 1000, round;
	size_t bytes, step;
	int option;

	while ((option = getopt(argc, argv, "r:w:")) != -1) {
		if (option == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (option == 'w')
			wait_ms = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc - 1 || !rounds)
		usage();
	bytes = strtoul(argv[optind], NULL, 10) * MIB;
	step = bytes / rounds;

	setvbuf(stdout, NULL, _IOLBF, 0);
	pieces = calloc(bytes / PAGE + 1, sizeof(*pieces));
	if (!pieces)
		fail("pieces: calloc");
	show_free_blocks();
	take_up_to(bytes);
	pause_ms(wait_ms);
	show_free_blocks();
	for (round = 1; round <= rounds; round++) {
		size_t left = bytes - round * step;

		free_down_to(left > step ? left - step : 0);
		if (round < rounds)
			take_up_to(left);
		pause_ms(wait_ms);
		show_free_blocks();
	}
	return 0;
}
