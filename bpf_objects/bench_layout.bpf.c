// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Three fields on one cache line or on three cache lines, and values read in order or at random. */
#include "bench.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MANY_BITS 17  /* x 192 bytes: 24 MiB, beyond the L2 of every CPU */
#define FEW_BITS 6    /* x 192 bytes: 12 KiB, within every L1 */
#define LINES_BITS 19 /* x 64 bytes: 32 MiB */

union value {
	struct {
		__u64 first, second, third;
	} dense;
	struct {
		__u64 first, pad1[7], second, pad2[7], third, pad3[7];
	} sparse;
};

/* Mappable, because the values of mappable maps begin at a page, and so at a cache line. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << MANY_BITS);
	__type(key, __u32);
	__type(value, union value);
} values SEC(".maps");

struct line {
	__u64 first, others[7];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << LINES_BITS);
	__type(key, __u32);
	__type(value, struct line);
} lines SEC(".maps");

BENCH_XDP(empty)
{
	return bench_next(x);
}

BENCH_XDP(empty_step)
{
	return x + 1;
}

#define COUNT_IN(shape, bits)                                            \
	({                                                               \
		__u32 key = x >> (32 - (bits));                          \
		union value *value = bpf_map_lookup_elem(&values, &key); \
		__u32 sum = 0;                                           \
                                                                         \
		if (value) {                                             \
			sum = ++value->shape.first;                      \
			sum += value->shape.second += 2;                 \
			sum += value->shape.third += 3;                  \
		}                                                        \
		bench_next(x + sum);                                     \
	})

BENCH_XDP(dense_few)
{
	return COUNT_IN(dense, FEW_BITS);
}

BENCH_XDP(sparse_few)
{
	return COUNT_IN(sparse, FEW_BITS);
}

BENCH_XDP(dense_many)
{
	return COUNT_IN(dense, MANY_BITS);
}

BENCH_XDP(sparse_many)
{
	return COUNT_IN(sparse, MANY_BITS);
}

/* The value is read, and no later read depends on it. */
#define READ(key_)                                                \
	do {                                                      \
		__u32 key = (key_);                               \
		__u64 *value = bpf_map_lookup_elem(&lines, &key); \
		__u64 first = value ? *value : 0;                 \
                                                                  \
		BENCH_KEEP(first);                                \
	} while (0)

BENCH_XDP(in_order)
{
	READ(x & ((1 << LINES_BITS) - 1));
	return x + 1;
}

BENCH_XDP(at_random)
{
	READ(x >> (32 - LINES_BITS));
	return bench_next(x);
}

/* Each read depends on the read before, as in a list or a tree. */
BENCH_XDP(at_random_chained)
{
	__u32 key = x >> (32 - LINES_BITS);
	__u64 *value = bpf_map_lookup_elem(&lines, &key);

	return bench_next(value ? x + (__u32)*value : x);
}
