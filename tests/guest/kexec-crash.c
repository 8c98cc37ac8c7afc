// SPDX-License-Identifier: GPL-2.0
/*
 * Load a kernel that is to start when this one crashes, and dump its memory.
 */
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: kexec-crash KERNEL INITRD COMMAND-LINE\n", stderr);
		return 2;
	}
	if (syscall(SYS_kexec_file_load, open_file(argv[1]), open_file(argv[2]),
		    strlen(argv[3]) + 1, argv[3], KEXEC_FILE_ON_CRASH)) {
		perror("kexec-crash: kexec_file_load");
		return 1;
	}
	return 0;
}
