// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A hash with preallocated elements, and a hash that allocates each element when it is inserted. */
#include "bench.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ENTRIES 16384
#define KEY_OF(x) ((x) >> 20)

#define HASH(name, flags)                        \
	struct {                                 \
		__uint(type, BPF_MAP_TYPE_HASH); \
		__uint(map_flags, flags);        \
		__uint(max_entries, ENTRIES);    \
		__type(key, __u32);              \
		__type(value, __u64);            \
	} name SEC(".maps")

HASH(allocated, 0);
HASH(on_demand, BPF_F_NO_PREALLOC);

BENCH_XDP(empty)
{
	return bench_next(x);
}

#define INSERT_AND_DELETE(map)                                                \
	({                                                                    \
		__u32 key = KEY_OF(x);                                        \
		__u64 value = x;                                              \
		long come = bpf_map_update_elem(&map, &key, &value, BPF_ANY); \
		long go = bpf_map_delete_elem(&map, &key);                    \
                                                                              \
		bench_next(x + (__u32)come + (__u32)go);                      \
	})

#define LOOK_UP(map)                                                      \
	({                                                                \
		__u32 key = KEY_OF(x);                                    \
		__u64 *value = bpf_map_lookup_elem(&map, &key), zero = 0; \
                                                                          \
		if (!value) /* only until every key is inserted */        \
			bpf_map_update_elem(&map, &key, &zero, BPF_ANY);  \
		bench_next(value ? x + (__u32)*value : x);                \
	})

BENCH_XDP(come_and_go_allocated)
{
	return INSERT_AND_DELETE(allocated);
}

BENCH_XDP(come_and_go_on_demand)
{
	return INSERT_AND_DELETE(on_demand);
}

BENCH_XDP(lookup_allocated)
{
	return LOOK_UP(allocated);
}

BENCH_XDP(lookup_on_demand)
{
	return LOOK_UP(on_demand);
}
