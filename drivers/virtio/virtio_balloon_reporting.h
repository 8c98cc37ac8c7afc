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
 * @vq:		its reporting queue, set by the balloon driver, NULL while the
 *		system sleeps; used by @prdev's report callback only
 * @acked:	woken up by the queue's callback
 * @registered:	@prdev is registered, used by start and stop only
 * @warned:	said that the host is slow, used by the report callback
 * @in_flight:	the device may have a batch, written by the report callback
 * @stopping:	no batch may be given to the device any more
 * @gone:	the device was reset, do not wait for it
 */
struct virtballoon_reporting {
	struct page_reporting_dev_info prdev;
	struct virtio_device *vdev;
	struct virtqueue *vq;
	wait_queue_head_t *acked;
	bool registered;
	bool warned;
	bool in_flight;
	bool stopping;
	bool gone;
};

void virtballoon_reporting_start(struct virtballoon_reporting *vbr,
				 struct virtio_device *vdev,
				 wait_queue_head_t *acked);
void virtballoon_reporting_stop(struct virtballoon_reporting *vbr);
void virtballoon_reporting_freeze(struct virtballoon_reporting *vbr);
void virtballoon_reporting_tell_poison(struct virtio_device *vdev);

#endif /* _VIRTIO_BALLOON_REPORTING_H */
