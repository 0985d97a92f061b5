// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Maps that user space reads as a whole, and the program that fills them. */
#include "bench.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define READ_KEYS 10000

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, READ_KEYS);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, READ_KEYS);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

/* Fill one key after the other, with values that user space can check. */
BENCH_XDP(fill)
{
	__u64 value = x * 0x9e3779b97f4a7c15ULL + 1;

	if (x < READ_KEYS) {
		bpf_map_update_elem(&hash, &x, &value, BPF_ANY);
		bpf_map_update_elem(&array, &x, &value, BPF_ANY);
	}
	return x + 1;
}
