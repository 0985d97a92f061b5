// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Iterator over all maps of the machine: write a record for each map whose entries the kernel counts.
 *
 * Hash maps of all kinds have a counter per CPU since Linux 6.6 (kernel/bpf/map_iter.c), so that no walk over their
 * keys is needed: a walk takes 1 µs for each key. Other types have no counter, and get no record.
 */
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "map_counts.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_map {
	__u32 id;
	__s64 *elem_count;
};

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};

#pragma clang attribute pop

extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

SEC("iter/bpf_map")
int write_count(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;
	struct map_count count = {};
	__s64 entries;

	if (!map || !map->elem_count)
		return 0;
	entries = bpf_map_sum_elem_count(map);
	count.id = map->id;
	count.entries = entries > 0 ? (unsigned long long)entries : 0;
	bpf_seq_write(ctx->meta->seq, &count, sizeof(count));
	return 0;
}
