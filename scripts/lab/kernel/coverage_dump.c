// SPDX-License-Identifier: GPL-2.0
/*
 * Linked into a User Mode Linux that counts what it runs.  The linker script of
 * User Mode Linux does not know the sections in which the compiler puts the calls
 * that write the counts at the end.
 */

void __gcov_dump(void);

static void __attribute__((destructor)) write_counts(void)
{
	__gcov_dump();
}
