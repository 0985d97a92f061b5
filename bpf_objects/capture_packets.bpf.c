// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Copies packets of one direction of one interface to user space, and passes them. */
#include "capture.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TCX_NEXT (-1)

const volatile __u32 capture_tx = 0;
const volatile __u32 link_is_ip = 0; /* frames begin with the IP header */

/* Write the packet to the scratch. Return how many of its bytes were copied; 0 where none could be read. */
static __always_inline __u32 copy_packet(struct __sk_buff *skb, struct scratch *scratch)
{
	__u32 copied = skb->len, most = bytes_to_copy();
	struct captured_packet *packet = &scratch->packet;

	copied = copied < most ? copied : most;
	if (!copied)
		return 0;
	/* Every verifier sees the bounds 1 and 16384 in this; a request is within them. */
	asm volatile("" : "+r"(copied));
	copied = ((copied - 1) & (CAPTURE_MOST_BYTES - 1)) + 1;
	if (bpf_skb_load_bytes(skb, 0, scratch->bytes, copied))
		return 0;
	packet->location = 0;
	packet->reason = 0;
	packet->ifindex = skb->ifindex;
	packet->length = skb->len;
	packet->segments = skb->gso_segs;
	packet->vlan_tci = skb->vlan_tci;
	packet->vlan_type = skb->vlan_present ? bpf_ntohs(skb->vlan_proto) : 0;
	packet->direction = capture_tx ? CAPTURE_TX : CAPTURE_RX;
	packet->is_ip = link_is_ip;
	return copied;
}

SEC("tc")
int capture_tc(struct __sk_buff *skb)
{
	struct scratch *scratch;

	if (!is_chosen())
		return TCX_NEXT;
	scratch = begin_packet();
	if (scratch)
		finish_packet(scratch, copy_packet(skb, scratch));
	return TCX_NEXT;
}
