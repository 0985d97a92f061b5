/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow inside a tunnel: VXLAN, Geneve, GRE, IP in IP; one level, at tc, on request. */
#ifndef INNER_BPF_H
#define INNER_BPF_H

#include "cursor.bpf.h"

#define L4_IPV4 4
#define L4_IPV6 41
#define L4_GRE 47
#define VXLAN_PORT 4789
#define GENEVE_PORT 6081
#define ETHERTYPE_ETHERNET 0x6558 /* transparent Ethernet bridging */
#define NO_INNER 256		  /* no protocol of IP has this number */

const volatile __u32 flow_inner = 0;

struct ip_place {
	__u32 at; /* of the IP header; then of the header behind it */
	__u32 ethertype;
};

/* Write addresses (and ports) of the IP header at `place`, and move there behind it. Returns the protocol or NO_INNER.
 */
static __noinline __u32 read_ip(struct __sk_buff *skb, struct ip_place *place, struct flow_key *flow)
{
	union {
		struct ipv4_header v4;
		struct ipv6_header v6;
		struct ports ports;
	} header = {};
	__u32 protocol;

	if (!place || !flow)
		return NO_INNER;
	__builtin_memset(flow, 0, sizeof(*flow));
	if (place->ethertype == ETHERTYPE_IPV4) {
		if (bpf_skb_load_bytes(skb, place->at, &header.v4, sizeof(header.v4)) ||
		    header.v4.version_ihl >> 4 != 4)
			return NO_INNER;
		flow_from_ipv4(flow, &header.v4);
		place->at += (header.v4.version_ihl & 15) * 4;
		protocol = header.v4.protocol;
		if (header.v4.fragment & bpf_htons(0x1fff))
			return protocol;
	} else if (place->ethertype == ETHERTYPE_IPV6) {
		if (bpf_skb_load_bytes(skb, place->at, &header.v6, sizeof(header.v6)) ||
		    header.v6.version_class >> 4 != 6)
			return NO_INNER;
		flow_from_ipv6(flow, &header.v6);
		place->at += sizeof(header.v6);
		protocol = header.v6.next;
	} else {
		return NO_INNER;
	}
	if ((protocol == L4_TCP || protocol == L4_UDP) && !bpf_skb_load_bytes(skb, place->at, &header.ports, 4)) {
		flow->sport = header.ports.source;
		flow->dport = header.ports.destination;
	}
	return protocol;
}

/* Move to the IP header of what the tunnel carries; return 0 where that is none. */
static __always_inline int enter_tunnel(struct __sk_buff *skb, struct ip_place *place, __u32 protocol, __be16 port)
{
	__u8 bytes[8];

	place->ethertype = protocol == L4_IPV4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6;
	if (protocol == L4_IPV4 || protocol == L4_IPV6)
		return 1;
	if (protocol == L4_GRE) {
		if (bpf_skb_load_bytes(skb, place->at, bytes, 4))
			return 0;
		place->ethertype = (__u32)bytes[2] << 8 | bytes[3];
		place->at += 4 + (bytes[0] >> 7 & 1) * 4 + (bytes[0] >> 5 & 1) * 4 + (bytes[0] >> 4 & 1) * 4;
	} else if (protocol == L4_UDP && port == bpf_htons(VXLAN_PORT)) {
		place->ethertype = ETHERTYPE_ETHERNET;
		place->at += 8 + 8;
	} else if (protocol == L4_UDP && port == bpf_htons(GENEVE_PORT)) {
		if (bpf_skb_load_bytes(skb, place->at + 8, bytes, sizeof(bytes)))
			return 0;
		place->ethertype = (__u32)bytes[2] << 8 | bytes[3];
		place->at += 8 + 8 + (bytes[0] & 0x3f) * 4;
	} else {
		return 0;
	}
	if (place->ethertype == ETHERTYPE_ETHERNET) {
		if (bpf_skb_load_bytes(skb, place->at + 12, bytes, 2))
			return 0;
		place->ethertype = (__u32)bytes[0] << 8 | bytes[1];
		place->at += ETH_BYTES;
	}
	return 1;
}

/* Write the inner flow of a tunnelled packet; return its protocol, or NO_INNER for any other packet. */
static __always_inline __u32 find_inner(struct __sk_buff *skb, struct flow_key *flow, __u32 is_bare_ip)
{
	struct ip_place place = {};
	__u8 bytes[2] = {};
	__u32 protocol;

	if (is_bare_ip) {
		if (bpf_skb_load_bytes(skb, 0, bytes, 1))
			return NO_INNER;
		place.ethertype = bytes[0] >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
	} else {
		if (bpf_skb_load_bytes(skb, 12, bytes, sizeof(bytes)))
			return NO_INNER;
		place.ethertype = (__u32)bytes[0] << 8 | bytes[1];
		place.at = ETH_BYTES;
	}
	protocol = read_ip(skb, &place, flow);
	if (protocol == NO_INNER || !enter_tunnel(skb, &place, protocol, flow->dport))
		return NO_INNER;
	return read_ip(skb, &place, flow);
}

#endif
