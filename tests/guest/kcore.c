// SPDX-License-Identifier: GPL-2.0
/*
 * Looks at all memory of the kernel in /proc/kcore, as a debugger would.
 *
 * Prints how many pages of a pattern there are: of MARK, of which the program
 * has some itself, and of AWAY, with which keeping_backend fills what a guest
 * cannot have seen.  Then prints what a crash dump would be told of pages that
 * are offline.
 */
#define _GNU_SOURCE	/* memmem() */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096UL
#define CHUNK		(256 * PAGE)
#define OWN_PAGES	16
#define MARK		0xc3
#define AWAY		0xa5
#define OFFLINE		"NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)="

static unsigned long marked, away;

static void fail(const char *what)
{
	fprintf(stderr, "kcore: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int is_full_of(const unsigned char *page, unsigned char byte)
{
	return page[0] == byte && !memcmp(page, page + 1, PAGE - 1);
}

static void look_at(const unsigned char *pages, size_t bytes)
{
	for (; bytes >= PAGE; pages += PAGE, bytes -= PAGE) {
		marked += is_full_of(pages, MARK);
		away += is_full_of(pages, AWAY);
	}
}

static void look_through(int file, off_t offset, uint64_t bytes)
{
	static unsigned char chunk[CHUNK];

	while (bytes) {
		size_t want = bytes < CHUNK ? bytes : CHUNK;
		ssize_t got = pread(file, chunk, want, offset);

		if (got <= 0)
			fail("read");
		look_at(chunk, got);
		offset += got;
		bytes -= got;
	}
}

/* The segments of memory are those that have a physical address. */
static void look_through_memory(int file)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;
	int i;

	if (pread(file, &header, sizeof(header), 0) != sizeof(header))
		fail("header");
	for (i = 0; i < header.e_phnum; i++) {
		off_t at = header.e_phoff + i * sizeof(segment);

		if (pread(file, &segment, sizeof(segment), at) !=
		    sizeof(segment))
			fail("segment");
		if (segment.p_type == PT_LOAD && segment.p_paddr &&
		    segment.p_paddr != (Elf64_Addr)-1)
			look_through(file, segment.p_offset,
				     segment.p_filesz);
	}
}

/* It is in a note at the beginning. */
static void show_vmcoreinfo(int file)
{
	static char head[16 * PAGE];
	ssize_t got = pread(file, head, sizeof(head), 0);
	char *found = NULL;

	if (got > 0)
		found = memmem(head, got, OFFLINE, strlen(OFFLINE));
	if (!found)
		fail("no " OFFLINE);
	printf("%.*s\n", (int)strcspn(found, "\n"), found);
}

int main(void)
{
	int file = open("/proc/kcore", O_RDONLY);
	void *own = mmap(NULL, OWN_PAGES * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (file < 0)
		fail("/proc/kcore");
	if (own == MAP_FAILED)
		fail("mmap");
	memset(own, MARK, OWN_PAGES * PAGE);
	look_through_memory(file);
	printf("marked %lu away %lu\n", marked, away);
	show_vmcoreinfo(file);
	return 0;
}
