// SPDX-License-Identifier: GPL-2.0
/*
 * Shows what free page reporting does, a line a second.
 *
 * See Documentation/admin-guide/mm/page_reporting.rst.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SYSFS "/sys/kernel/mm/page_reporting/"
#define LINES_PER_HEADING 20

struct sample {
	double at;
	unsigned long free_kb;
	unsigned long unbacked_kb;
	unsigned long pending_kb;
	unsigned long reported_kb;
	unsigned long refaulted_kb;
	unsigned long age_ms;
};

static void show_usage(FILE *stream)
{
	fputs("usage: page_reporting_top [INTERVAL [COUNT]]\n"
	      "  INTERVAL  seconds between two lines, 1 or more (default 1)\n"
	      "  COUNT     number of lines, 1 or more (default: no end)\n",
	      stream);
}

static void fail(const char *path)
{
	fprintf(stderr, "page_reporting_top: %s: %s\n", path, strerror(errno));
	if (errno == ENOENT)
		fputs("Needed are CONFIG_PAGE_REPORTING and a mounted sysfs.\n",
		      stderr);
	exit(1);
}

static FILE *open_file(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file)
		fail(path);
	return file;
}

static unsigned long read_value(const char *path)
{
	FILE *file = open_file(path);
	unsigned long value;

	errno = EINVAL;
	if (fscanf(file, "%lu", &value) != 1)
		fail(path);
	fclose(file);
	return value;
}

/* A file that a kernel without a layer does not have: there is none of it. */
static unsigned long read_optional(const char *path)
{
	return access(path, F_OK) ? 0 : read_value(path);
}

static unsigned long read_free_kb(void)
{
	static const char path[] = "/proc/meminfo";
	FILE *file = open_file(path);
	unsigned long value;
	char line[128];

	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "MemFree: %lu", &value) != 1)
			continue;
		fclose(file);
		return value;
	}
	errno = EINVAL;
	fail(path);
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void take_sample(struct sample *sample)
{
	sample->at = now();
	sample->unbacked_kb = read_optional(SYSFS "unbacked_kb");
	sample->free_kb = read_free_kb();
	sample->pending_kb = read_value(SYSFS "pending_kb");
	sample->reported_kb = read_value(SYSFS "stats/reported_kb");
	sample->refaulted_kb = read_optional(SYSFS "stats/refaulted_kb");
	sample->age_ms = read_value(SYSFS "current_age_ms");
}

static void show_heading(void)
{
	printf("%12s %12s %12s %12s %12s %8s\n", "free", "unbacked",
	       "pending", "reported", "refaulted", "age");
	printf("%12s %12s %12s %12s %12s %8s\n", "KiB", "KiB", "KiB", "KiB/s",
	       "KiB/s", "ms");
}

static void show(const struct sample *before, const struct sample *after)
{
	double seconds = after->at - before->at;

	printf("%12lu %12lu %12lu %12.0f %12.0f %8lu\n", after->free_kb,
	       after->unbacked_kb, after->pending_kb,
	       (after->reported_kb - before->reported_kb) / seconds,
	       (after->refaulted_kb - before->refaulted_kb) / seconds,
	       after->age_ms);
}

/* Returns 0 for what is not a number. */
static unsigned long number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	return *end || *text == '-' ? 0 : value;
}

int main(int argc, char **argv)
{
	unsigned long interval = argc > 1 ? number(argv[1]) : 1;
	unsigned long count = argc > 2 ? number(argv[2]) : 0;
	unsigned long line;
	struct sample before, after;

	if (argc == 2 && (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
		show_usage(stdout);
		return 0;
	}
	if (argc > 3 || !interval || (argc > 2 && !count)) {
		show_usage(stderr);
		return 2;
	}

	/* A line must leave at once, also into a pipe. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	take_sample(&before);
	for (line = 0; !count || line < count; line++) {
		if (line % LINES_PER_HEADING == 0)
			show_heading();
		sleep(interval);
		take_sample(&after);
		show(&before, &after);
		before = after;
	}
	return 0;
}
