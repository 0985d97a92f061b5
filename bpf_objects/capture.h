/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of captured packets, shared with user space. */
#ifndef CAPTURE_H
#define CAPTURE_H

#define CAPTURE_MOST_BYTES 16384 /* of a packet; with the record's header below the 32 KiB of a per-CPU value */

#define CAPTURE_RX 0
#define CAPTURE_TX 1

/* Sides of a flow that a filter names. */
#define CAPTURE_A_ADDRESS 1
#define CAPTURE_A_PORT 2
#define CAPTURE_B_ADDRESS 4
#define CAPTURE_B_PORT 8

#define CAPTURE_ANY_PROTOCOL 256 /* of IP: none has this number */

/* A record of the ring: this header, then `captured` bytes of the packet from its outermost header on. */
struct captured_packet {
	unsigned long long time_ns;  /* CLOCK_MONOTONIC */
	unsigned long long location; /* drops: the address of the code that dropped the packet; else 0 */
	unsigned int ifindex;	     /* 0: on no interface (yet) */
	unsigned int reason;	     /* drops: enum skb_drop_reason */
	unsigned int cpu;
	unsigned int length; /* of the packet, at most the length of a super-frame */
	unsigned int captured;
	unsigned int segments;	  /* packets on the wire in a super-frame; else 0 or 1 */
	unsigned short vlan_tci;  /* the tag that the kernel keeps beside the packet */
	unsigned short vlan_type; /* its ethertype, in host byte order; 0: no tag */
	unsigned char direction;
	unsigned char is_ip; /* the packet begins with its IP header */
	unsigned char padding[2];
};

/* Counts of one CPU, of packets that passed the filter and were chosen (1 in N). */
struct capture_counts {
	unsigned long long matched;
	unsigned long long over_rate; /* left out for the limit of packets per second */
	unsigned long long ring_full; /* left out because nobody read the ring in time */
	unsigned long long spent_ns;  /* in the program; includes packets that the filter refuses */
};

#endif
