// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: tunables, state and counters in
 * /sys/kernel/mm/page_reporting/, one value a file, described in
 * Documentation/ABI/testing/sysfs-kernel-mm-page-reporting.
 *
 * A tunable takes effect with the next pass, which a write starts.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "backend.h"
#include "flush.h"
#include "held.h"
#include "order.h"
#include "table.h"
#include "tunables.h"

/* Parse a number of at most @max; say what is allowed if it is not one. */
static int fpr_parse(const char *name, const char *buf, unsigned int max,
		     unsigned int *value)
{
	unsigned int parsed;
	int err = kstrtouint(buf, 0, &parsed);

	if (!err && parsed > max)
		err = -EINVAL;
	if (err) {
		pr_notice("%s takes a number from 0 to %u\n", name, max);
		return err;
	}
	*value = parsed;
	return 0;
}

static ssize_t fpr_store_tunable(const struct kobj_attribute *attr,
				 const char *buf, size_t count,
				 unsigned int max, unsigned int *tunable)
{
	unsigned int value;
	int err = fpr_parse(attr->attr.name, buf, max, &value);

	if (err)
		return err;
	mutex_lock(&fpr_mutex);
	WRITE_ONCE(*tunable, value);
	fpr_kick_all();
	mutex_unlock(&fpr_mutex);
	return count;
}

#define FPR_TUNABLE(_name, _max)					\
static ssize_t _name##_show(struct kobject *kobj,			\
			    struct kobj_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, "%u\n", READ_ONCE(fpr_tunables._name));	\
}									\
									\
static ssize_t _name##_store(struct kobject *kobj,			\
			     struct kobj_attribute *attr,		\
			     const char *buf, size_t count)		\
{									\
	return fpr_store_tunable(attr, buf, count, _max,		\
				 &fpr_tunables._name);			\
}									\
static struct kobj_attribute _name##_attr = __ATTR_RW(_name)

FPR_TUNABLE(age_ms, FPR_MS_MAX);
FPR_TUNABLE(max_age_ms, FPR_MS_MAX);
FPR_TUNABLE(max_delay_ms, FPR_MS_MAX);
FPR_TUNABLE(threshold_kb, FPR_THRESHOLD_KB_MAX);
FPR_TUNABLE(held_max_kb, FPR_HELD_KB_MAX);
FPR_TUNABLE(held_reserve_percent, FPR_HELD_PERCENT_MAX);

static ssize_t fine_age_ms_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(fpr_tunables.fine_age_ms));
}

static ssize_t fine_age_ms_store(struct kobject *kobj,
				 struct kobj_attribute *attr, const char *buf,
				 size_t count)
{
	unsigned int ms;
	int err = fpr_parse("fine_age_ms", buf, FPR_MS_MAX, &ms);

	if (!err)
		err = fpr_set_fine_age(ms);
	return err ?: count;
}

static struct kobj_attribute fine_age_ms_attr = __ATTR_RW(fine_age_ms);

static ssize_t order_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%u\n", fpr_current_order());
}

static ssize_t order_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	unsigned int order;
	int err = fpr_parse("order", buf, MAX_PAGE_ORDER, &order);

	if (!err)
		err = fpr_set_order(order);
	return err ?: count;
}

static struct kobj_attribute order_attr = __ATTR_RW(order);

static ssize_t enabled_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%d\n", READ_ONCE(fpr_tunables.enabled));
}

static ssize_t enabled_store(struct kobject *kobj,
			     struct kobj_attribute *attr, const char *buf,
			     size_t count)
{
	unsigned int enabled;
	int err = fpr_parse("enabled", buf, 1, &enabled);

	if (err)
		return err;
	fpr_set_enabled(enabled);
	return count;
}

static struct kobj_attribute enabled_attr = __ATTR_RW(enabled);

/* Names of the registered backends, "none" if there is none. */
static ssize_t backend_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct fpr_backend *backend;
	int len = 0;

	mutex_lock(&fpr_mutex);
	list_for_each_entry(backend, &fpr_backends, node)
		len += sysfs_emit_at(buf, len, "%s%s%s", len ? " " : "",
				     backend->name,
				     backend->error ? ":stopped" : "");
	mutex_unlock(&fpr_mutex);
	if (!len)
		len = sysfs_emit(buf, "none");
	return len + sysfs_emit_at(buf, len, "\n");
}

static struct kobj_attribute backend_attr = __ATTR_RO(backend);

static ssize_t pending_kb_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  fpr_pending_pages() << (PAGE_SHIFT - 10));
}

static struct kobj_attribute pending_kb_attr = __ATTR_RO(pending_kb);

static ssize_t isolated_kb_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  fpr_isolated_pages() << (PAGE_SHIFT - 10));
}

static struct kobj_attribute isolated_kb_attr = __ATTR_RO(isolated_kb);

static ssize_t held_kb_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	return sysfs_emit(buf, "%lu\n",
			  fpr_held_pages(NULL) << (PAGE_SHIFT - 10));
}

static struct kobj_attribute held_kb_attr = __ATTR_RO(held_kb);

static ssize_t current_age_ms_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", jiffies_to_msecs(fpr_current_age()));
}

static struct kobj_attribute current_age_ms_attr = __ATTR_RO(current_age_ms);

/* Bytes that the last flush reported. */
static ssize_t flush_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%llu\n",
			  (u64)fpr_last_flush_pages() << PAGE_SHIFT);
}

static ssize_t flush_store(struct kobject *kobj, struct kobj_attribute *attr,
			   const char *buf, size_t count)
{
	unsigned long pages;
	int err;

	if (sysfs_streq(buf, "1")) {
		err = page_reporting_flush(&pages);
	} else if (sysfs_streq(buf, "all")) {
		err = page_reporting_flush_anew(&pages);
	} else {
		pr_notice("flush takes 1 or all\n");
		err = -EINVAL;
	}
	return err ?: count;
}

static struct kobj_attribute flush_attr = __ATTR_RW(flush);

static struct attribute *fpr_attrs[] = {
	&order_attr.attr,
	&age_ms_attr.attr,
	&max_age_ms_attr.attr,
	&fine_age_ms_attr.attr,
	&threshold_kb_attr.attr,
	&max_delay_ms_attr.attr,
	&enabled_attr.attr,
	&backend_attr.attr,
	&pending_kb_attr.attr,
	&isolated_kb_attr.attr,
	&held_kb_attr.attr,
	&held_max_kb_attr.attr,
	&held_reserve_percent_attr.attr,
	&current_age_ms_attr.attr,
	&flush_attr.attr,
	NULL
};

static const struct attribute_group fpr_group = {
	.attrs = fpr_attrs,
};

static ssize_t fpr_counter_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf);

/* In the order of enum fpr_counter. */
#define FPR_COUNTER(_index, _name) \
	[_index] = __ATTR(_name, 0444, fpr_counter_show, NULL)

static struct kobj_attribute fpr_counter_attrs[] = {
	FPR_COUNTER(FPR_REPORTED, reported_kb),
	FPR_COUNTER(FPR_REFAULTED, refaulted_kb),
	FPR_COUNTER(FPR_FAILED, failed_kb),
	FPR_COUNTER(FPR_SKIPPED, skipped_kb),
	FPR_COUNTER(FPR_DEFERRED, deferred_kb),
	FPR_COUNTER(FPR_RESTORED, restored_kb),
	FPR_COUNTER(FPR_TAKEN, taken_kb),
	FPR_COUNTER(FPR_PASSES, passes),
	FPR_COUNTER(FPR_BATCHES, batches),
};

static_assert(ARRAY_SIZE(fpr_counter_attrs) == FPR_NR_COUNTERS);

static ssize_t fpr_counter_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	unsigned int index = attr - fpr_counter_attrs;
	u64 value = (unsigned long)atomic_long_read(&fpr_counters[index]);

	if (index < FPR_NR_PAGE_COUNTERS)
		value <<= PAGE_SHIFT - 10;
	return sysfs_emit(buf, "%llu\n", value);
}

static struct attribute *fpr_stats_attrs[FPR_NR_COUNTERS + 1];

static const struct attribute_group fpr_stats_group = {
	.name = "stats",
	.attrs = fpr_stats_attrs,
};

static const struct attribute_group *fpr_groups[] = {
	&fpr_group,
	&fpr_stats_group,
	NULL
};

static int __init fpr_sysfs_init(void)
{
	struct kobject *kobj;
	unsigned int i;
	int err;

	for (i = 0; i < FPR_NR_COUNTERS; i++)
		fpr_stats_attrs[i] = &fpr_counter_attrs[i].attr;

	kobj = kobject_create_and_add("page_reporting", mm_kobj);
	if (!kobj)
		return -ENOMEM;
	err = sysfs_create_groups(kobj, fpr_groups);
	if (err)
		kobject_put(kobj);
	return err;
}
subsys_initcall(fpr_sysfs_init);
