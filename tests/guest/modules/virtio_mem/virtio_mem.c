// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's own driver of virtio-mem, as it is.  As a module it is there only
 * in guests that a test loads it into, and no kernel has to be built for it.
 */
#include <virtio_mem.c>
