// SPDX-License-Identifier: GPL-2.0
/*
 * A virtio-balloon device within the guest, which does what no device should.
 *
 * It has a transport of its own: queues are rings in memory that its work looks
 * through when the driver has notified it.  It takes the memory that is
 * reported, as a host does: by filling it with zeros.  What it does wrong while
 * it says so is a parameter, and can be changed while a driver has the device.
 */
#include <linux/completion.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/string.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/workqueue.h>
#include <uapi/linux/virtio_balloon.h>
#include <uapi/linux/virtio_ids.h>

#define QUEUES 8
/* More than any buffer has. */
#define TOO_LONG 0xfffffff0u
#define SPURIOUS_INTERRUPTS 500

enum behaviour {
	HONEST,
	SHORT,		/* says that it has written nothing */
	LONG,		/* says that it has written more than there is room for */
	TWICE,		/* answers once more, when another batch may be there */
	STRAY,		/* answers for a descriptor beyond the queue */
	UNKNOWN,	/* answers for a descriptor that it was not given */
	SPURIOUS,	/* interrupts often before it answers */
	SILENT,		/* does not answer */
	VANISH,		/* is pulled out, and does not answer */
	NEEDS_RESET,	/* asks to be reset, and does not answer */
};

static const char * const behaviours[] = {
	[HONEST] = "honest",
	[SHORT] = "short",
	[LONG] = "long",
	[TWICE] = "twice",
	[STRAY] = "stray",
	[UNKNOWN] = "unknown",
	[SPURIOUS] = "spurious",
	[SILENT] = "silent",
	[VANISH] = "vanish",
	[NEEDS_RESET] = "needs_reset",
};

static enum behaviour behaviour;

static int behaviour_set(const char *value, const struct kernel_param *param)
{
	int found = sysfs_match_string(behaviours, value);

	if (found < 0)
		return found;
	WRITE_ONCE(behaviour, found);
	return 0;
}

static int behaviour_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%s\n", behaviours[READ_ONCE(behaviour)]);
}

static const struct kernel_param_ops behaviour_ops = {
	.set = behaviour_set,
	.get = behaviour_get,
};
module_param_cb(behaviour, &behaviour_ops, NULL, 0644);
MODULE_PARM_DESC(behaviour, "What the device does wrong with what is reported");

static unsigned int queue_size = 128;
module_param(queue_size, uint, 0444);
MODULE_PARM_DESC(queue_size, "Descriptors of a queue, a power of two");

static ulong features = BIT_ULL(VIRTIO_BALLOON_F_REPORTING);
module_param(features, ulong, 0444);
MODULE_PARM_DESC(features, "Bits that the device offers");

static uint misfit = QUEUES;
module_param(misfit, uint, 0444);
MODULE_PARM_DESC(misfit, "A queue that the device offers and cannot set up");

static uint served;
module_param(served, uint, 0444);
MODULE_PARM_DESC(served, "Batches that the device was given");

/* A queue, as the device sees it. */
struct hostile_queue {
	struct virtqueue *vq;
	struct vring ring;
	void *memory;
	u16 seen;
	bool reports;
	bool keeps;
};

static struct hostile {
	struct virtio_device vdev;
	struct work_struct work;
	struct virtio_balloon_config config;
	struct hostile_queue queues[QUEUES];
	struct device *parent;
	struct completion released;
	u8 status;
} hostile;

static size_t hostile_bytes(void)
{
	return vring_size(queue_size, SMP_CACHE_BYTES);
}

static void hostile_answer(struct hostile_queue *queue, u32 id, u32 len)
{
	struct vring_used *used = queue->ring.used;
	u16 idx = virtio16_to_cpu(&hostile.vdev, used->idx);
	struct vring_used_elem *elem = &used->ring[idx % queue->ring.num];

	elem->id = cpu_to_virtio32(&hostile.vdev, id);
	elem->len = cpu_to_virtio32(&hostile.vdev, len);
	/* the driver may see the index at once, and reads the element then */
	smp_wmb();
	WRITE_ONCE(used->idx, cpu_to_virtio16(&hostile.vdev, idx + 1));
	vring_interrupt(0, queue->vq);
}

/* Take the memory of a batch; return how much it was. */
static u32 hostile_take(struct hostile_queue *queue, u16 head)
{
	struct virtio_device *vdev = &hostile.vdev;
	struct vring_desc *desc = &queue->ring.desc[head];
	u32 taken = 0;

	for (;;) {
		u32 len = virtio32_to_cpu(vdev, desc->len);

		memset(phys_to_virt(virtio64_to_cpu(vdev, desc->addr)), 0, len);
		taken += len;
		if (!(desc->flags & cpu_to_virtio16(vdev, VRING_DESC_F_NEXT)))
			break;
		desc = &queue->ring.desc[virtio16_to_cpu(vdev, desc->next)];
	}
	return taken;
}

static void hostile_report(struct hostile_queue *queue, u16 head)
{
	enum behaviour how = READ_ONCE(behaviour);
	u32 len = 0;
	int i;

	/* What is answered too early may be in use when it is taken. */
	if (how != TWICE)
		len = hostile_take(queue, head);
	served++;
	switch (how) {
	case HONEST:
		break;
	case SHORT:
		len = 0;
		break;
	case LONG:
		len = TOO_LONG;
		break;
	case TWICE:
		hostile_answer(queue, head, len);
		break;
	case STRAY:
		hostile_answer(queue, queue->ring.num, len);
		return;
	case UNKNOWN:
		hostile_answer(queue, queue->ring.num - 1 - head, len);
		return;
	case SPURIOUS:
		for (i = 0; i < SPURIOUS_INTERRUPTS; i++) {
			queue->vq->callback(queue->vq);
			cond_resched();
		}
		break;
	case SILENT:
		return;
	case VANISH:
		virtio_break_device(&hostile.vdev);
		return;
	case NEEDS_RESET:
		hostile.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
		virtio_config_changed(&hostile.vdev);
		return;
	}
	hostile_answer(queue, head, len);
}

static void hostile_serve(struct hostile_queue *queue)
{
	struct vring_avail *avail = queue->ring.avail;
	u16 idx = virtio16_to_cpu(&hostile.vdev, READ_ONCE(avail->idx));
	u16 head;

	/* what the index says that is there has been written before */
	smp_rmb();
	for (; queue->seen != idx; queue->seen++) {
		unsigned int slot = queue->seen % queue->ring.num;

		head = virtio16_to_cpu(&hostile.vdev, avail->ring[slot]);
		if (queue->reports)
			hostile_report(queue, head);
		else if (!queue->keeps)
			hostile_answer(queue, head, 0);
	}
}

static void hostile_work(struct work_struct *work)
{
	int i;

	if (!(READ_ONCE(hostile.status) & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	for (i = 0; i < QUEUES; i++)
		if (hostile.queues[i].vq)
			hostile_serve(&hostile.queues[i]);
}

static bool hostile_notify(struct virtqueue *vq)
{
	schedule_work(&hostile.work);
	return true;
}

static void hostile_get(struct virtio_device *vdev, unsigned int offset,
			void *buffer, unsigned int len)
{
	memcpy(buffer, (u8 *)&hostile.config + offset, len);
}

static void hostile_set(struct virtio_device *vdev, unsigned int offset,
			const void *buffer, unsigned int len)
{
	memcpy((u8 *)&hostile.config + offset, buffer, len);
}

static u8 hostile_get_status(struct virtio_device *vdev)
{
	return hostile.status;
}

static void hostile_set_status(struct virtio_device *vdev, u8 status)
{
	WRITE_ONCE(hostile.status, status);
	/* What was put in the queues before is looked at from now on. */
	schedule_work(&hostile.work);
}

static void hostile_reset(struct virtio_device *vdev)
{
	/* after a reset a device touches no memory */
	cancel_work_sync(&hostile.work);
	WRITE_ONCE(hostile.status, 0);
}

static void hostile_del_vqs(struct virtio_device *vdev)
{
	struct hostile_queue *queue;

	cancel_work_sync(&hostile.work);
	for (queue = hostile.queues; queue < hostile.queues + QUEUES; queue++) {
		if (!queue->vq)
			continue;
		vring_del_virtqueue(queue->vq);
		free_pages_exact(queue->memory, hostile_bytes());
		memset(queue, 0, sizeof(*queue));
	}
}

static int hostile_set_up(struct hostile_queue *queue, unsigned int index,
			  const struct virtqueue_info *info)
{
	struct virtqueue *vq;

	if (index == misfit)
		return -ENOENT;
	queue->memory = alloc_pages_exact(hostile_bytes(),
					  GFP_KERNEL | __GFP_ZERO);
	if (!queue->memory)
		return -ENOMEM;
	vring_init(&queue->ring, queue_size, queue->memory, SMP_CACHE_BYTES);
	vq = vring_new_virtqueue(index, queue_size, SMP_CACHE_BYTES,
				 &hostile.vdev, true, false, queue->memory,
				 hostile_notify, info->callback, info->name);
	if (!vq) {
		free_pages_exact(queue->memory, hostile_bytes());
		return -ENOMEM;
	}
	vq->num_max = queue_size;
	queue->reports = !strcmp(info->name, "reporting_vq");
	/* Until it wants statistics, which it does not. */
	queue->keeps = !strcmp(info->name, "stats");
	queue->vq = vq;
	return 0;
}

static int hostile_find_vqs(struct virtio_device *vdev, unsigned int nr,
			    struct virtqueue *vqs[],
			    struct virtqueue_info infos[],
			    struct irq_affinity *affinity)
{
	unsigned int i;
	int err = 0;

	if (nr > QUEUES)
		return -EINVAL;
	for (i = 0; i < nr && !err; i++) {
		vqs[i] = NULL;
		if (infos[i].name)
			err = hostile_set_up(&hostile.queues[i], i, &infos[i]);
		if (!err)
			vqs[i] = hostile.queues[i].vq;
	}
	if (err)
		hostile_del_vqs(vdev);
	return err;
}

static u64 hostile_get_features(struct virtio_device *vdev)
{
	return features | BIT_ULL(VIRTIO_F_VERSION_1);
}

static int hostile_finalize_features(struct virtio_device *vdev)
{
	vring_transport_features(vdev);
	return 0;
}

static const char *hostile_bus_name(struct virtio_device *vdev)
{
	return KBUILD_MODNAME;
}

static const struct virtio_config_ops hostile_ops = {
	.get = hostile_get,
	.set = hostile_set,
	.get_status = hostile_get_status,
	.set_status = hostile_set_status,
	.reset = hostile_reset,
	.find_vqs = hostile_find_vqs,
	.del_vqs = hostile_del_vqs,
	.get_features = hostile_get_features,
	.finalize_features = hostile_finalize_features,
	.bus_name = hostile_bus_name,
};

/* The device is static, and goes with the module. */
static void hostile_release(struct device *dev)
{
	complete(&hostile.released);
}

static int __init hostile_init(void)
{
	int err;

	if (!is_power_of_2(queue_size))
		return -EINVAL;
	hostile.parent = root_device_register(KBUILD_MODNAME);
	if (IS_ERR(hostile.parent))
		return PTR_ERR(hostile.parent);
	INIT_WORK(&hostile.work, hostile_work);
	init_completion(&hostile.released);
	hostile.vdev.id.device = VIRTIO_ID_BALLOON;
	hostile.vdev.config = &hostile_ops;
	hostile.vdev.dev.parent = hostile.parent;
	hostile.vdev.dev.release = hostile_release;
	err = register_virtio_device(&hostile.vdev);
	if (err)
		root_device_unregister(hostile.parent);
	return err;
}
module_init(hostile_init);

static void __exit hostile_exit(void)
{
	unregister_virtio_device(&hostile.vdev);
	wait_for_completion(&hostile.released);
	cancel_work_sync(&hostile.work);
	root_device_unregister(hostile.parent);
}
module_exit(hostile_exit);

MODULE_DESCRIPTION("A balloon that does what no device should");
MODULE_LICENSE("GPL");
