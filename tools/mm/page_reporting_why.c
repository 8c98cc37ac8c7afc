// SPDX-License-Identifier: GPL-2.0
/*
 * Says what each page of a guest is used for, and so why its host has memory
 * for it, or has not.
 *
 * See Documentation/admin-guide/mm/page_reporting.rst.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <unistd.h>

#define SYSFS "/sys/kernel/mm/page_reporting/"
#define MAX_ORDER 14
#define PIECE_SHIFT 6		/* a piece is a block of order - 6 */

/* Bits of /proc/kpageflags, see Documentation/admin-guide/mm/pagemap.rst. */
#define KPF(bit) (1ULL << (bit))
#define KPF_REFERENCED	KPF(2)
#define KPF_UPTODATE	KPF(3)
#define KPF_DIRTY	KPF(4)
#define KPF_LRU		KPF(5)
#define KPF_SLAB	KPF(7)
#define KPF_WRITEBACK	KPF(8)
#define KPF_BUDDY	KPF(10)
#define KPF_ANON	KPF(12)
#define KPF_SWAPBACKED	KPF(14)
#define KPF_HUGE	KPF(17)
#define KPF_NOPAGE	KPF(20)
#define KPF_OFFLINE	KPF(23)
#define KPF_ZERO_PAGE	KPF(24)
#define KPF_PGTABLE	KPF(26)
#define KPF_RESERVED	KPF(32)

/* What a page can be.  Each page counts in one of these. */
enum use {
	ANON, SHMEM, CACHE, HUGETLB,
	SLAB, TABLES, RESERVED, KERNEL,
	CPU_LISTS, FRAGMENTS, WAITING, RETAINED, ISOLATED,
	REPORTED, UNBACKED, BALLOON,
	NR_USES,
	/* only while pages are looked at */
	FREE = NR_USES, OFFLINE, NO_MEMORY
};

/* The sums of neighbours above. */
enum sum {
	PROGRAMS, SYSTEM, UNUSED, AT_HOST, GIVEN_BACK, ALL, NR_SUMS
};

static const struct {
	enum use first, last;
} parts[NR_SUMS] = {
	[PROGRAMS]	= { ANON, HUGETLB },
	[SYSTEM]	= { SLAB, KERNEL },
	[UNUSED]	= { CPU_LISTS, ISOLATED },
	[AT_HOST]	= { ANON, ISOLATED },
	[GIVEN_BACK]	= { REPORTED, BALLOON },
	[ALL]		= { ANON, BALLOON },
};

/* The lines of the table: a sum, or one use. */
static const struct {
	unsigned int indent;
	int sum;
	int use;
	const char *name;
	const char *text;
} lines[] = {
	{ 0, ALL, 0, "memory", "memory of the guest" },
	{ 1, AT_HOST, 0, "at_host", "at the host" },
	{ 2, PROGRAMS, 0, "programs", "used by programs" },
	{ 3, -1, ANON, "anonymous", "anonymous" },
	{ 3, -1, SHMEM, "shmem", "shared and tmpfs" },
	{ 3, -1, CACHE, "cache", "page cache" },
	{ 3, -1, HUGETLB, "hugetlb", "hugetlb pool" },
	{ 2, SYSTEM, 0, "kernel", "used by the kernel" },
	{ 3, -1, SLAB, "slab", "slab" },
	{ 3, -1, TABLES, "page_tables", "page tables" },
	{ 3, -1, RESERVED, "reserved", "reserved since boot" },
	{ 3, -1, KERNEL, "other", "stacks, vmalloc, others" },
	{ 2, UNUSED, 0, "free", "free" },
	{ 3, -1, CPU_LISTS, "cpu_lists", "in per-CPU lists" },
	{ 3, -1, FRAGMENTS, "fragments", "in fragments" },
	{ 3, -1, WAITING, "waiting", "waiting" },
	{ 3, -1, RETAINED, "retained", "retained" },
	{ 3, -1, ISOLATED, "isolated", "on its way" },
	{ 1, GIVEN_BACK, 0, "given_back", "given back" },
	{ 2, -1, REPORTED, "reported", "free and reported" },
	{ 2, -1, UNBACKED, "unbacked", "free and unbacked" },
	{ 2, -1, BALLOON, "balloon", "balloon, offline" },
	{ 0, -1, 0, NULL, NULL }
};

static unsigned long used[NR_USES + 2];	/* in pages; with FREE and OFFLINE */

/* Of the free pages, those in blocks that are not free as a whole. */
static unsigned long fragments[MAX_ORDER + 1];	/* by the length of the run */
static unsigned long piece_pages;	/* those in pieces that are whole */
static unsigned long partial_blocks;
/* How many blocks become whole when so many pages are moved out of them. */
static unsigned long to_empty[(1UL << MAX_ORDER) + 1];

static unsigned int order;
static unsigned long block_pages, page_kb;
static const char *root = "";

/* === Files === */

static void fail(const char *path)
{
	fprintf(stderr, "page_reporting_why: %s: %s\n", path, strerror(errno));
	if (errno == ENOENT)
		fputs("Needed are CONFIG_PAGE_REPORTING and CONFIG_PROC_PAGE_MONITOR.\n",
		      stderr);
	exit(1);
}

static const char *below_root(const char *path)
{
	static char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s%s", root, path);
	return name;
}

static FILE *open_file(const char *path)
{
	FILE *file = fopen(below_root(path), "r");

	if (!file)
		fail(path);
	return file;
}

static long read_value(const char *path)
{
	FILE *file = open_file(path);
	long value;

	errno = EINVAL;
	if (fscanf(file, "%ld", &value) != 1)
		fail(path);
	fclose(file);
	return value;
}

/* A file that a kernel without a layer does not have: there is none of it. */
static long read_optional(const char *path)
{
	return access(below_root(path), F_OK) ? 0 : read_value(path);
}

/* Returns how many there are; @error becomes that of one that failed. */
static unsigned int count_backends(long *error)
{
	struct dirent *entry;
	unsigned int count = 0;
	char path[PATH_MAX];
	DIR *dir = opendir(below_root(SYSFS "backends"));

	if (!dir)
		fail(SYSFS "backends");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SYSFS "backends/%s/error",
			 entry->d_name);
		*error = read_value(path) ?: *error;
		count++;
	}
	closedir(dir);
	return count;
}

/* Pages that the allocator has ready for each processor. */
static unsigned long cpu_list_pages(void)
{
	static const char path[] = "/proc/zoneinfo";
	FILE *file = open_file(path);
	unsigned long pages, sum = 0;
	char line[256];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " count: %lu", &pages) == 1)
			sum += pages;
	fclose(file);
	return sum;
}

/* === Pages === */

static enum use use_of(uint64_t flags)
{
	static const struct {
		uint64_t any;
		enum use use;
	} rules[] = {
		/* the first that fits */
		{ KPF_NOPAGE, NO_MEMORY },
		{ KPF_OFFLINE, OFFLINE },
		{ KPF_BUDDY, FREE },
		{ KPF_RESERVED, RESERVED },
		{ KPF_HUGE, HUGETLB },
		{ KPF_SLAB, SLAB },
		{ KPF_PGTABLE, TABLES },
		{ KPF_ZERO_PAGE, KERNEL },
		{ KPF_ANON, ANON },
		{ KPF_SWAPBACKED, SHMEM },
		/* a page that comes or leaves is on no list for a while */
		{ KPF_LRU | KPF_UPTODATE | KPF_DIRTY | KPF_WRITEBACK |
		  KPF_REFERENCED, CACHE },
		{ 0, KERNEL }
	};
	size_t i = 0;

	while (rules[i].any && !(flags & rules[i].any))
		i++;
	return rules[i].use;
}

/* Pages of one block, filled from its beginning to its end. */
struct block {
	unsigned long number;
	unsigned long free, movable;
	bool is_free[1UL << MAX_ORDER];
};

static struct block block;

static unsigned int log2_of(unsigned long value)
{
	unsigned int log = 0;

	while (value >>= 1)
		log++;
	return log;
}

/* Free pages that follow each other count by the length of their run. */
static void add_runs(void)
{
	unsigned long at, length = 0;

	for (at = 0; at <= block_pages; at++) {
		if (at < block_pages && block.is_free[at]) {
			length++;
		} else if (length) {
			fragments[log2_of(length)] += length;
			length = 0;
		}
	}
}

static void add_pieces(void)
{
	unsigned long piece = order > PIECE_SHIFT ?
		1UL << (order - PIECE_SHIFT) : 1;
	unsigned long at, free = 0;

	for (at = 0; at < block_pages; at++) {
		free += block.is_free[at];
		if ((at + 1) % piece)
			continue;
		if (free == piece)
			piece_pages += piece;
		free = 0;
	}
}

/* A block is complete: a part of it that is no memory keeps it from being whole. */
static void end_block(void)
{
	if (block.free && block.free < block_pages) {
		used[FRAGMENTS] += block.free;
		partial_blocks++;
		add_runs();
		add_pieces();
		if (block.free + block.movable == block_pages)
			to_empty[block.movable]++;
	} else {
		used[FREE] += block.free;
	}
	memset(block.is_free, 0, block_pages);
	block.free = 0;
	block.movable = 0;
}

static void add_page(unsigned long pfn, uint64_t flags)
{
	enum use use = use_of(flags);

	if (pfn >> order != block.number) {
		end_block();
		block.number = pfn >> order;
	}
	if (use == FREE) {
		block.is_free[pfn % block_pages] = true;
		block.free++;
		return;
	}
	/* what the kernel's compaction can move */
	block.movable += (flags & KPF_LRU) && use != NO_MEMORY;
	if (use != NO_MEMORY)
		used[use]++;
}

/* Pages from @start to before @end are memory. */
static void add_range(FILE *file, unsigned long start, unsigned long end)
{
	static uint64_t flags[4096];
	size_t i, nr;

	if (fseek(file, start * sizeof(*flags), SEEK_SET))
		fail("/proc/kpageflags");
	while (start < end) {
		nr = MIN(end - start, 4096);
		errno = EINVAL;
		if (fread(flags, sizeof(*flags), nr, file) != nr)
			fail("/proc/kpageflags");
		for (i = 0; i < nr; i++)
			add_page(start++, flags[i]);
	}
}

/* Look at what the firmware calls memory: the rest has no page, or no use. */
static void add_all_pages(void)
{
	FILE *ranges = open_file("/proc/iomem");
	FILE *file = open_file("/proc/kpageflags");
	unsigned long long page = page_kb * 1024, first, last;
	char line[256], name[64];
	bool found = false;

	while (fgets(line, sizeof(line), ranges)) {
		if (sscanf(line, "%llx-%llx : %63[^\n]", &first, &last, name) != 3 ||
		    strncmp(name, "System RAM", 10) || !last)
			continue;
		found = true;
		add_range(file, (first + page - 1) / page, (last + 1) / page);
	}
	end_block();
	fclose(file);
	fclose(ranges);
	if (found)
		return;
	fputs("page_reporting_why: /proc/iomem shows no memory, or not to you\n",
	      stderr);
	exit(1);
}

/* Take up to @pages from one use and give them to another. */
static void move_pages(enum use from, enum use to, unsigned long pages)
{
	if (pages > used[from])
		pages = used[from];
	used[from] -= pages;
	used[to] += pages;
}

/* === Free memory: what has been reported? === */

static long age_ms, max_age_ms, current_age_ms, piece_age_ms, enabled, error;
static long backends;

static void read_state(void)
{
	order = read_value(SYSFS "order");
	if (order > MAX_ORDER) {
		errno = ERANGE;
		fail(SYSFS "order");
	}
	page_kb = sysconf(_SC_PAGESIZE) / 1024;
	block_pages = 1UL << order;
	enabled = read_value(SYSFS "enabled");
	age_ms = read_value(SYSFS "age_ms");
	max_age_ms = read_optional(SYSFS "max_age_ms");
	piece_age_ms = read_optional(SYSFS "piece_age_ms");
	current_age_ms = read_value(SYSFS "current_age_ms");
	backends = count_backends(&error);
}

/*
 * Without a backend nothing is known to be pending, for nothing is reported.
 * The amount is that of now, and the pages were looked at before: who allocates
 * and frees meanwhile is on one side or the other.
 */
static void split_free(void)
{
	unsigned long pending = read_value(SYSFS "pending_kb") / page_kb;

	if (!backends)
		pending = used[FREE];
	move_pages(FREE, current_age_ms > age_ms ? RETAINED : WAITING, pending);
	move_pages(FREE, REPORTED, used[FREE]);
	move_pages(OFFLINE, UNBACKED,
		   read_optional(SYSFS "unbacked_kb") / page_kb);
	move_pages(OFFLINE, BALLOON, used[OFFLINE]);
	/* neither has a flag of its own */
	move_pages(KERNEL, CPU_LISTS, cpu_list_pages());
	move_pages(KERNEL, ISOLATED,
		   read_value(SYSFS "isolated_kb") / page_kb);
}

/*
 * How many blocks can be made whole at most, and how many pages are moved for
 * it?  The emptiest come first; what is moved goes to fragments that are left.
 */
static unsigned long gain(unsigned long *moved)
{
	unsigned long room = used[FRAGMENTS], blocks = 0, pages;

	*moved = 0;
	for (pages = 1; pages < block_pages; pages++) {
		unsigned long left = to_empty[pages];

		for (; left; left--) {
			if (room < block_pages - pages ||
			    room - (block_pages - pages) < *moved + pages)
				return blocks;
			room -= block_pages - pages;
			*moved += pages;
			blocks++;
		}
	}
	return blocks;
}

/* === Output === */

static unsigned long pages_of(size_t line)
{
	int sum = lines[line].sum;
	unsigned long pages = 0;
	enum use use;

	if (sum < 0)
		return used[lines[line].use];
	for (use = parts[sum].first; use <= parts[sum].last; use++)
		pages += used[use];
	return pages;
}

static double mib(unsigned long pages)
{
	return pages * page_kb / 1024.0;
}

static void show_table(void)
{
	unsigned long all = pages_of(0);
	size_t i;

	printf("%44s %7s\n", "MiB", "%");
	for (i = 0; lines[i].name; i++)
		printf("%*s%-*s%12.1f %7.1f\n", 2 * lines[i].indent, "",
		       32 - 2 * lines[i].indent, lines[i].text,
		       mib(pages_of(i)), all ? 100.0 * pages_of(i) / all : 0);
}

static void explain_fragments(void)
{
	unsigned long moved, blocks = gain(&moved);
	unsigned int log;

	if (!used[FRAGMENTS])
		return;
	printf("\nFragments: %lu blocks of %lu KiB are free in part, in runs of\n",
	       partial_blocks, block_pages * page_kb);
	for (log = 0; log <= order; log++)
		if (fragments[log])
			printf("%6lu to %6lu KiB %12.1f MiB\n", page_kb << log,
			       (page_kb << (log + 1)) - page_kb,
			       mib(fragments[log]));
	printf("Pieces (piece_age_ms) can give back %.1f MiB of it%s.\n",
	       mib(piece_pages), piece_age_ms ? ", or have" : "");
	printf("Compaction can make %.1f MiB whole at most, if %.1f MiB are moved.\n",
	       mib(blocks * block_pages), mib(moved));
}

static void explain_waiting(void)
{
	if (!used[WAITING] && !used[RETAINED])
		return;
	if (!backends)
		puts("\nWaiting: no driver reports, backends/ is empty.");
	else if (error)
		printf("\nWaiting: a backend failed with error %ld, see enabled.\n",
		       error);
	else if (!enabled)
		puts("\nWaiting: reporting is paused, enabled is 0.");
	else if (used[RETAINED])
		printf("\nRetained: as much was needed again soon after it was given back.\n"
		       "It is reported when it has been free for %.1f s.\n",
		       max_age_ms / 1000.0);
	else
		printf("\nWaiting: it is reported when it has been free for %.1f s.\n",
		       age_ms / 1000.0);
}

static void show_numbers(void)
{
	unsigned long moved, blocks = gain(&moved);
	size_t i;

	for (i = 0; lines[i].name; i++)
		printf("%s_kb %lu\n", lines[i].name, pages_of(i) * page_kb);
	printf("pieces_kb %lu\n", piece_pages * page_kb);
	printf("compaction_gain_kb %lu\n", blocks * block_pages * page_kb);
	printf("compaction_moves_kb %lu\n", moved * page_kb);
}

static void show_usage(FILE *stream)
{
	fputs("usage: page_reporting_why [-k] [-r DIRECTORY]\n"
	      "  -k  print a name and an amount in KiB a line, for scripts\n"
	      "  -r  read the files below DIRECTORY, where those of a guest were copied\n"
	      "Needs root.\n",
	      stream);
}

int main(int argc, char **argv)
{
	bool numbers = false;
	int option;

	if (argc == 2 && !strcmp(argv[1], "--help"))
		argv[1] = "-h";
	while ((option = getopt(argc, argv, "hkr:")) != -1) {
		if (option == 'k') {
			numbers = true;
		} else if (option == 'r') {
			root = optarg;
		} else {
			show_usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (optind != argc) {
		show_usage(stderr);
		return 2;
	}
	read_state();
	add_all_pages();
	split_free();
	if (numbers) {
		show_numbers();
		return 0;
	}
	show_table();
	explain_fragments();
	explain_waiting();
	return 0;
}
