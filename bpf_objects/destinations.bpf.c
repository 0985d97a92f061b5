// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Count packets in trouble by their destination, for some seconds while counters say that there are such packets: those
 * that have no route, and those whose TTL ends here. One program of this object is loaded at a time, with a map of its
 * own. */
#include "watched.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define RT_TABLE_MAIN 254
#define LOOPBACK_IFINDEX 1 /* flowic_iif of a look-up for a packet of this host (ip_route_output_key_hash) */
#define RTN_BLACKHOLE 6
#define SKB_DST_PTRMASK (~7UL) /* the bits of _skb_refdst that are no pointer (include/linux/skbuff.h) */
#define RTF_REJECT 0x0200      /* fib6_flags of no route at all, and of unreachable, prohibit and blackhole routes */
#define IPPROTO_UDP 17
/* Errors of blackhole, unreachable and prohibit routes (fib_props in net/ipv4/fib_semantics.c) */
#define EACCES 13
#define EINVAL 22
#define EHOSTUNREACH 113

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct flowi_common {
	int flowic_iif;
	__u8 flowic_proto;
};

struct flowi4 {
	struct flowi_common __fl_common;
	__u32 saddr;
	__u32 daddr;
};

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct flowi6 {
	struct flowi_common __fl_common;
	struct in6_addr daddr;
	struct in6_addr saddr;
};

struct fib6_table {
	__u32 tb6_id;
};

struct fib6_info;

struct fib6_result {
	struct fib6_info *f6i;
	__u32 fib6_flags;
	__u32 fib6_type;
};

struct netns_ipv6 {
	struct fib6_info *fib6_null_entry;
};

struct net___ipv6 {
	struct netns_ipv6 ipv6;
};

struct nsproxy {
	struct net *net_ns;
};

struct task_struct {
	struct nsproxy *nsproxy;
};

struct dst_entry {
	short error;
};

struct sk_buff {
	struct net_device *dev;
	unsigned long _skb_refdst;
	unsigned char *head;
	__u16 network_header;
};

#pragma clang attribute pop

const volatile __u32 expired = 0; /* the kernel's number of SKB_DROP_REASON_IP_INHDR */

/* An IPv4 address has zeros in the last three words. Of packets that are forwarded no process is known. */
struct destination {
	__u32 version;
	__u32 address[4];
	char process[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, ROWS_MAX);
	__type(key, struct destination);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline int runs_in_watched_namespace(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->nsproxy->net_ns->ns.inum == netns;
}

/* Count a destination, and the running process, if that is in the watched namespace. */
static __always_inline int add_destination(struct destination *destination)
{
	if (!runs_in_watched_namespace())
		return 0;
	bpf_get_current_comm(destination->process, sizeof(destination->process));
	return add_one(&counts, destination);
}

static __always_inline int has_ipv6_source(const struct flowi6 *flow)
{
	__u32 source = 0;

#pragma unroll
	for (int i = 0; i < 4; i++)
		source |= flow->saddr.in6_u.u6_addr32[i];
	return source != 0;
}

/* Every look-up in a table of routes. The one in the main table decides, where no table after it has a route. A source
 * is known only of connections, and of look-ups for the reverse path filter. */
SEC("tp_btf/fib_table_lookup")
int count_unrouted(__u64 *ctx)
{
	const struct flowi4 *flow = (const void *)ctx[1];
	struct destination destination = { .version = 4 };

	if ((__u32)ctx[0] != RT_TABLE_MAIN || !(int)ctx[3] || flow->saddr ||
	    flow->__fl_common.flowic_iif != LOOPBACK_IFINDEX)
		return 0;
	destination.address[0] = flow->daddr;
	return add_destination(&destination);
}

/* The same for IPv6. A packet whose source is not chosen yet is looked up twice: the second time with a source, if the
 * host has one (ip6_dst_lookup_tail). */
SEC("tp_btf/fib6_table_lookup")
int count_unrouted_ipv6(__u64 *ctx)
{
	const struct fib6_result *result = (const void *)ctx[1];
	const struct fib6_table *table = (const void *)ctx[2];
	const struct flowi6 *flow = (const void *)ctx[3];
	struct destination destination = { .version = 6 };

	if (table->tb6_id != RT_TABLE_MAIN || !(result->fib6_flags & RTF_REJECT) ||
	    flow->__fl_common.flowic_iif != LOOPBACK_IFINDEX || has_ipv6_source(flow))
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++)
		destination.address[i] = flow->daddr.in6_u.u6_addr32[i];
	return add_destination(&destination);
}

/* Count packets and connection requests of this host that a route refuses. No counter of the kernel has them:
 * OutNoRoutes is for ENETUNREACH alone (ip_route_output_flow's callers). A segment of an open connection is in
 * OutNoRoutes whatever the error is (__ip_queue_xmit); its look-up has a source, as has one of the reverse path filter,
 * which has no protocol. */
SEC("tp_btf/fib_table_lookup")
int count_rejected(__u64 *ctx)
{
	const struct flowi4 *flow = (const void *)ctx[1];
	struct destination destination = { .version = 4 };
	int error = -(int)ctx[3];

	if (error != EINVAL && error != EHOSTUNREACH && error != EACCES)
		return 0;
	if (flow->__fl_common.flowic_iif != LOOPBACK_IFINDEX)
		return 0;
	if (flow->saddr && flow->__fl_common.flowic_proto != IPPROTO_UDP)
		return 0;
	return runs_in_watched_namespace() ? add_one(&counts, &destination) : 0;
}

/* The same for IPv6. "No route at all" is the null entry, and in Ip6OutNoRoutes. Packets of sockets that are bound to
 * an address are not counted: their look-up is like the second one of other packets. */
SEC("tp_btf/fib6_table_lookup")
int count_rejected_ipv6(__u64 *ctx)
{
	const struct net___ipv6 *net = (const void *)ctx[0];
	const struct fib6_result *result = (const void *)ctx[1];
	const struct flowi6 *flow = (const void *)ctx[3];
	struct destination destination = { .version = 6 };

	if (!(result->fib6_flags & RTF_REJECT) || result->f6i == net->ipv6.fib6_null_entry ||
	    flow->__fl_common.flowic_iif != LOOPBACK_IFINDEX || has_ipv6_source(flow))
		return 0;
	return runs_in_watched_namespace() ? add_one(&counts, &destination) : 0;
}

/* Count received packets that a blackhole or prohibit route refuses, as they are dropped with that route (ip_error).
 * Packets without a route, and IPv6 packets to a prohibit or unreachable route, are in InNoRoutes; EHOSTUNREACH is also
 * the error of a host that does not forward. */
SEC("tp_btf/kfree_skb")
int count_rejected_forwards(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	const struct net_device *dev = skb->dev;
	const struct dst_entry *dst = (const void *)(skb->_skb_refdst & SKB_DST_PTRMASK);
	struct destination destination = { .version = 4 };
	short error = 0;

	if (!dst || !dev || dev->nd_net.net->ns.inum != netns)
		return 0;
	bpf_probe_read_kernel(&error, sizeof(error), &dst->error);
	return error == EINVAL || error == EACCES ? add_one(&counts, &destination) : 0;
}

/* The same for IPv6, whose look-up knows the namespace. */
SEC("tp_btf/fib6_table_lookup")
int count_rejected_forwards_ipv6(__u64 *ctx)
{
	const struct net *net = (const void *)ctx[0];
	const struct fib6_result *result = (const void *)ctx[1];
	const struct flowi6 *flow = (const void *)ctx[3];
	struct destination destination = { .version = 6 };

	if (result->fib6_type != RTN_BLACKHOLE || flow->__fl_common.flowic_iif == LOOPBACK_IFINDEX ||
	    net->ns.inum != netns)
		return 0;
	return add_one(&counts, &destination);
}

SEC("tp_btf/kfree_skb")
int count_expired(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	const struct net_device *dev = skb->dev;
	struct destination destination = {};
	const unsigned char *header;
	__u8 first = 0;

	if ((__u32)ctx[2] != expired || !dev || dev->nd_net.net->ns.inum != netns)
		return 0;
	header = skb->head + skb->network_header;
	bpf_probe_read_kernel(&first, 1, header);
	destination.version = first >> 4;
	if (destination.version == 4)
		bpf_probe_read_kernel(destination.address, 4, header + 16);
	else
		bpf_probe_read_kernel(destination.address, 16, header + 24);
	return add_one(&counts, &destination);
}
