// SPDX-License-Identifier: GPL-2.0
/*
 * For Linux 6.12 on User Mode Linux, to be loaded before the C library.
 *
 * That kernel has room for 2696 bytes of a process' extended registers.  A
 * processor with AMX has more of them, of which the host then lets no part be
 * set, and no process ever runs.  So what is beyond stays as it is, which is
 * right for programs that do not use AMX.  Later kernels ask for the size.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/elf.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define GETREGSET 0x4204
#define SETREGSET 0x4205

/* Larger than the registers of any processor of today. */
static char all[1 << 16];

static long set_first(long pid, const struct iovec *first)
{
	struct iovec whole = { .iov_base = all, .iov_len = sizeof(all) };

	if (syscall(SYS_ptrace, GETREGSET, pid, NT_X86_XSTATE, &whole))
		return -1;
	if (first->iov_len > whole.iov_len) {
		errno = EINVAL;
		return -1;
	}
	memcpy(all, first->iov_base, first->iov_len);
	return syscall(SYS_ptrace, SETREGSET, pid, NT_X86_XSTATE, &whole);
}

long ptrace(long request, long pid, long address, void *data)
{
	static long (*real)(long, ...);
	long result;

	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "ptrace");
	result = real(request, pid, address, data);
	if (result && errno == EFAULT && request == SETREGSET &&
	    address == NT_X86_XSTATE)
		return set_first(pid, data);
	return result;
}
