// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting through the reporting virtqueue of virtio-balloon.
 *
 * The balloon driver calls start when the device is ready, in probe, and stop
 * before the device is reset, in remove.  The core calls report from its
 * worker, but not while the system sleeps.  Virtio specification 1.2, section
 * 5.5.6.7 (Free Page Reporting): the driver puts free pages in the queue as
 * device-writable buffers, and must not use them before the device has used
 * the buffers.
 *
 * So a batch that the device has is never given back before the device has
 * acknowledged it or was reset; a discard that comes late would hit a page in
 * use.  A device that stays silent keeps one batch until it is removed.
 */
#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_reporting.h>
#include <linux/poison.h>
#include <linux/scatterlist.h>
#include <linux/string.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_balloon.h>
#include <xen/xen.h>

#include "virtio_balloon_reporting.h"

/* The host is slow when a batch takes longer. */
#define VIRTBALLOON_REPORTING_SLOW	(5 * HZ)

/* What a device may take to answer before it is reset on removal. */
#define VIRTBALLOON_REPORTING_GRACE	(2 * HZ)

/*
 * A pageblock is 512 MiB with 64 KiB pages on arm64, too much to be found free.
 * 2 MiB is what hosts back guest memory with.
 */
#define VIRTBALLOON_REPORTING_ORDER \
	(IS_ENABLED(CONFIG_ARM64_64K_PAGES) ? \
	 5 : PAGE_REPORTING_ORDER_UNSPECIFIED)

static bool virtballoon_reporting_done(struct virtballoon_reporting *vbr)
{
	unsigned int unused;

	return virtqueue_get_buf(vbr->vq, &unused) || READ_ONCE(vbr->gone);
}

/* Say that the host is slow, or was; only the first time. */
static void virtballoon_reporting_complain(struct virtballoon_reporting *vbr,
					   unsigned long start,
					   const char *what)
{
	dev_warn(&vbr->vdev->dev, "host %s a report of free pages for %u s%s\n",
		 what, jiffies_to_msecs(jiffies - start) / 1000,
		 virtqueue_is_broken(vbr->vq) ? ", the queue is broken" : "");
}

/* Wait until the device is done with the batch or was reset. */
static int virtballoon_reporting_wait(struct virtballoon_reporting *vbr)
{
	unsigned long start = jiffies;

	/* Idle, so that a long wait is not taken for a hung task. */
	if (!wait_event_idle_timeout(*vbr->acked,
				     virtballoon_reporting_done(vbr),
				     VIRTBALLOON_REPORTING_SLOW)) {
		if (!vbr->warned)
			virtballoon_reporting_complain(vbr, start,
						       "has not answered");
		wait_event_idle(*vbr->acked, virtballoon_reporting_done(vbr));
		if (!vbr->warned)
			virtballoon_reporting_complain(vbr, start,
						       "did not answer");
		vbr->warned = true;
	}
	return READ_ONCE(vbr->gone) ? -EAGAIN : 0;
}

/* Give the batch to the device, unless it is being stopped. */
static int virtballoon_reporting_submit(struct virtballoon_reporting *vbr,
					struct scatterlist *sg,
					unsigned int nents)
{
	int err;

	if (READ_ONCE(vbr->stopping))
		return -EAGAIN;
	/* The device did not come back when the system woke up. */
	if (!vbr->vq)
		return -ENODEV;
	/* Nor need the queue be as long as it was.  Fewer entries may fit. */
	if (nents > virtqueue_get_vring_size(vbr->vq))
		return -EAGAIN;
	/* The queue is empty. */
	err = virtqueue_add_inbuf(vbr->vq, sg, nents, vbr,
				  GFP_NOWAIT | __GFP_NOWARN);
	/* No memory to map or describe the batch now: a later one may fit. */
	if (err == -ENOMEM)
		err = -EAGAIN;
	if (err)
		return err;
	virtqueue_kick(vbr->vq);
	return 0;
}

static int virtballoon_reporting_report(struct page_reporting_dev_info *prdev,
					struct scatterlist *sg,
					unsigned int nents)
{
	struct virtballoon_reporting *vbr =
		container_of(prdev, struct virtballoon_reporting, prdev);
	int err;

	WRITE_ONCE(vbr->in_flight, true);
	smp_mb(); /* pairs with the one in virtballoon_reporting_stop() */
	err = virtballoon_reporting_submit(vbr, sg, nents);
	if (!err)
		err = virtballoon_reporting_wait(vbr);
	WRITE_ONCE(vbr->in_flight, false);
	wake_up(vbr->acked);
	return err;
}

/* What the guest fills free pages with, as far as the device is told. */
static u32 virtballoon_reporting_poison(struct virtio_device *vdev)
{
	u32 poison = 0;

	if (virtio_has_feature(vdev, VIRTIO_BALLOON_F_PAGE_POISON) &&
	    !want_init_on_free())
		memset(&poison, PAGE_POISON, sizeof(poison));
	return poison;
}

/*
 * Does the device offer reporting, and is it of use?  Fresh memory of the host
 * is zero.  So a host that knows of another poison keeps what is reported, as
 * QEMU does, or fills pages for nothing.
 */
static bool virtballoon_reporting_useful(struct virtio_device *vdev)
{
	u32 poison = virtballoon_reporting_poison(vdev);

	if (!virtio_has_feature(vdev, VIRTIO_BALLOON_F_REPORTING))
		return false;
	if (poison)
		dev_notice_once(&vdev->dev,
				"free pages are not reported: they are poisoned with 0x%08x, and the host cannot take memory that is not zero\n",
				poison);
	return !poison;
}

/**
 * virtballoon_reporting_start() - report free pages to the host
 * @vbr:	reporting state of the balloon, with the queue set
 * @vdev:	balloon device, ready
 * @acked:	wait queue that the queue's callback wakes up
 *
 * Failure costs the reporting, not the balloon: it is logged and the balloon
 * goes on.  Does nothing if the device does not offer reporting, and nothing
 * but to say so if free pages are poisoned with anything but zero.
 *
 * Context: Process context, may sleep.
 */
void virtballoon_reporting_start(struct virtballoon_reporting *vbr,
				 struct virtio_device *vdev,
				 wait_queue_head_t *acked)
{
	int err;

	if (!virtballoon_reporting_useful(vdev))
		return;
	/* What is one piece to the domain is many to the device. */
	if (xen_pv_domain()) {
		dev_info(&vdev->dev,
			 "free page reporting is not available in a Xen PV domain, whose memory is not contiguous for the device\n");
		return;
	}
	vbr->vdev = vdev;
	vbr->acked = acked;
	vbr->warned = false;
	vbr->stopping = false;
	vbr->gone = false;
	vbr->prdev = (struct page_reporting_dev_info) {
		.report = virtballoon_reporting_report,
		.name = "virtio-balloon",
		.order = VIRTBALLOON_REPORTING_ORDER,
		.capacity = min(virtqueue_get_vring_size(vbr->vq),
				PAGE_REPORTING_CAPACITY_MAX),
		.flags = PAGE_REPORTING_MERGE | PAGE_REPORTING_PIECES,
	};
	err = page_reporting_register(&vbr->prdev);
	if (err)
		dev_warn(&vdev->dev,
			 "free page reporting is not available: %pe\n",
			 ERR_PTR(err));
	vbr->registered = !err;
}
EXPORT_SYMBOL_GPL(virtballoon_reporting_start);

/**
 * virtballoon_reporting_tell_poison() - tell what free pages contain
 * @vdev:	balloon device, after a reset and before it is ready
 *
 * A reset makes the device forget what it was told in probe, and it may fill
 * what was reported or hinted with what it knows.  Virtio specification 1.2,
 * section 5.5.6.6 (Page Poison).
 *
 * Context: Process context, may sleep.
 */
void virtballoon_reporting_tell_poison(struct virtio_device *vdev)
{
	u32 poison = virtballoon_reporting_poison(vdev);

	if (!virtio_has_feature(vdev, VIRTIO_BALLOON_F_PAGE_POISON))
		return;
	virtio_cwrite_le(vdev, struct virtio_balloon_config, poison_val,
			 &poison);
}
EXPORT_SYMBOL_GPL(virtballoon_reporting_tell_poison);

/**
 * virtballoon_reporting_freeze() - let go of the queue, which is about to go
 * @vbr:	reporting state of the balloon
 *
 * The balloon sets another queue when it is restored.
 *
 * Context: The system is going to sleep, so no report is under way.
 */
void virtballoon_reporting_freeze(struct virtballoon_reporting *vbr)
{
	vbr->vq = NULL;
}
EXPORT_SYMBOL_GPL(virtballoon_reporting_freeze);

/* End the wait for a device that does not answer: reset it. */
static void virtballoon_reporting_abandon(struct virtballoon_reporting *vbr)
{
	dev_warn(&vbr->vdev->dev,
		 "host does not answer a report of free pages, resetting the device\n");
	/* The balloon must not wait for answers after the reset either. */
	virtio_break_device(vbr->vdev);
	virtio_reset_device(vbr->vdev);
	WRITE_ONCE(vbr->gone, true);
	wake_up(vbr->acked);
}

/**
 * virtballoon_reporting_stop() - stop reporting free pages to the host
 * @vbr:	reporting state of the balloon
 *
 * When this function returns, the queue is idle and all free pages are back in
 * the allocator.  A device that does not answer is reset for that.
 *
 * Context: Process context, may sleep.
 */
void virtballoon_reporting_stop(struct virtballoon_reporting *vbr)
{
	if (!vbr->registered)
		return;
	WRITE_ONCE(vbr->stopping, true);
	smp_mb(); /* pairs with the one in virtballoon_reporting_report() */
	if (!wait_event_timeout(*vbr->acked, !READ_ONCE(vbr->in_flight),
				VIRTBALLOON_REPORTING_GRACE))
		virtballoon_reporting_abandon(vbr);
	page_reporting_unregister(&vbr->prdev);
	vbr->registered = false;
}
EXPORT_SYMBOL_GPL(virtballoon_reporting_stop);

MODULE_DESCRIPTION("Virtio balloon free page reporting");
MODULE_LICENSE("GPL");
