// SPDX-License-Identifier: GPL-2.0
/*
 * Stands in for a file system of the host that cannot punch holes, or not now:
 * to be loaded before the C library.
 *
 * FALLOCATE_ERROR is the number of the error.  FALLOCATE_GOOD calls succeed
 * before it, all later ones fail; if there is a file FALLOCATE_HEALED, they
 * succeed again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static long number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : 0;
}

static int healed(void)
{
	const char *name = getenv("FALLOCATE_HEALED");

	return name && !access(name, F_OK);
}

static int refuse_or_call(int fd, int mode, long offset, long length)
{
	static long calls;

	if (calls++ >= number("FALLOCATE_GOOD") && !healed()) {
		errno = number("FALLOCATE_ERROR");
		return -1;
	}
	return syscall(SYS_fallocate, fd, mode, offset, length);
}

int fallocate(int fd, int mode, long offset, long length)
{
	return refuse_or_call(fd, mode, offset, length);
}

int fallocate64(int fd, int mode, long offset, long length)
{
	return refuse_or_call(fd, mode, offset, length);
}
