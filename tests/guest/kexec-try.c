// SPDX-License-Identifier: GPL-2.0
/*
 * Try to start another "kernel".  It is a page that stops the processor, or,
 * with -j, one that jumps back to the running kernel at once.
 *
 * Prints the error if the running kernel refuses, and exits with status 1.
 */
#include <errno.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ADDRESS 0x100000UL	/* the second megabyte is memory on every PC */

/* Write 'K' to the first serial line, then stop. */
static const unsigned char stop[4096] = {
	0xba, 0xf8, 0x03, 0x00, 0x00,	/* mov $0x3f8, %edx */
	0xb0, 'K',			/* mov $'K', %al */
	0xee,				/* out %al, (%dx) */
	0xfa, 0xf4,			/* cli; hlt */
};

static const unsigned char jump_back[4096] = {
	0xc3,				/* ret */
};

int main(int argc, char **argv)
{
	int jump = argc > 1 && !strcmp(argv[1], "-j");
	struct kexec_segment segment = {
		.buf = jump ? jump_back : stop, .bufsz = sizeof(stop),
		.mem = (void *)ADDRESS, .memsz = sizeof(stop),
	};

	if (syscall(SYS_kexec_load, ADDRESS, 1UL, &segment,
		    KEXEC_ARCH_DEFAULT | (jump ? KEXEC_PRESERVE_CONTEXT : 0))) {
		printf("kexec_load: %s\n", strerror(errno));
		return 2;
	}
	sync();
	if (!syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		     LINUX_REBOOT_CMD_KEXEC, NULL))
		return 0;
	printf("reboot: %s\n", strerror(errno));
	return 1;
}
