// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Programs at a kprobe and at a tracepoint of a system call that nothing else calls often, and at the raw tracepoint of
 * all system calls, which needs neither kprobes nor tracefs. BPF_PROG_TEST_RUN does not time these types, but the
 * kernel's run statistics do. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

static __always_inline int count(void)
{
	__u32 key = 0;
	__u64 *value = bpf_map_lookup_elem(&calls, &key);

	if (value)
		++*value;
	return 0;
}

#define TRACING(section, name, body) \
	SEC(section)                 \
	int name(void *ctx)          \
	{                            \
		return body;         \
	}

TRACING("ksyscall/getpgid", kprobe_empty, 0)
TRACING("ksyscall/getpgid", kprobe_count, count())
TRACING("tracepoint/syscalls/sys_enter_getpgid", tracepoint_empty, 0)
TRACING("tracepoint/syscalls/sys_enter_getpgid", tracepoint_count, count())
TRACING("raw_tracepoint/sys_enter", raw_tracepoint_empty, 0)
TRACING("raw_tracepoint/sys_enter", raw_tracepoint_count, count())
