// SPDX-License-Identifier: GPL-2.0
// Target: drivers/virtio/virtio_balloon.c
// Looks for: virtballoon_free_page_report(), reporting_vq in init_vqs(), page_reporting_register() in virtballoon_probe(), page_reporting_unregister(), virtballoon_freeze() and virtballoon_restore(), tell_host()
// Places: 9
//
// Reporting moves to virtio_balloon_reporting.c.  It starts when the device is
// ready and stops before the device goes away.  A device that was given up then
// answers nothing else, so nobody waits for it.  While the system sleeps the core
// reports nothing; the queue is another one afterwards.

@include@
@@
 #include <linux/page_reporting.h>
+#include "virtio_balloon_reporting.h"

@callback depends on include@
@@
-int virtballoon_free_page_report(...) { ... }

@queue depends on callback@
struct virtio_balloon *vb;
@@
-vb->reporting_vq
+vb->reporting.vq

@registered depends on queue@
identifier vdev, vb;
statement S;
@@
 virtballoon_probe(struct virtio_device *vdev)
 {
 ...
-	vb->pr_dev_info.report = virtballoon_free_page_report;
-	if (virtio_has_feature(vb->vdev, VIRTIO_BALLOON_F_REPORTING)) S
 ...
 }

@ready depends on registered@
identifier registered.vdev, registered.vb;
@@
 virtballoon_probe(struct virtio_device *vdev)
 {
 <...
	virtio_device_ready(vdev);
+	virtballoon_reporting_start(&vb->reporting, vdev, &vb->acked);
 ...>
 }

@remove depends on ready@
struct virtio_balloon *vb;
expression device;
@@
-	if (virtio_has_feature(device, VIRTIO_BALLOON_F_REPORTING))
-		page_reporting_unregister(&vb->pr_dev_info);
+	virtballoon_reporting_stop(&vb->reporting);

@freeze depends on remove@
identifier vdev, vb;
@@
 virtballoon_freeze(struct virtio_device *vdev)
 {
	struct virtio_balloon *vb = vdev->priv;
+	virtballoon_reporting_freeze(&vb->reporting);
 ...
 }

@restore depends on freeze@
identifier vdev;
@@
 virtballoon_restore(struct virtio_device *vdev)
 {
 ...
+	virtballoon_reporting_tell_poison(vdev);
	virtio_device_ready(vdev);
 ...
 }

@broken depends on restore@
identifier vb, vq, err, len;
@@
 tell_host(struct virtio_balloon *vb, struct virtqueue *vq)
 {
 ...
-	if (WARN_ON_ONCE(err))
+	WARN_ON_ONCE(err && !virtqueue_is_broken(vq));
+	if (err)
		return;
 ...
-	wait_event(vb->acked, virtqueue_get_buf(vq, &len));
+	wait_event(vb->acked, virtqueue_get_buf(vq, &len) ||
+		   virtqueue_is_broken(vq));
 }
