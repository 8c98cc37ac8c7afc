/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Free page reporting through the reporting virtqueue of virtio-balloon: what
 * virtio_balloon.c sees of it.
 */
#ifndef _VIRTIO_BALLOON_REPORTING_H
#define _VIRTIO_BALLOON_REPORTING_H

#include <linux/page_reporting.h>
#include <linux/types.h>
#include <linux/wait.h>

struct virtio_device;
struct virtqueue;

/**
 * struct virtballoon_reporting - reporting state of a balloon device
 * @prdev:	registration with the core
 * @vdev:	the balloon device
 * @vq:		its reporting queue, set by the balloon driver, used by
 *		@prdev's report callback only
 * @acked:	woken up by the queue's callback
 * @registered:	@prdev is registered, used by start and stop only
 * @in_flight:	the device has a batch, written by the report callback
 * @gone:	the device was reset or must not be waited for
 */
struct virtballoon_reporting {
	struct page_reporting_dev_info prdev;
	struct virtio_device *vdev;
	struct virtqueue *vq;
	wait_queue_head_t *acked;
	bool registered;
	bool in_flight;
	bool gone;
};

void virtballoon_reporting_start(struct virtballoon_reporting *vbr,
				 struct virtio_device *vdev,
				 wait_queue_head_t *acked);
void virtballoon_reporting_stop(struct virtballoon_reporting *vbr);

#endif /* _VIRTIO_BALLOON_REPORTING_H */
