// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Count failures of XDP programs on watched interfaces: failed or invalid actions, and failed redirects. One program of
 * this object is loaded at a time, with a map of its own. */
#include "watched.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

#pragma clang attribute pop

struct xdp_error {
	__u32 ifindex;
	__u32 prog_id;
	__u32 code; /* action or errno */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, ROWS_MAX);
	__type(key, struct xdp_error);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline int count(const struct net_device *dev, const struct bpf_prog *prog, __u32 code)
{
	struct xdp_error error = { .ifindex = dev->ifindex, .prog_id = prog->aux->id, .code = code };

	if (dev->nd_net.net->ns.inum != netns || !bpf_map_lookup_elem(&watched, &error.ifindex))
		return 0;
	return add_one(&counts, &error);
}

SEC("tp_btf/xdp_exception")
int count_exception(__u64 *ctx)
{
	return count((const void *)ctx[0], (const void *)ctx[1], (__u32)ctx[2]);
}

/* Includes redirects through a map: xdp_redirect_map_err is unused since Linux 5.6 (include/trace/events/xdp.h). */
SEC("tp_btf/xdp_redirect_err")
int count_redirect_error(__u64 *ctx)
{
	return count((const void *)ctx[0], (const void *)ctx[1], -(int)ctx[3]);
}
