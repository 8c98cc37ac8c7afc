// SPDX-License-Identifier: GPL-2.0
/*
 * Free page reporting: tunables, state and counters in
 * /sys/kernel/mm/page_reporting/, one value a file, described in
 * Documentation/ABI/testing/sysfs-kernel-mm-page-reporting.
 *
 * A tunable takes effect with the next pass, which a write starts.  Each
 * backend has a directory, which has a reference to it.
 */
#define pr_fmt(fmt) "page_reporting: " fmt

#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/kstrtox.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>

#include "backend.h"
#include "order.h"
#include "sysfs.h"
#include "table.h"
#include "tunables.h"
#include "unbacked.h"

static struct kobject *fpr_kobj;
static struct kobject *fpr_backends_kobj;

/**
 * struct fpr_dir - the directory of a backend
 * @kobj:	the directory
 * @backend:	whose it is, with a reference
 */
struct fpr_dir {
	struct kobject kobj;
	struct fpr_backend *backend;
};

static struct fpr_backend *fpr_dir_backend(struct kobject *kobj)
{
	return container_of(kobj, struct fpr_dir, kobj)->backend;
}

/* Whose state does a directory show?  NULL stands for all backends. */
static const struct fpr_backend *fpr_shown(struct kobject *kobj)
{
	return kobj == fpr_kobj ? NULL : fpr_dir_backend(kobj);
}

static u64 fpr_pages_to_kb(unsigned long pages)
{
	return (u64)pages << (PAGE_SHIFT - 10);
}

static ssize_t fpr_emit_kb(char *buf, unsigned long pages)
{
	return sysfs_emit(buf, "%llu\n", fpr_pages_to_kb(pages));
}

/* === Tunables === */

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

static void fpr_set_tunable(unsigned int *tunable, unsigned int value)
{
	mutex_lock(&fpr_mutex);
	WRITE_ONCE(*tunable, value);
	fpr_kick_all();
	mutex_unlock(&fpr_mutex);
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
	unsigned int value;						\
	int err = fpr_parse(#_name, buf, _max, &value);			\
									\
	if (err)							\
		return err;						\
	fpr_set_tunable(&fpr_tunables._name, value);			\
	return count;							\
}									\
static struct kobj_attribute _name##_attr = __ATTR_RW(_name)

FPR_TUNABLE(age_ms, FPR_MS_MAX);

#ifdef CONFIG_PAGE_REPORTING_RETAIN
FPR_TUNABLE(max_age_ms, FPR_MS_MAX);
#endif

#ifdef CONFIG_PAGE_REPORTING_PIECES
static ssize_t piece_age_ms_show(struct kobject *kobj,
				 struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(fpr_tunables.piece_age_ms));
}

static ssize_t piece_age_ms_store(struct kobject *kobj,
				  struct kobj_attribute *attr, const char *buf,
				  size_t count)
{
	unsigned int ms;
	int err = fpr_parse("piece_age_ms", buf, FPR_MS_MAX, &ms);

	if (!err)
		err = fpr_set_piece_age(ms);
	return err ?: count;
}

static struct kobj_attribute piece_age_ms_attr = __ATTR_RW(piece_age_ms);
#endif

#ifdef CONFIG_PAGE_REPORTING_CONSOLIDATE
FPR_TUNABLE(consolidate_percent, 100);
#endif

#ifdef CONFIG_PAGE_REPORTING_RESTORE
FPR_TUNABLE(unbacked_reserve_percent, 100);

static ssize_t unbacked_max_kb_show(struct kobject *kobj,
				    struct kobj_attribute *attr, char *buf)
{
	unsigned int kb = READ_ONCE(fpr_tunables.unbacked_max_kb);

	if (kb == FPR_NO_LIMIT)
		return sysfs_emit(buf, "max\n");
	return sysfs_emit(buf, "%u\n", kb);
}

static ssize_t unbacked_max_kb_store(struct kobject *kobj,
				     struct kobj_attribute *attr,
				     const char *buf, size_t count)
{
	unsigned int kb = FPR_NO_LIMIT;
	int err = 0;

	if (!sysfs_streq(buf, "max")) {
		err = kstrtouint(buf, 0, &kb);
		/* As a number it would read back as another thing. */
		if (!err && kb == FPR_NO_LIMIT)
			err = -EINVAL;
	}
	if (err) {
		pr_notice("unbacked_max_kb takes max or a number from 0 to %u\n",
			  FPR_NO_LIMIT - 1);
		return err;
	}
	fpr_set_tunable(&fpr_tunables.unbacked_max_kb, kb);
	return count;
}

static struct kobj_attribute unbacked_max_kb_attr = __ATTR_RW(unbacked_max_kb);

static ssize_t unbacked_kb_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return fpr_emit_kb(buf, fpr_unbacked_pages(fpr_shown(kobj)));
}

static struct kobj_attribute unbacked_kb_attr = __ATTR_RO(unbacked_kb);
#endif

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

static struct kobj_attribute flush_attr = __ATTR_WO(flush);

/* === State === */

static ssize_t pending_kb_show(struct kobject *kobj,
			       struct kobj_attribute *attr, char *buf)
{
	return fpr_emit_kb(buf, fpr_pending_pages(fpr_shown(kobj)));
}

static struct kobj_attribute pending_kb_attr = __ATTR_RO(pending_kb);

static ssize_t isolated_kb_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	return fpr_emit_kb(buf, fpr_isolated_pages(fpr_shown(kobj)));
}

static struct kobj_attribute isolated_kb_attr = __ATTR_RO(isolated_kb);

static ssize_t current_age_ms_show(struct kobject *kobj,
				   struct kobj_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", jiffies_to_msecs(fpr_current_age()));
}

static struct kobj_attribute current_age_ms_attr = __ATTR_RO(current_age_ms);

static struct attribute *fpr_attrs[] = {
	&enabled_attr.attr,
	&order_attr.attr,
	&age_ms_attr.attr,
	&flush_attr.attr,
	&pending_kb_attr.attr,
	&isolated_kb_attr.attr,
	&current_age_ms_attr.attr,
#ifdef CONFIG_PAGE_REPORTING_RETAIN
	&max_age_ms_attr.attr,
#endif
#ifdef CONFIG_PAGE_REPORTING_PIECES
	&piece_age_ms_attr.attr,
#endif
#ifdef CONFIG_PAGE_REPORTING_CONSOLIDATE
	&consolidate_percent_attr.attr,
#endif
#ifdef CONFIG_PAGE_REPORTING_RESTORE
	&unbacked_kb_attr.attr,
	&unbacked_max_kb_attr.attr,
	&unbacked_reserve_percent_attr.attr,
#endif
	NULL
};

static const struct attribute_group fpr_group = {
	.attrs = fpr_attrs,
};

/* === Counters, of all backends and of each === */

static const char * const fpr_counter_names[] = {
	[FPR_REPORTED]	= "reported_kb",
	[FPR_FLUSHED]	= "flushed_kb",
	[FPR_FAILED]	= "failed_kb",
	[FPR_SKIPPED]	= "skipped_kb",
	[FPR_DEFERRED]	= "deferred_kb",
	[FPR_REFAULTED]	= "refaulted_kb",
	[FPR_RESTORED]	= "restored_kb",
	[FPR_CLAIMED]	= "claimed_kb",
	[FPR_CONSOLIDATED] = "consolidated_kb",
	[FPR_MOVED]	= "moved_kb",
	[FPR_PASSES]	= "passes",
	[FPR_BATCHES]	= "batches",
};

static_assert(ARRAY_SIZE(fpr_counter_names) == FPR_NR_COUNTERS);

/**
 * struct fpr_counter_attr - a counter as a file
 * @attr:	the file
 * @counter:	which one
 */
struct fpr_counter_attr {
	struct kobj_attribute attr;
	enum fpr_counter counter;
};

static struct fpr_counter_attr fpr_counter_attrs[FPR_NR_COUNTERS];
static struct attribute *fpr_stats_attrs[FPR_NR_COUNTERS + 1];

static const struct attribute_group fpr_stats_group = {
	.name = "stats",
	.attrs = fpr_stats_attrs,
};

/* Does the kernel have the layer that counts it? */
static bool fpr_counter_exists(enum fpr_counter counter)
{
	switch (counter) {
	case FPR_REFAULTED:
		return IS_ENABLED(CONFIG_PAGE_REPORTING_RETAIN);
	case FPR_RESTORED:
	case FPR_CLAIMED:
		return IS_ENABLED(CONFIG_PAGE_REPORTING_RESTORE);
	case FPR_CONSOLIDATED:
	case FPR_MOVED:
		return IS_ENABLED(CONFIG_PAGE_REPORTING_CONSOLIDATE);
	default:
		return true;
	}
}

/* === A directory for each backend === */

static void fpr_dir_release(struct kobject *kobj)
{
	struct fpr_dir *dir = container_of(kobj, struct fpr_dir, kobj);

	fpr_backend_put(dir->backend);
	kfree(dir);
}

static ssize_t nodes_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%*pbl\n",
			  nodemask_pr_args(&fpr_dir_backend(kobj)->nodes));
}

static struct kobj_attribute nodes_attr = __ATTR_RO(nodes);

/* 0, or the error number with which the backend was stopped. */
static ssize_t error_show(struct kobject *kobj, struct kobj_attribute *attr,
			  char *buf)
{
	return sysfs_emit(buf, "%d\n",
			  READ_ONCE(fpr_dir_backend(kobj)->error));
}

static struct kobj_attribute error_attr = __ATTR_RO(error);

#ifdef CONFIG_PAGE_REPORTING_RESTORE
/* What the backend itself allows; the user's limit is a tunable. */
static ssize_t fpr_dir_unbacked_max_show(struct kobject *kobj,
					 struct kobj_attribute *attr,
					 char *buf)
{
	unsigned long pages = READ_ONCE(fpr_dir_backend(kobj)->unbacked_max);

	if (pages == ULONG_MAX)
		return sysfs_emit(buf, "max\n");
	return fpr_emit_kb(buf, pages);
}

static struct kobj_attribute fpr_dir_unbacked_max_attr =
	__ATTR(unbacked_max_kb, 0444, fpr_dir_unbacked_max_show, NULL);
#endif

static struct attribute *fpr_dir_attrs[] = {
	&nodes_attr.attr,
	&error_attr.attr,
	&pending_kb_attr.attr,
	&isolated_kb_attr.attr,
#ifdef CONFIG_PAGE_REPORTING_RESTORE
	&unbacked_kb_attr.attr,
	&fpr_dir_unbacked_max_attr.attr,
#endif
	NULL
};

/* Only a backend that restores has unbacked memory. */
static umode_t fpr_dir_visible(struct kobject *kobj, struct attribute *attr,
			       int index)
{
	if (strstarts(attr->name, "unbacked_") &&
	    !fpr_dir_backend(kobj)->restores)
		return 0;
	return attr->mode;
}

static const struct attribute_group fpr_dir_group = {
	.attrs = fpr_dir_attrs,
	.is_visible = fpr_dir_visible,
};

static const struct attribute_group *fpr_dir_groups[] = {
	&fpr_dir_group,
	&fpr_stats_group,
	NULL
};

static const struct kobj_type fpr_dir_type = {
	.release = fpr_dir_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = fpr_dir_groups,
};

/* The counters of a backend, or the sums. */
static ssize_t fpr_counter_show(struct kobject *kobj,
				struct kobj_attribute *attr, char *buf)
{
	enum fpr_counter counter =
		container_of(attr, struct fpr_counter_attr, attr)->counter;
	const struct fpr_backend *backend = fpr_shown(kobj);
	const struct fpr_counters *counters =
		backend ? &backend->counters : &fpr_total;
	unsigned long value = atomic_long_read(&counters->n[counter]);

	if (counter < FPR_NR_PAGE_COUNTERS)
		return fpr_emit_kb(buf, value);
	return sysfs_emit(buf, "%lu\n", value);
}

static bool fpr_dir_name_taken(const char *name)
{
	struct fpr_backend *other;

	list_for_each_entry(other, &fpr_backends, node)
		if (other->dir && !strcmp(kobject_name(other->dir), name))
			return true;
	return false;
}

/* The name of the backend; with a number if another one has it already. */
static char *fpr_dir_name(const struct fpr_backend *backend)
{
	unsigned int number = 1;
	char *name = kstrdup(backend->name, GFP_KERNEL);

	if (name)
		strreplace(name, '/', '!');
	while (name && fpr_dir_name_taken(name)) {
		kfree(name);
		name = kasprintf(GFP_KERNEL, "%s.%u", backend->name, ++number);
		if (name)
			strreplace(name, '/', '!');
	}
	return name;
}

/*
 * Give a backend its directory.  It does without if there is no memory: sysfs
 * is no reason not to report.
 *
 * Context: Process context, fpr_mutex is held.
 */
void fpr_sysfs_add(struct fpr_backend *backend)
{
	char *name = fpr_dir_name(backend);
	struct fpr_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL);

	lockdep_assert_held(&fpr_mutex);
	if (!dir || !name || !fpr_backends_kobj) {
		kfree(dir);
	} else {
		refcount_inc(&backend->refs);
		dir->backend = backend;
		if (kobject_init_and_add(&dir->kobj, &fpr_dir_type,
					 fpr_backends_kobj, "%s", name))
			kobject_put(&dir->kobj);
		else
			backend->dir = &dir->kobj;
	}
	kfree(name);
	if (!backend->dir)
		pr_warn("backend %s has no directory in sysfs\n",
			backend->name);
}

/*
 * Remove the directory of a backend.  Waits for those who read it.
 *
 * Context: Process context, fpr_mutex is held; no file of the directory takes
 * it.
 */
void fpr_sysfs_remove(struct fpr_backend *backend)
{
	struct kobject *kobj = backend->dir;

	lockdep_assert_held(&fpr_mutex);
	if (!kobj)
		return;
	backend->dir = NULL;
	kobject_del(kobj);
	kobject_put(kobj);
}

static void __init fpr_init_counter_attrs(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < FPR_NR_COUNTERS; i++) {
		struct fpr_counter_attr *file = &fpr_counter_attrs[i];

		if (!fpr_counter_exists(i))
			continue;
		sysfs_attr_init(&file->attr.attr);
		file->attr.attr.name = fpr_counter_names[i];
		file->attr.attr.mode = 0444;
		file->attr.show = fpr_counter_show;
		file->counter = i;
		fpr_stats_attrs[nr++] = &file->attr.attr;
	}
}

static const struct attribute_group *fpr_groups[] = {
	&fpr_group,
	&fpr_stats_group,
	NULL
};

static int __init fpr_sysfs_init(void)
{
	int err = -ENOMEM;

	fpr_init_counter_attrs();
	fpr_kobj = kobject_create_and_add("page_reporting", mm_kobj);
	if (!fpr_kobj)
		return -ENOMEM;
	fpr_backends_kobj = kobject_create_and_add("backends", fpr_kobj);
	if (fpr_backends_kobj)
		err = sysfs_create_groups(fpr_kobj, fpr_groups);
	if (err) {
		kobject_put(fpr_backends_kobj);
		fpr_backends_kobj = NULL;
		kobject_put(fpr_kobj);
	}
	return err;
}
subsys_initcall(fpr_sysfs_init);
