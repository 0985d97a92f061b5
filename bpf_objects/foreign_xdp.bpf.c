// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Count the verdicts of another XDP program on watched interfaces. Attached to the exit of that program (fexit); its fd
 * and function are set before loading. The program may be on other devices, too. */
#include "watched.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct xdp_rxq_info {
	struct net_device *dev;
};

struct xdp_buff {
	struct xdp_rxq_info *rxq;
};

#pragma clang attribute pop

struct verdict {
	__u32 ifindex;
	__u32 action;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, ROWS_MAX);
	__type(key, struct verdict);
	__type(value, __u64);
} counts SEC(".maps");

SEC("fexit")
int count_verdict(__u64 *ctx)
{
	const struct xdp_buff *xdp = (const void *)ctx[0];
	const struct net_device *dev = xdp->rxq->dev;
	struct verdict verdict = { .ifindex = dev->ifindex, .action = (__u32)ctx[1] };

	if (dev->nd_net.net->ns.inum != netns || !bpf_map_lookup_elem(&watched, &verdict.ifindex))
		return 0;
	return add_one(&counts, &verdict);
}
