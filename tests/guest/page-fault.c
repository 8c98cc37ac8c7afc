// SPDX-License-Identifier: GPL-2.0
/*
 * Takes page faults as fast as it can: maps memory, writes to every page of it,
 * unmaps it, again and again, in several processes or threads.
 *
 * Anonymous memory, with small or with huge pages, or a private mapping of a
 * file whose pages are then copied when they are written.  With -n it prints
 * for each round of the first task how many ticks of the processor's time stamp
 * counter it took, which are instructions where the emulator counts them so.
 * With -s it prints the faults that all tasks took in that time.
 */
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#define MIB (1UL << 20)
#define PAGE 4096UL
#define MAX_TASKS 64
#define STEP (64 * PAGE)	/* how often a task notes its progress */

static size_t bytes = 128 * MIB;
static int advice = MADV_NOHUGEPAGE;
static int with_file;
static unsigned long rounds;

/* Shared with the tasks, which are processes or threads. */
struct shared {
	volatile int stop;
	volatile unsigned long done[MAX_TASKS][8];	/* bytes, a cache line each */
};

static struct shared *shared;

static void usage(void)
{
	fputs("usage: page-fault [-f] [-p 4k|2m] [-m MIB] [-j TASKS] [-t]\n"
	      "                  -n ROUNDS | -s SECONDS\n"
	      "  -f  write to a private mapping of a file\n"
	      "  -p  map anonymous memory with small or huge pages (default 4k)\n"
	      "  -m  map this much in every task (default 128)\n"
	      "  -j  run so many tasks (default 1)\n"
	      "  -t  tasks are threads, not processes\n"
	      "  -n  do so many rounds, print the ticks of each\n"
	      "  -s  go on for so long, print the faults of all tasks\n", stderr);
	exit(2);
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

/* A file without a name, as large as the mapping. */
static int scratch_file(void)
{
	char name[] = "/tmp/page-fault.XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0)
		fail("page-fault: mkstemp");
	if (unlink(name))
		fail("page-fault: unlink");
	if (ftruncate(fd, bytes))
		fail("page-fault: ftruncate");
	return fd;
}

static char *map(int fd)
{
	int flags = MAP_PRIVATE | (fd < 0 ? MAP_ANONYMOUS : 0);
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory == MAP_FAILED)
		fail("page-fault: mmap");
	if (fd < 0 && madvise(memory, bytes, advice))
		fail("page-fault: madvise");
	return memory;
}

static void touch_all(int fd, volatile unsigned long *done)
{
	char *memory = map(fd);
	size_t at, end;

	for (at = 0; at < bytes; *done += STEP)
		for (end = at + STEP; at < end; at += PAGE)
			memory[at] = 1;
	if (munmap(memory, bytes))
		fail("page-fault: munmap");
}

static void *task(void *context)
{
	volatile unsigned long *done = context;
	int fd = with_file ? scratch_file() : -1;

	while (!shared->stop)
		touch_all(fd, done);
	if (fd >= 0)
		close(fd);
	return NULL;
}

static void start_thread(volatile unsigned long *done)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, task, (void *)done))
		fail("page-fault: pthread_create");
	pthread_detach(thread);
}

static void start_process(volatile unsigned long *done)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("page-fault: fork");
	if (!pid) {
		task((void *)done);
		_exit(0);
	}
}

static size_t fault_size(void)
{
	return !with_file && advice == MADV_HUGEPAGE ? 2 * MIB : PAGE;
}

static unsigned long count_bytes(int tasks)
{
	unsigned long sum = 0;
	int i;

	for (i = 0; i < tasks; i++)
		sum += shared->done[i][0];
	return sum;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void run_for(unsigned int seconds, int tasks, int threads)
{
	unsigned long before;
	double start, took;
	int i;

	for (i = 0; i < tasks; i++)
		(threads ? start_thread : start_process)(shared->done[i]);
	sleep(1);
	before = count_bytes(tasks);
	start = now();
	sleep(seconds);
	took = now() - start;
	printf("faults=%lu seconds=%.3f\n",
	       (count_bytes(tasks) - before) / fault_size(), took);
	fflush(stdout);
	shared->stop = 1;
	while (!threads && wait(NULL) > 0)
		;
}

static void run_rounds(void)
{
	int fd = with_file ? scratch_file() : -1;
	unsigned long long start;

	while (rounds--) {
		start = __rdtsc();
		touch_all(fd, shared->done[0]);
		printf("ticks=%llu faults=%lu\n", __rdtsc() - start,
		       bytes / fault_size());
	}
}

int main(int argc, char **argv)
{
	unsigned int seconds = 0;
	int tasks = 1, threads = 0;
	int option;

	while ((option = getopt(argc, argv, "fp:m:j:tn:s:")) != -1) {
		if (option == 'f')
			with_file = 1;
		else if (option == 'p' && !strcmp(optarg, "4k"))
			advice = MADV_NOHUGEPAGE;
		else if (option == 'p' && !strcmp(optarg, "2m"))
			advice = MADV_HUGEPAGE;
		else if (option == 'm')
			bytes = strtoul(optarg, NULL, 10) * MIB;
		else if (option == 'j')
			tasks = atoi(optarg);
		else if (option == 't')
			threads = 1;
		else if (option == 'n')
			rounds = strtoul(optarg, NULL, 10);
		else if (option == 's')
			seconds = strtoul(optarg, NULL, 10);
		else
			usage();
	}
	if (optind != argc || !rounds == !seconds || tasks < 1 ||
	    tasks > MAX_TASKS)
		usage();

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		fail("page-fault: mmap");
	if (seconds)
		run_for(seconds, tasks, threads);
	else
		run_rounds();
	return 0;
}
