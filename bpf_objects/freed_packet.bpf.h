/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The freed packet of the tracepoint skb:kfree_skb, as the programs on it see it: the fields of struct sk_buff that any
 * of them reads, and the constants of the running kernel. */
#ifndef FREED_PACKET_BPF_H
#define FREED_PACKET_BPF_H

#include <bpf/bpf_endian.h>

#include "headers.bpf.h"
#include "watched.bpf.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock_common {
	possible_net_t skc_net;
};

struct sock {
	struct sock_common __sk_common;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	int skb_iif;
	__be16 protocol;
	__be16 vlan_proto;
	__u16 vlan_tci;
	__u16 network_header;
	__u16 mac_header;
	unsigned int tail;
	unsigned char *head;
	unsigned char *data;
};

#pragma clang attribute pop

/* Numbers of the running kernel, which change from release to release. */
const volatile __u32 not_specified = 0;
const volatile __u32 consumed = 0;
const volatile __u32 has_rx_sk = 0; /* the tracepoint names the socket that refused the packet: Linux 6.11 */

/* Return 1 for a packet of IPv4 or IPv6. Messages of Unix and netlink sockets are freed with reasons too
 * (SOCKET_CLOSE), and are no packets. */
static __always_inline int is_ip(const struct sk_buff *skb)
{
	__be16 protocol = skb->protocol;

	return protocol == bpf_htons(ETHERTYPE_IPV4) || protocol == bpf_htons(ETHERTYPE_IPV6);
}

/* Return the number of the namespace of the packet's device; 0 where there is none (any more). In a socket's queue
 * other things stand in the place of skb->dev (union with dev_scratch and rbnode): the number read through them is 0
 * or not the number of a namespace. */
static __always_inline __u32 namespace_of_device(const struct net_device *dev)
{
	return dev ? dev->nd_net.net->ns.inum : 0;
}

/* Return the number of the namespace of a packet that has no device (any more): the namespace of its socket, or else of
 * the socket that refused it. */
static __always_inline __u32 namespace_of_socket(__u64 *ctx, const struct sk_buff *skb)
{
	const struct sock *sk = skb->sk;

	if (!is_ip(skb))
		return 0;
	if (!sk && has_rx_sk)
		sk = (const void *)ctx[3];
	return sk ? sk->__sk_common.skc_net.net->ns.inum : 0;
}

/* Return 1 if the kernel says why it frees the packet, so that the packet counts as dropped. */
static __always_inline int is_drop(__u32 reason)
{
	return reason != not_specified && reason != consumed;
}

/* Return 1 if the packet belongs to the watched namespace. Write the number of its device; `ifindex` keeps its value
 * where the packet has no device (any more). */
static __always_inline int is_in_watched_namespace(__u64 *ctx, const struct sk_buff *skb, __u32 *ifindex)
{
	const struct net_device *dev = skb->dev;
	__u32 inum = namespace_of_device(dev);

	if (dev && inum == netns) {
		*ifindex = dev->ifindex;
		return 1;
	}
	return inum < NETNS_FIRST && namespace_of_socket(ctx, skb) == netns;
}

#endif
