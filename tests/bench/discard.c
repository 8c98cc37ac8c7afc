// SPDX-License-Identifier: GPL-2.0
/*
 * Preloaded into QEMU: how does it give memory back that a guest reported?
 *
 * QEMU calls madvise(MADV_DONTNEED), which takes the memory away at once.  With
 * BENCH_DISCARD=free in the environment this becomes MADV_FREE, by which the
 * host takes the memory only when it is short of it.  With BENCH_DISCARD=dontneed
 * the call is passed on as it is.  Only whole blocks are meant: what the guest
 * reported, and not QEMU's own heap and stacks.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK (2UL << 20)

static int wants_free(void)
{
	static int answer = -1;
	const char *wanted;

	if (answer < 0) {
		wanted = getenv("BENCH_DISCARD");
		answer = wanted && !strcmp(wanted, "free");
	}
	return answer;
}

int madvise(void *start, size_t length, int advice)
{
	if (advice == MADV_DONTNEED && wants_free() && length &&
	    !((unsigned long)start % BLOCK) && !(length % BLOCK))
		advice = MADV_FREE;
	return syscall(SYS_madvise, start, length, advice);
}
