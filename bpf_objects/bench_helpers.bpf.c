// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The cost of one call of each helper; reading a clock once or three times; and reading a struct at once or three of
 * its fields. */
#include "bench.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define KEYS 1024
#define KEY_OF(x) ((x) >> 22) /* 0 .. KEYS - 1, of the random bits */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEYS);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KEYS);
	__type(key, __u32);
	__type(value, __u64);
} hash SEC(".maps");

struct record {
	__u64 first;
	__u64 second;
	__u64 third;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KEYS);
	__type(key, __u32);
	__type(value, struct record);
} records SEC(".maps");

BENCH_XDP(empty)
{
	return bench_next(x);
}

BENCH_XDP(get_smp_processor_id)
{
	return bench_next(x + bpf_get_smp_processor_id());
}

BENCH_XDP(ktime_get_ns)
{
	return bench_next(x + (__u32)bpf_ktime_get_ns());
}

BENCH_XDP(ktime_get_coarse_ns)
{
	return bench_next(x + (__u32)bpf_ktime_get_coarse_ns());
}

BENCH_XDP(get_prandom_u32)
{
	return bench_next(x + bpf_get_prandom_u32());
}

BENCH_XDP(lookup_array)
{
	__u32 key = KEY_OF(x);
	__u64 *value = bpf_map_lookup_elem(&array, &key);

	return bench_next(value ? x + (__u32)*value : x);
}

BENCH_XDP(lookup_hash)
{
	__u32 key = KEY_OF(x);
	__u64 *value = bpf_map_lookup_elem(&hash, &key), zero = 0;

	if (!value) /* only until every key is inserted */
		bpf_map_update_elem(&hash, &key, &zero, BPF_ANY);
	return bench_next(value ? x + (__u32)*value : x);
}

BENCH_XDP(update_array)
{
	__u32 key = KEY_OF(x);
	__u64 value = 0;

	return bench_next(x + bpf_map_update_elem(&array, &key, &value, BPF_ANY));
}

BENCH_XDP(update_hash)
{
	__u32 key = KEY_OF(x);
	__u64 value = 0;

	return bench_next(x + bpf_map_update_elem(&hash, &key, &value, BPF_ANY));
}

/* Reads the program's stack, which is kernel memory. */
BENCH_XDP(probe_read)
{
	__u64 from = x, to = 0;

	bpf_probe_read_kernel(&to, sizeof(to), &from);
	return bench_next((__u32)to);
}

static __always_inline void *record_of(__u32 x)
{
	__u32 key = KEY_OF(x);

	return bpf_map_lookup_elem(&records, &key);
}

/* The reference for reading kernel memory by a helper: look the record up and read its fields directly. */
BENCH_XDP(read_directly)
{
	struct record *record = record_of(x);

	return bench_next(record ? x + (__u32)(record->first + record->second + record->third) : x);
}

BENCH_XDP(read_struct)
{
	void *record = record_of(x);
	struct record copy = {};

	if (!record)
		return x;
	bpf_probe_read_kernel(&copy, sizeof(copy), record);
	return bench_next(x + (__u32)(copy.first + copy.second + copy.third));
}

BENCH_XDP(read_three_fields)
{
	struct record *record = record_of(x);
	__u64 first = 0, second = 0, third = 0;

	if (!record)
		return x;
	bpf_probe_read_kernel(&first, sizeof(first), &record->first);
	bpf_probe_read_kernel(&second, sizeof(second), &record->second);
	bpf_probe_read_kernel(&third, sizeof(third), &record->third);
	return bench_next(x + (__u32)(first + second + third));
}

BENCH_XDP(clock_once)
{
	__u64 now = bpf_ktime_get_ns();

	BENCH_KEEP(now);
	return bench_next(x + (__u32)now + ((__u32)now >> 3) + ((__u32)now >> 5));
}

BENCH_XDP(clock_thrice)
{
	return bench_next(x + (__u32)bpf_ktime_get_ns() + ((__u32)bpf_ktime_get_ns() >> 3) +
			  ((__u32)bpf_ktime_get_ns() >> 5));
}

BENCH_XDP(clock_coarse)
{
	__u64 now = bpf_ktime_get_coarse_ns();

	BENCH_KEEP(now);
	return bench_next(x + (__u32)now + ((__u32)now >> 3) + ((__u32)now >> 5));
}

BENCH_RAW_TP(empty_raw_tp)
{
	return bench_next(x);
}

#define SIGURG 23 /* the number on every architecture with BPF but alpha and mips; ignored unless requested */

BENCH_RAW_TP(send_signal)
{
	return bench_next(x + (__u32)bpf_send_signal(SIGURG));
}
