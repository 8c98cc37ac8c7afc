// SPDX-License-Identifier: GPL-2.0
/*
 * Try to start another "kernel".  It is a page that stops the processor; with
 * -j, one that jumps back to the running kernel at once; with -c, one that comes
 * with so many MiB of data at 256 MiB, and looks for a while whether they change.
 *
 * Prints the error if the running kernel refuses, and exits with status 1.  What
 * is started writes a letter to the first serial line and stops: K, or X if its
 * data have changed.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB 0x100000UL
#define PAGE 4096UL
#define CODE MIB		/* the second megabyte is memory on every PC */
#define DATA (256 * MIB)

/*
 * The pages that are started.  The last two words of the first one are the
 * addresses of the data and of their end.  Every word of the data is its own
 * physical address.
 */
asm(".pushsection .rodata\n"
    ".balign 4096\n"
    "stop:\n"
    "	mov stop + 4080(%rip), %rdi\n"
    "	mov stop + 4088(%rip), %rsi\n"
    "	mov $'K', %ebx\n"
    "	mov $10, %ecx\n"
    "again:\n"
    "	mov %rdi, %rax\n"
    "next:\n"
    "	cmp %rsi, %rax\n"
    "	jae round\n"
    "	cmp %rax, (%rax)\n"
    "	jne changed\n"
    "	add $8, %rax\n"
    "	jmp next\n"
    "round:\n"
    "	dec %ecx\n"
    "	jnz again\n"
    "	jmp say\n"
    "changed:\n"
    "	mov $'X', %ebx\n"
    "say:\n"
    "	mov $0x3f8, %edx\n"
    "	mov %ebx, %eax\n"
    "	out %al, (%dx)\n"
    "	cli\n"
    "	hlt\n"
    ".balign 4096\n"
    "jump_back:\n"
    "	ret\n"
    ".balign 4096\n"
    ".popsection\n");

extern const unsigned char stop[PAGE], jump_back[PAGE];

static void usage(void)
{
	fputs("usage: kexec-try [-j | -c MIB]\n"
	      "  -j  jump back at once\n"
	      "  -c  look whether so much memory keeps its contents\n", stderr);
	exit(2);
}

static void fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	exit(2);
}

static void *map(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

static void add_segment(struct kexec_segment *segment, const void *buffer,
			size_t bytes, unsigned long address)
{
	segment->buf = buffer;
	segment->bufsz = bytes;
	segment->mem = (void *)address;
	segment->memsz = bytes;
}

static void load(const unsigned char *page, size_t bytes, unsigned long flags)
{
	struct kexec_segment segments[2];
	unsigned long nr = 1, i;
	uint64_t *code = map(PAGE), *data;

	memcpy(code, page, PAGE);
	code[PAGE / sizeof(*code) - 2] = DATA;
	code[PAGE / sizeof(*code) - 1] = DATA + bytes;
	add_segment(&segments[0], code, PAGE, CODE);
	if (bytes) {
		data = map(bytes);
		for (i = 0; i < bytes / sizeof(*data); i++)
			data[i] = DATA + i * sizeof(*data);
		add_segment(&segments[nr++], data, bytes, DATA);
	}
	if (syscall(SYS_kexec_load, CODE, nr, segments,
		    KEXEC_ARCH_DEFAULT | flags))
		fail("kexec_load");
}

int main(int argc, char **argv)
{
	const unsigned char *page = stop;
	unsigned long flags = 0;
	size_t bytes = 0;
	int option;

	while ((option = getopt(argc, argv, "jc:")) != -1) {
		if (option == 'j') {
			page = jump_back;
			flags = KEXEC_PRESERVE_CONTEXT;
		} else if (option == 'c') {
			bytes = strtoul(optarg, NULL, 10) * MIB;
		} else {
			usage();
		}
	}
	if (optind != argc || (flags && bytes))
		usage();
	load(page, bytes, flags);
	sync();
	if (!syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		     LINUX_REBOOT_CMD_KEXEC, NULL))
		return 0;
	printf("reboot: %s\n", strerror(errno));
	return 1;
}
