// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Copies packets that the kernel frees with a reason to user space, in the watched network namespace. */
#include "capture.bpf.h"
#include <bpf/bpf_core_read.h>

#include "freed_packet.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define NO_HEADER 0xffff /* of sk_buff.mac_header */
#define ANY_REASON 0xffffffff

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff___with_vlan_all {
	__u32 vlan_all;
};

#pragma clang attribute pop

const volatile __u32 wanted_reason = ANY_REASON;

/* Write the interface of the packet; return 0 for a packet of another namespace or of an interface that nobody watches.
 */
static __always_inline int find_interface(__u64 *ctx, const struct sk_buff *skb, struct captured_packet *packet)
{
	const struct net_device *dev = skb->dev;
	__u32 inum = namespace_of_device(dev), received_on = skb->skb_iif, ifindex = received_on;

	if (dev && inum == netns)
		ifindex = dev->ifindex;
	else if (inum >= NETNS_FIRST || namespace_of_socket(ctx, skb) != netns)
		return 0;
	if (ifindex && !bpf_map_lookup_elem(&watched, &ifindex))
		return 0;
	packet->ifindex = ifindex;
	packet->direction = received_on && received_on == ifindex ? CAPTURE_RX : CAPTURE_TX;
	return 1;
}

static __always_inline __u16 vlan_type(const struct sk_buff *skb)
{
	/* Since Linux 6.2 an absent tag is 0; before, an old tag may stand there. */
	return bpf_core_field_exists(((struct sk_buff___with_vlan_all *)skb)->vlan_all) ? bpf_ntohs(skb->vlan_proto)
											: 0;
}

SEC("tp_btf/kfree_skb")
int capture_drop(__u64 *ctx)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	__u32 reason = (__u32)ctx[2], begin, data, copied, most = bytes_to_copy();
	struct captured_packet *packet;
	struct scratch *scratch;
	__u16 mac, network;

	if (wanted_reason == ANY_REASON ? reason == not_specified || reason == consumed : reason != wanted_reason)
		return 0;
	if (!is_chosen())
		return 0;
	scratch = get_scratch();
	if (!scratch)
		return 0;
	packet = &scratch->packet;
	if (!find_interface(ctx, skb, packet))
		return 0;
	mac = skb->mac_header;
	network = skb->network_header;
	data = skb->data - skb->head;
	begin = network ? network : data;
	if (mac != NO_HEADER && mac + ETH_BYTES <= network)
		begin = mac;
	if (data < begin) /* a link-layer header that is written but not marked yet */
		begin = data;
	packet->is_ip = begin + ETH_BYTES > network;
	if (skb->tail < begin)
		return 0;
	packet->location = ctx[1];
	packet->reason = reason;
	packet->length = skb->len + data - begin;
	packet->segments = 0;
	packet->vlan_tci = skb->vlan_tci;
	packet->vlan_type = vlan_type(skb);
	copied = skb->tail - begin;
	copied = copied < most ? copied : most;
	copied = copied < CAPTURE_MOST_BYTES ? copied : CAPTURE_MOST_BYTES;
	asm volatile("" : "+r"(copied));
	if (!copied || copied > CAPTURE_MOST_BYTES || bpf_probe_read_kernel(scratch->bytes, copied, skb->head + begin))
		return 0;
	send_packet(scratch, copied);
	return 0;
}
