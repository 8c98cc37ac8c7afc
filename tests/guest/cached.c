// SPDX-License-Identifier: GPL-2.0
/*
 * Says how much of a file is in the page cache, or keeps a file in use.
 *
 * In use it is read again and again as a whole, by read() or through a mapping.
 * A line says when the first round has ended; what each later round had to fetch
 * anew is added up and printed at SIGTERM.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define BUFFER (1UL << 20)

static volatile sig_atomic_t over;
static const char *path;
static int fd;
static size_t bytes;
static unsigned char *mapping;

static void usage(void)
{
	fputs("usage: cached [-r MS | -m MS] FILE\n"
	      "  -r  read() the file, wait so many ms, and so on\n"
	      "  -m  the same through a mapping\n"
	      "without either, print how many KiB of it are in the page cache\n",
	      stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void end(int number)
{
	(void)number;
	over = 1;
}

static void open_file(void)
{
	struct stat status;

	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &status))
		fail(path);
	bytes = status.st_size;
	mapping = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (mapping == MAP_FAILED)
		fail("cached: mmap");
}

static size_t cached_pages(void)
{
	size_t pages = (bytes + PAGE - 1) / PAGE, count = 0, i;
	unsigned char *resident = malloc(pages);

	if (!resident || mincore(mapping, bytes, resident))
		fail("cached: mincore");
	for (i = 0; i < pages; i++)
		count += resident[i] & 1;
	free(resident);
	return count;
}

static void read_file(void)
{
	static char buffer[BUFFER];
	ssize_t got;

	if (lseek(fd, 0, SEEK_SET))
		fail("cached: lseek");
	do {
		got = read(fd, buffer, sizeof(buffer));
	} while (got > 0);
	if (got)
		fail("cached: read");
}

static void touch_file(void)
{
	size_t at;

	for (at = 0; at < bytes; at += PAGE)
		*(volatile unsigned char *)(mapping + at);
}

static void use_file(int by_mapping, unsigned long ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000 };
	size_t pages = (bytes + PAGE - 1) / PAGE, lost = 0, rounds;

	for (rounds = 0; !over; rounds++) {
		lost += rounds ? pages - cached_pages() : 0;
		if (by_mapping)
			touch_file();
		else
			read_file();
		if (!rounds)
			printf("in use\n");
		nanosleep(&wait, NULL);
	}
	printf("rounds=%zu fetched_kib=%zu\n", rounds, lost * PAGE / 1024);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	unsigned long ms = 0;
	int option, mode = 0;

	while ((option = getopt(argc, argv, "r:m:")) != -1) {
		if (option == '?' || mode)
			usage();
		mode = option;
		ms = strtoul(optarg, NULL, 10);
	}
	if (optind != argc - 1)
		usage();
	path = argv[optind];
	open_file();
	if (!mode) {
		printf("%zu\n", cached_pages() * PAGE / 1024);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGTERM, &action, NULL);
	use_file(mode == 'm', ms);
	return 0;
}
