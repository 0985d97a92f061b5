// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Iterator over all open files of all processes: write a record for each file descriptor of a program, map, link or
 * perf event.
 *
 * The kernel knows these files by their operations (bpf_map_fops), whose addresses are in /proc/kallsyms only with
 * CONFIG_KALLSYMS_ALL. So the files are known by the name of their anonymous inode instead (kernel/bpf/syscall.c).
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <bpf/bpf_helpers.h>

#include "bpf_owners.h"

#define NAME_BYTES 9 /* of "bpf-prog" with its end */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
};

struct file {
	void *private_data;
	struct path f_path;
	struct inode *f_inode;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_map {
	__u32 id;
};

struct bpf_link {
	__u32 id;
};

#pragma clang attribute pop

static __always_inline int is_name(const char *name, const char *other)
{
	for (int i = 0; i < NAME_BYTES; i++) {
		if (name[i] != other[i])
			return 0;
		if (!name[i])
			return 1;
	}
	return 1;
}

static __always_inline __u32 read_id(const void *id)
{
	__u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), id);
	return value;
}

SEC("iter/task_file")
int write_owner(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	char name[NAME_BYTES] = {};
	struct bpf_owner owner = {};
	const void *object;

	if (!task || !file || task->pid != task->tgid || file->f_inode->i_sb->s_magic != ANON_INODE_FS_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), file->f_path.dentry->d_name.name);
	object = file->private_data;
	if (is_name(name, "bpf-prog")) {
		const struct bpf_prog_aux *aux = NULL;

		bpf_probe_read_kernel(&aux, sizeof(aux), &((const struct bpf_prog *)object)->aux);
		owner.kind = OWNED_PROGRAM;
		owner.id = read_id(&aux->id);
	} else if (is_name(name, "bpf-map")) {
		owner.kind = OWNED_MAP;
		owner.id = read_id(&((const struct bpf_map *)object)->id);
	} else if (is_name(name, "bpf_link")) {
		owner.kind = OWNED_LINK;
		owner.id = read_id(&((const struct bpf_link *)object)->id);
	} else if (is_name(name, "[perf_ev")) { /* as much of "[perf_event]" as was read */
		owner.kind = OWNED_PERF_EVENT;
		owner.id = ctx->fd;
	} else {
		return 0;
	}
	owner.pid = (__u32)task->tgid;
	bpf_probe_read_kernel_str(owner.comm, sizeof(owner.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &owner, sizeof(owner));
	return 0;
}
