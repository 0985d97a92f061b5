/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "kernel_btf.h"

#define TYPE_CHAIN_MAX 8

/* Append "NUMBER NAME\n" for each value of the enum. Return the new length, or -ENOENT if there is no such enum. */
static int append_enum(const struct btf *btf, const char *name, char *out, uint32_t out_bytes, uint32_t used)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_ENUM);
	const struct btf_type *type;
	const struct btf_enum *value;

	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, (uint32_t)id);
	value = btf_enum(type);
	for (int i = 0; i < btf_vlen(type); i++, value++) {
		int bytes = snprintf(out + used, out_bytes - used, "%u %s\n", (uint32_t)value->val,
				     btf__name_by_offset(btf, value->name_off));

		if (bytes < 0 || (uint32_t)bytes >= out_bytes - used)
			return -ENOSPC;
		used += (uint32_t)bytes;
	}
	return (int)used;
}

/* Return the number of arguments of a tracepoint, or -ENOENT if there is no such tracepoint. */
static int tracepoint_arguments(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	/* A typedef of a pointer of a prototype. Types of a broken BTF may refer to each other in a circle. */
	for (int i = 0; i < TYPE_CHAIN_MAX && type && (btf_is_typedef(type) || btf_is_ptr(type)); i++)
		type = btf__type_by_id(btf, type->type);
	/* The prototype begins with the private argument __data (include/trace/bpf_probe.h). */
	return type && btf_is_func_proto(type) ? (int)btf_vlen(type) - 1 : -ENOENT;
}

int bpftop_drop_reasons(const char *const *modules, uint32_t module_count, char *out, uint32_t out_bytes)
{
	struct btf *kernel = btf__load_vmlinux_btf(), *module;
	int used, more;

	if (!kernel)
		return -errno;
	used = tracepoint_arguments(kernel, "btf_trace_kfree_skb");
	if (used >= 0)
		used = snprintf(out, out_bytes, "%d kfree_skb\n", used);
	if (used >= (int)out_bytes)
		used = -ENOSPC;
	if (used >= 0)
		used = append_enum(kernel, "skb_drop_reason", out, out_bytes, (uint32_t)used);
	for (uint32_t i = 0; used >= 0 && i < module_count; i += 2) {
		more = append_enum(kernel, modules[i + 1], out, out_bytes, (uint32_t)used); /* built in */
		if (more == -ENOENT && (module = btf__load_module_btf(modules[i], kernel))) {
			more = append_enum(module, modules[i + 1], out, out_bytes, (uint32_t)used);
			btf__free(module);
		}
		if (more != -ENOENT)
			used = more;
	}
	btf__free(kernel);
	return used;
}

int bpftop_entry_function(int prog_fd, char *out, uint32_t out_bytes)
{
	struct bpf_func_info first = {};
	struct bpf_prog_info info = {};
	uint32_t bytes = sizeof(info), record_bytes;
	const struct btf_type *type;
	struct btf *btf;
	int rc;

	rc = bpf_obj_get_info_by_fd(prog_fd, &info, &bytes);
	if (rc)
		return rc;
	if (!info.btf_id || !info.nr_func_info)
		return -ENOENT;
	record_bytes = info.func_info_rec_size;
	memset(&info, 0, sizeof(info));
	info.nr_func_info = 1;
	info.func_info_rec_size = sizeof(first) < record_bytes ? sizeof(first) : record_bytes;
	info.func_info = (uintptr_t)&first;
	bytes = sizeof(info);
	rc = bpf_obj_get_info_by_fd(prog_fd, &info, &bytes);
	if (rc)
		return rc;
	btf = btf__load_from_kernel_by_id(info.btf_id);
	if (!btf)
		return -errno;
	type = btf__type_by_id(btf, first.type_id);
	rc = type && btf_is_func(type) ? snprintf(out, out_bytes, "%s", btf__name_by_offset(btf, type->name_off))
				       : -ENOENT;
	btf__free(btf);
	return rc < 0 ? rc : (uint32_t)rc < out_bytes ? 0 : -ENOSPC;
}
