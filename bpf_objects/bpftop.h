/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Structs and limits that both sides share: the BPF programs write the structs, user space reads them. Plain C types
 * and explicit sizes, because cffi reads this file too. docs/counting.md says what every cell means. */
#ifndef BPFTOP_H
#define BPFTOP_H

#define PROTOCOL_ARP 256
#define PROTOCOL_LLDP 257
#define PROTOCOL_MPLS 258
#define PROTOCOL_PPPOE 259
#define PROTOCOL_OTHER_ETHERTYPE 260
#define PROTOCOL_LENGTH_802_3 261
#define PROTOCOL_TRUNCATED 262
#define PROTOCOL_MALFORMED 263
#define PROTOCOLS 264

#define L3_IPV4 0
#define L3_IPV6 1
#define L3_ARP 2
#define L3_OTHER 3
#define L3_CLASSES 4

#define CAST_UNICAST 0
#define CAST_MULTICAST 1
#define CAST_BROADCAST 2
#define CASTS 3

#define SIZE_BINS 7

#define TCP_SYN 0
#define TCP_SYN_ACK 1
#define TCP_FIN 2
#define TCP_RST 3
#define TCP_OTHER 4
#define TCP_CLASSES 5

#define UDP_PORTS 7

#define ICMP_TYPES 256

#define FRAGMENT_FIRST 0
#define FRAGMENT_LATER 1
#define FRAGMENT_PARTS 2

#define VLAN_DEPTHS 2

struct cell {
	unsigned long long packets;
	unsigned long long bytes;
};

/* One per-CPU array holds all counters of a program, in a few large rows that user space reads with one batch call: 264
 * rows of one cell each took 65 us, these take 6. */
#define ROW_COMMON 0
#define ROW_PROTOCOLS 1 /* cell: protocol number */
#define ROW_ICMP 2	/* cell: type */
#define ROW_ICMPV6 3
#define COUNTER_ROWS 4
#define ROW_CELLS 296

/* Classes of plain frames: TCP, then UDP without a reflection port, then the reflection ports, then ICMP or
 * ICMPv6. */
#define PLAIN_UDP 5
#define PLAIN_ICMP 13
#define PLAIN_CLASSES 14
#define PLAIN_L3_CLASSES 2

/* Row 0. A plain frame (unicast, at most one VLAN tag; TCP, UDP or ICMP directly behind an IPv4 header without options
 * or an IPv6 header; no fragment) is counted in `plain`, and beside that only in its tag's and ICMP type's cell: user
 * space adds it to the protocol, joint, TCP and port cells, in which every other frame is counted here. The size bins
 * are the innermost index so that the two cells of a super-frame share a cache line. */
struct common_counters {
	struct cell plain[PLAIN_L3_CLASSES][PLAIN_CLASSES][SIZE_BINS];
	struct cell joint[L3_CLASSES][CASTS][SIZE_BINS];
	struct cell tcp_flags[TCP_CLASSES];
	struct cell udp_ports[UDP_PORTS];
	struct cell fragments[FRAGMENT_PARTS];
	struct cell vlans[VLAN_DEPTHS];
};

struct counter_row {
	struct cell cells[ROW_CELLS];
};

#define FLOW_WAYS 8
#define FLOW_BUCKETS_MAX 4096
#define FLOW_MIX 0x9e3779b97f4a7c15ull /* of the hash of a flow: 2^64 divided by the golden ratio */

/* The 5-tuple of a flow. Addresses and ports are in network byte order, IPv4 as ::ffff:a.b.c.d (RFC 4291); ports are
 * 0 where none was read: later fragments, and all protocols but TCP and UDP. */
struct flow_key {
	unsigned long long saddr[2];
	unsigned long long daddr[2];
	unsigned short sport;
	unsigned short dport;
	unsigned char l4_proto;
	unsigned char padding[3];
};

/* Counts of a flow on one CPU. Times are CLOCK_MONOTONIC of the last read of the table before. */
struct flow_counts {
	unsigned long long packets;
	unsigned long long bytes;
	unsigned long long first_ns;
	unsigned long long last_ns;
};

/* The flows of one CPU whose hashes choose this bucket. */
struct flow_bucket {
	unsigned long long hashes[FLOW_WAYS]; /* 0: a free place */
	struct flow_key keys[FLOW_WAYS];
	struct flow_counts counts[FLOW_WAYS];
	unsigned long long evicted; /* flows that gave way to others */
};

#endif
