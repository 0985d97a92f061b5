/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers and headers in packets, in network byte order. IEEE 802.3 and 802.1Q, RFC 791, 8200, 9293, 768.
 */
#ifndef HEADERS_BPF_H
#define HEADERS_BPF_H

#include <linux/bpf.h>

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_MULTICAST 0x8848
#define ETHERTYPE_PPPOE_DISCOVERY 0x8863
#define ETHERTYPE_PPPOE_SESSION 0x8864
#define ETHERTYPE_QINQ 0x88a8
#define ETHERTYPE_LLDP 0x88cc
#define ETHERTYPE_FIRST 0x0600 /* below: an 802.3 length */

#define L4_HOP_BY_HOP 0
#define L4_ICMP 1
#define L4_TCP 6
#define L4_UDP 17
#define L4_ROUTING 43
#define L4_FRAGMENT 44
#define L4_ICMPV6 58
#define L4_DESTINATION 60
#define L4_MOBILITY 135

#define IPV6_CHAIN_MAX 8
#define ETH_BYTES 14
#define VLAN_BYTES 4
#define VLAN_TAGS_MAX 2
#define ETH_TAGGED_BYTES (ETH_BYTES + VLAN_TAGS_MAX * VLAN_BYTES)

struct ipv4_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__u8 source[4];
	__u8 destination[4];
};

struct ipv6_header {
	__u8 version_class;
	__u8 flow[3];
	__be16 payload_length;
	__u8 next;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
};

struct ports {
	__be16 source;
	__be16 destination;
	__be16 length; /* UDP */
};

#endif
