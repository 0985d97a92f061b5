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

const volatile __u32 wanted_reason_0 = ANY_REASON, wanted_reason_1 = ANY_REASON, wanted_reason_2 = ANY_REASON,
		     wanted_reason_3 = ANY_REASON, wanted_reason_4 = ANY_REASON, wanted_reason_5 = ANY_REASON;

/* The verifier removes the comparisons that the constants decide. */
static __always_inline int is_wanted_reason(__u32 reason)
{
	if (wanted_reason_0 == ANY_REASON)
		return is_drop(reason);
	return reason == wanted_reason_0 || reason == wanted_reason_1 || reason == wanted_reason_2 ||
	       reason == wanted_reason_3 || reason == wanted_reason_4 || reason == wanted_reason_5;
}

/* Write the interface of the packet; return 0 for a packet of another namespace or of an interface that nobody watches.
 */
static __always_inline int find_interface(__u64 *ctx, const struct sk_buff *skb, struct captured_packet *packet)
{
	__u32 received_on = skb->skb_iif, ifindex = received_on;

	if (!is_in_watched_namespace(ctx, skb, &ifindex))
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

/* Write the packet to the scratch. Return how many of its bytes were copied; 0 for a packet that is not watched. */
static __always_inline __u32 copy_packet(__u64 *ctx, struct scratch *scratch)
{
	const struct sk_buff *skb = (const void *)ctx[0];
	__u32 begin, data, copied, most = bytes_to_copy();
	struct captured_packet *packet = &scratch->packet;
	__u16 mac, network;

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
	packet->reason = (__u32)ctx[2];
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
	return copied;
}

SEC("tp_btf/kfree_skb")
int capture_drop(__u64 *ctx)
{
	struct scratch *scratch;

	if (!is_wanted_reason((__u32)ctx[2]) || !is_chosen())
		return 0;
	scratch = begin_packet();
	if (scratch)
		finish_packet(scratch, copy_packet(ctx, scratch));
	return 0;
}
