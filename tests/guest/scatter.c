// SPDX-License-Identifier: GPL-2.0
/*
 * Fragments memory: touches small pages, then frees every other piece and keeps
 * the rest, so that half of the memory is free but hardly a block is whole.
 *
 * Prints "scattered" and holds until it is killed or the time is over.  Then it
 * looks at what it has kept, and prints "intact" or how much is not.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
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

/* Each page has another content. */
static unsigned long content(size_t at)
{
	return at * 2654435761UL + 1;
}

static unsigned long *word(char *memory, size_t at)
{
	return (unsigned long *)(memory + at);
}

static void scatter(char *memory, size_t bytes, size_t piece)
{
	size_t at;

	for (at = 0; at < bytes; at += PAGE)
		*word(memory, at) = content(at);
	for (at = 0; at + piece <= bytes; at += 2 * piece)
		if (madvise(memory + at, piece, MADV_DONTNEED))
			fail("scatter: madvise");
}

/* Returns how many pages are not as they were. */
static size_t damaged(char *memory, size_t bytes, size_t piece)
{
	size_t at, nr = 0;

	for (at = 0; at < bytes; at += PAGE)
		if (at / piece % 2 && *word(memory, at) != content(at))
			nr++;
	return nr;
}

int main(int argc, char **argv)
{
	size_t bytes, bad, piece = PAGE;
	struct timespec time = { 0, 0 };
	sigset_t end;
	char *memory;
	int option;

	while ((option = getopt(argc, argv, "k:s:")) != -1) {
		if (option == 'k')
			piece = strtoul(optarg, NULL, 10) * 1024;
		else if (option == 's')
			time.tv_sec = strtoul(optarg, NULL, 10);
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
	/* A kernel that has no huge pages refuses. */
	if (madvise(memory, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		fail("scatter: madvise");
	scatter(memory, bytes, piece);

	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &end, NULL))
		fail("scatter: sigprocmask");
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("scattered");
	while (sigtimedwait(&end, NULL, time.tv_sec ? &time : NULL) < 0 &&
	       errno == EINTR)
		;
	bad = damaged(memory, bytes, piece);
	if (bad)
		printf("damaged: %zu pages\n", bad);
	else
		puts("intact");
	return !!bad;
}
