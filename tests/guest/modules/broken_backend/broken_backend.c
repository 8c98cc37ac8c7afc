// SPDX-License-Identifier: GPL-2.0
/*
 * A backend that can be told to break the one rule that matters: besides the
 * free blocks it is given, it reports a page that is in use.  The integrity test
 * loads it to prove that such damage is noticed.  It can also be told to take its
 * time, as if the host were slow.
 *
 * It drives the virtio balloon device in place of virtio_balloon, and only its
 * reporting queue.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/page_reporting.h>
#include <linux/slab.h>
#include <linux/virtio.h>
#include <linux/virtio_balloon.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_ring.h>

#define NO_VICTIM ULONG_MAX

/*
 * The device numbers its queues in this order.  QEMU counts the statistics queue
 * always, so it must be there for the reporting queue to get its number.
 */
enum { INFLATE, DEFLATE, STATS, FREE_PAGE, REPORTING, NR_QUEUES };

static unsigned long victim_pfn = NO_VICTIM;
module_param(victim_pfn, ulong, 0644);
MODULE_PARM_DESC(victim_pfn, "Page in use to report along with every batch");

static unsigned int slow_ms;
module_param(slow_ms, uint, 0644);
MODULE_PARM_DESC(slow_ms, "Time that each batch takes longer");

struct broken_backend {
	struct virtqueue *vq;
	struct completion acknowledged;
	struct page_reporting_dev_info reporting;
};

static void acknowledge(struct virtqueue *vq)
{
	struct broken_backend *backend = vq->vdev->priv;

	complete(&backend->acknowledged);
}

static int send(struct broken_backend *backend, struct scatterlist *sg,
		unsigned int nents)
{
	unsigned int len;
	int err;

	reinit_completion(&backend->acknowledged);
	err = virtqueue_add_inbuf(backend->vq, sg, nents, backend, GFP_NOWAIT);
	if (err)
		return err;
	virtqueue_kick(backend->vq);
	while (!virtqueue_get_buf(backend->vq, &len))
		wait_for_completion(&backend->acknowledged);
	return 0;
}

static int send_victim(struct broken_backend *backend)
{
	unsigned long pfn = READ_ONCE(victim_pfn);
	struct scatterlist sg;

	if (!pfn_valid(pfn))
		return 0;
	sg_init_table(&sg, 1);
	sg_set_page(&sg, pfn_to_page(pfn), PAGE_SIZE, 0);
	return send(backend, &sg, 1);
}

static int broken_report(struct page_reporting_dev_info *reporting,
			 struct scatterlist *sg, unsigned int nents)
{
	struct broken_backend *backend =
		container_of(reporting, struct broken_backend, reporting);
	int err = send(backend, sg, nents);

	if (slow_ms)
		msleep(slow_ms);
	return err ? err : send_victim(backend);
}

static int find_reporting_queue(struct virtio_device *vdev)
{
	struct broken_backend *backend = vdev->priv;
	struct virtqueue_info info[NR_QUEUES] = {
		[INFLATE] = { .name = "inflate" },
		[DEFLATE] = { .name = "deflate" },
		[STATS] = { .name = "stats" },
		[REPORTING] = { .callback = acknowledge, .name = "reporting" },
	};
	struct virtqueue *vqs[NR_QUEUES];
	int err = virtio_find_vqs(vdev, NR_QUEUES, vqs, info, NULL);

	backend->vq = err ? NULL : vqs[REPORTING];
	return err;
}

static int broken_probe(struct virtio_device *vdev)
{
	struct broken_backend *backend;
	int err;

	if (!virtio_has_feature(vdev, VIRTIO_BALLOON_F_REPORTING))
		return -ENODEV;
	backend = kzalloc(sizeof(*backend), GFP_KERNEL);
	if (!backend)
		return -ENOMEM;
	vdev->priv = backend;
	init_completion(&backend->acknowledged);
	backend->reporting.report = broken_report;
	backend->reporting.order = PAGE_REPORTING_ORDER_UNSPECIFIED;

	err = find_reporting_queue(vdev);
	if (err)
		goto free;
	virtio_device_ready(vdev);
	err = page_reporting_register(&backend->reporting);
	if (err)
		goto reset;
	return 0;

reset:
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
free:
	kfree(backend);
	return err;
}

static void broken_remove(struct virtio_device *vdev)
{
	struct broken_backend *backend = vdev->priv;

	page_reporting_unregister(&backend->reporting);
	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	kfree(backend);
}

static int broken_validate(struct virtio_device *vdev)
{
	/* A direct descriptor per entry: no allocation while reporting. */
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	__virtio_clear_bit(vdev, VIRTIO_F_ACCESS_PLATFORM);
	return 0;
}

static const unsigned int features[] = {
	VIRTIO_BALLOON_F_STATS_VQ,
	VIRTIO_BALLOON_F_REPORTING,
};

static const struct virtio_device_id id_table[] = {
	{ VIRTIO_ID_BALLOON, VIRTIO_DEV_ANY_ID },
	{ 0 },
};

static struct virtio_driver broken_driver = {
	.feature_table = features,
	.feature_table_size = ARRAY_SIZE(features),
	.driver.name = KBUILD_MODNAME,
	.id_table = id_table,
	.validate = broken_validate,
	.probe = broken_probe,
	.remove = broken_remove,
};

module_virtio_driver(broken_driver);
MODULE_DESCRIPTION("Reports a page in use or is slow, for tests");
MODULE_LICENSE("GPL");
