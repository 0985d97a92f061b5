// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts the packets that the kernel frees with a reason, in the watched network namespace: by watched interface (0:
 * none of them) and reason. */
#include "freed_packet.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct drop {
	__u32 ifindex;
	__u32 reason;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, ROWS_MAX);
	__type(key, struct drop);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 + DROP_SLOTS);
	__type(key, __u32);
	__type(value, struct drop_row);
} drops SEC(".maps");

/* Set by user space: the ifindex of each slot from 1 on, 0 where there is none, and whether more interfaces are
 * watched. */
__u32 slot_ifindex[DROP_SLOTS] = {};
__u32 more_are_watched = 0;

static __always_inline int count_in_hash(struct drop *drop)
{
	__u32 zero = 0;
	struct drop_row *row = bpf_map_lookup_elem(&drops, &zero);

	if (row)
		row->hashed += 1;
	if (drop->ifindex && !bpf_map_lookup_elem(&watched, &drop->ifindex))
		drop->ifindex = 0;
	return add_one(&counts, drop);
}

SEC("tp_btf/kfree_skb")
int count_drop(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	struct drop drop = { .reason = (__u32)ctx[2] };
	struct drop_row *row;
	__u32 slot = 0;

	if (!is_drop(drop.reason) || !is_in_watched_namespace(ctx, skb, &drop.ifindex))
		return 0;
	if (drop.ifindex) {
#pragma unroll
		for (__u32 i = 0; i < DROP_SLOTS; i++)
			if (slot_ifindex[i] == drop.ifindex) {
				slot = i + 1;
				break;
			}
		if (!slot && more_are_watched)
			return count_in_hash(&drop);
	}
	if (drop.reason >= DROP_REASONS)
		return count_in_hash(&drop);
	row = bpf_map_lookup_elem(&drops, &slot);
	if (row)
		row->packets[drop.reason & (DROP_REASONS - 1)] += 1;
	return 0;
}
