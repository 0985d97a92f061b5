/* SPDX-License-Identifier: Apache-2.0 */
/* What the running kernel says of itself by BTF: why it drops packets, and what the function of a program is called. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Appends "NUMBER NAME\n" for each value of the enum; the new length, or -ENOENT where the kernel has no such enum. */
static int append_enum(const struct btf *btf, const char *name, char *out, uint32_t room, uint32_t used)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_ENUM);
	const struct btf_type *type;
	const struct btf_enum *value;

	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, (uint32_t)id);
	value = btf_enum(type);
	for (int i = 0; i < btf_vlen(type); i++, value++) {
		int bytes = snprintf(out + used, room - used, "%u %s\n", (uint32_t)value->val,
				     btf__name_by_offset(btf, value->name_off));

		if (bytes < 0 || (uint32_t)bytes >= room - used)
			return -ENOSPC;
		used += (uint32_t)bytes;
	}
	return (int)used;
}

/* The arguments of a tracepoint, without the first one, which is its own; -ENOENT where there is none. */
static int tracepoint_arguments(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (uint32_t)id);

	while (type && (btf_is_typedef(type) || btf_is_ptr(type)))
		type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) ? (int)btf_vlen(type) - 1 : -ENOENT;
}

/* Lines "NUMBER NAME": the first is the number of arguments that the tracepoint kfree_skb has, under its name; then all
 * drop reasons, those of `modules` that are loaded among them (pairs: module, enum). Returns the bytes written, or a
 * negative errno: ENOENT from a kernel that gives no reasons. */
int bpftop_drop_reasons(const char *const *modules, uint32_t module_count, char *out, uint32_t room)
{
	struct btf *kernel = btf__load_vmlinux_btf(), *module;
	int used, more;

	if (!kernel)
		return -errno;
	used = tracepoint_arguments(kernel, "btf_trace_kfree_skb");
	if (used >= 0)
		used = snprintf(out, room, "%d kfree_skb\n", used);
	if (used >= 0)
		used = append_enum(kernel, "skb_drop_reason", out, room, (uint32_t)used);
	for (uint32_t i = 0; used >= 0 && i < module_count; i += 2) {
		more = append_enum(kernel, modules[i + 1], out, room, (uint32_t)used); /* built in */
		if (more == -ENOENT && (module = btf__load_module_btf(modules[i], kernel))) {
			more = append_enum(module, modules[i + 1], out, room, (uint32_t)used);
			btf__free(module);
		}
		if (more >= 0)
			used = more;
	}
	btf__free(kernel);
	return used;
}

/* The whole name of a program's function, which bpf_prog_info cuts at 15 bytes. Returns 0 or a negative errno: ENOENT
 * for a program without BTF. */
int bpftop_entry_function(int prog_fd, char *out, uint32_t room)
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
	rc = type && btf_is_func(type) ? snprintf(out, room, "%s", btf__name_by_offset(btf, type->name_off)) : -ENOENT;
	btf__free(btf);
	return rc < 0 ? rc : (uint32_t)rc < room ? 0 : -ENOSPC;
}

/* Give the memory that parsing BTF took back to the system. By itself glibc keeps up to twice the largest block that
 * was ever freed (11 MB here) in the arena of each thread: 2 to 7 MiB stayed resident. */
void bpftop_give_back_memory(void)
{
#ifdef __GLIBC__
	/* Else glibc learns to take blocks as large as the kernel's BTF out of the arena of their thread, at whose top
	 * it then keeps 11 MiB that malloc_trim does not look at (glibc 2.36; mtrim in malloc/malloc.c). */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	malloc_trim(0);
#endif
}
