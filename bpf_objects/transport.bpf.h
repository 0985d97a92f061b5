/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parsers of TCP, UDP and ICMP. */
#ifndef TRANSPORT_BPF_H
#define TRANSPORT_BPF_H

#include "cursor.bpf.h"

/* Tables instead of branches: a value from a table is one unknown value to the verifier, where branches would
 * multiply the paths that it walks. */

/* The seven ports in the slots of a perfect hash over their network byte order. `number` is 1 more than the index in
 * udp_ports. */
#define PORT_SLOT(port) ((__u32)(port)*313 >> 9 & 7)
const struct port_slot {
	__be16 port;
	__u16 number;
} port_slots[8] = {
	{ 0, 0 }, /* port 0 falls here, into no cell */
	{ bpf_htons(123), 3 },
	{ bpf_htons(1900), 6 },
	{ bpf_htons(11211), 7 },
	{ bpf_htons(161), 4 },
	{ bpf_htons(19), 1 },
	{ bpf_htons(53), 2 },
	{ bpf_htons(389), 5 },
};

#define TCP_CLASS_FLAGS 0x17 /* FIN 1, SYN 2, RST 4, ACK 16 */
const __u8 tcp_classes[TCP_CLASS_FLAGS + 1] = {
	[0] = TCP_OTHER,  [1] = TCP_FIN,  [2 ... 3] = TCP_SYN,	     [4 ... 7] = TCP_RST,
	[16] = TCP_OTHER, [17] = TCP_FIN, [18 ... 19] = TCP_SYN_ACK, [20 ... 23] = TCP_RST,
};

/* 1 + index of a reflection port, 0 for any other port. */
static __always_inline __u32 reflection_port(__be16 port)
{
	const struct port_slot *slot = &port_slots[PORT_SLOT(port)];

	return slot->port == port ? slot->number : 0;
}

static __always_inline void flow_ports(struct flow_key *flow, const struct ports *ports)
{
	flow->sport = ports->source;
	flow->dport = ports->destination;
}

static __always_inline parsed_t parse_tcp(struct cursor *c, parsed_t parsed, __u32 left)
{
	__u8 scratch[2], *offset_flags;
	__u32 header;

	if (left < 20)
		return malformed(parsed);
	if (!reach(c, c->at + 12, sizeof(scratch), scratch, (void **)&offset_flags))
		return short_of(c, parsed, 14);
	header = offset_flags[0] >> 2 & 0x3c;
	/* Options of a first fragment may go on in the next one. */
	if (header < 20 || (header > left && !FRAGMENT_OF(parsed)))
		return malformed(parsed);
	c->headers = c->at + (header < left ? header : left);
	if (WRITES_FLOW(c)) {
		struct ports copy, *ports;

		if (reach(c, c->at, sizeof(copy), &copy,
			  (void **)&ports)) /* always: what comes behind them was there */
			flow_ports(c->flow, ports);
	}
	return parsed | L4_TCP |
	       PARSED_DETAIL(ROW_COMMON, CELL(tcp_flags) + tcp_classes[offset_flags[1] & TCP_CLASS_FLAGS]);
}

static __always_inline parsed_t parse_udp(struct cursor *c, parsed_t parsed, __u32 left, int tx)
{
	struct ports scratch, *udp;
	__u32 length, port;

	if (left < 8)
		return malformed(parsed);
	if (!reach(c, c->at, sizeof(scratch), &scratch, (void **)&udp))
		return short_of(c, parsed, sizeof(scratch));
	length = bpf_ntohs(udp->length);
	if (length < 8 && (length || left <= 65535))
		return malformed(parsed);
	c->headers = c->at + 8;
	if (WRITES_FLOW(c))
		flow_ports(c->flow, udp);
	port = reflection_port(tx ? udp->destination : udp->source);
	return parsed | L4_UDP | (port ? PARSED_DETAIL(ROW_COMMON, CELL(udp_ports) - 1 + port) : 0);
}

static __always_inline parsed_t parse_icmp(struct cursor *c, parsed_t parsed, __u32 left, __u32 least, __u32 row)
{
	__u8 scratch[1], *type;

	if (left < least)
		return malformed(parsed);
	if (!reach(c, c->at, sizeof(scratch), scratch, (void **)&type))
		return short_of(c, parsed, sizeof(scratch));
	return parsed | (row == ROW_ICMP ? L4_ICMP : L4_ICMPV6) | PARSED_DETAIL(row, *type);
}

static __always_inline parsed_t parse_transport(struct cursor *c, parsed_t parsed, __u32 left, __u32 protocol, int tx,
						int is_ipv6)
{
	c->headers = c->at;
	if (protocol == L4_TCP)
		return parse_tcp(c, parsed, left);
	if (protocol == L4_UDP)
		return parse_udp(c, parsed, left, tx);
	if (protocol == L4_ICMP && !is_ipv6)
		return parse_icmp(c, parsed, left, 8, ROW_ICMP);
	if (protocol == L4_ICMPV6 && is_ipv6)
		return parse_icmp(c, parsed, left, 4, ROW_ICMPV6);
	return parsed | protocol;
}

#endif
