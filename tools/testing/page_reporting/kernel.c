// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting in user space: what is no inline function of kernel.h.
 */
#include <stdio.h>

#include "kernel.h"

unsigned long jiffies = 100000;
unsigned int rcu_readers;

void broken(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
	abort();
}

unsigned long find_next_bit(const unsigned long *map, unsigned long size,
			    unsigned long from)
{
	while (from < size && !test_bit(from, map))
		from++;
	return min(from, size);
}
