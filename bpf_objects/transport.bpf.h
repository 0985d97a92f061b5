/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parsers of TCP, UDP and ICMP. */
#ifndef TRANSPORT_BPF_H
#define TRANSPORT_BPF_H

#include "cursor.bpf.h"

/* Tables instead of branches, here and below: what is read from a table is one unknown value to the verifier, where
 * branches would multiply the paths it walks (94 000 instructions with branches, see `make bench` for what is left). */

/* The seven ports in the slots of a perfect hash over their network byte order. */
#define PORT_SLOT(port) ((__u32)(port)*313 >> 9 & 7)
const struct port_slot {
	__be16 port;
	__u16 cell;
} port_slots[8] = {
	{ 0, 0 }, /* port 0 falls here, into no cell */
	{ bpf_htons(123), CELL(udp_ports[2]) },
	{ bpf_htons(1900), CELL(udp_ports[5]) },
	{ bpf_htons(11211), CELL(udp_ports[6]) },
	{ bpf_htons(161), CELL(udp_ports[3]) },
	{ bpf_htons(19), CELL(udp_ports[0]) },
	{ bpf_htons(53), CELL(udp_ports[1]) },
	{ bpf_htons(389), CELL(udp_ports[4]) },
};

#define TCP_CLASS_FLAGS 0x17 /* FIN 1, SYN 2, RST 4, ACK 16 */
const __u8 tcp_classes[TCP_CLASS_FLAGS + 1] = {
	[0] = TCP_OTHER,  [1] = TCP_FIN,  [2 ... 3] = TCP_SYN,	     [4 ... 7] = TCP_RST,
	[16] = TCP_OTHER, [17] = TCP_FIN, [18 ... 19] = TCP_SYN_ACK, [20 ... 23] = TCP_RST,
};

/* 1 where a 16-bit value is 0, else 0, without a branch. */
static __always_inline __u32 is_zero16(__u32 value)
{
	return (value - 1) >> 31;
}

static __always_inline void flow_ports(struct flow_key *flow, const struct ports *ports)
{
	flow->sport = ports->source;
	flow->dport = ports->destination;
}

static __always_inline int parse_tcp(struct cursor *c, struct parsed *p, __u32 left)
{
	__u8 scratch[2], *offset_flags;
	__u32 header;

	if (left < 20)
		return malformed(p);
	offset_flags = peek(c, c->at + 12, sizeof(scratch), scratch);
	if (!offset_flags)
		return short_of(c, p, 14);
	header = (offset_flags[0] >> 4) * 4;
	/* Options of a first fragment may go on in the next one. */
	if (header < 20 || (header > left && !p->fragment))
		return malformed(p);
	p->detail = CELL(tcp_flags) + tcp_classes[offset_flags[1] & TCP_CLASS_FLAGS];
	p->headers = c->at + (header < left ? header : left);
	if (FLOWS) {
		struct ports copy, *ports = peek(c, c->at, sizeof(copy), &copy);

		if (ports) /* always: what comes behind them was there */
			flow_ports(&p->flow, ports);
	}
	return as(p, L4_TCP);
}

static __always_inline int parse_udp(struct cursor *c, struct parsed *p, __u32 left, int tx)
{
	struct ports scratch, *udp;
	__u32 length, slot;
	__be16 port;

	if (left < 8)
		return malformed(p);
	udp = peek(c, c->at, sizeof(scratch), &scratch);
	if (!udp)
		return short_of(c, p, sizeof(scratch));
	length = bpf_ntohs(udp->length);
	if (length < 8 && (length || left <= 65535))
		return malformed(p);
	port = tx ? udp->destination : udp->source;
	slot = PORT_SLOT(port);
	p->detail = port_slots[slot].cell * is_zero16(port ^ port_slots[slot].port);
	p->headers = c->at + 8;
	if (FLOWS)
		flow_ports(&p->flow, udp);
	return as(p, L4_UDP);
}

static __always_inline int parse_icmp(struct cursor *c, struct parsed *p, __u32 left, __u32 least, __u32 protocol)
{
	__u8 scratch[1], *type;

	if (left < least)
		return malformed(p);
	type = peek(c, c->at, sizeof(scratch), scratch);
	if (!type)
		return short_of(c, p, sizeof(scratch));
	p->detail = (protocol == L4_ICMP ? CELL(icmp) : CELL(icmpv6)) + *type;
	return as(p, protocol);
}

static __always_inline int parse_transport(struct cursor *c, struct parsed *p, __u32 left, __u32 protocol, int tx)
{
	p->headers = c->at;
	if (protocol == L4_TCP)
		return parse_tcp(c, p, left);
	if (protocol == L4_UDP)
		return parse_udp(c, p, left, tx);
	if (protocol == L4_ICMP && p->l3 == L3_IPV4)
		return parse_icmp(c, p, left, 8, L4_ICMP);
	if (protocol == L4_ICMPV6 && p->l3 == L3_IPV6)
		return parse_icmp(c, p, left, 4, L4_ICMPV6);
	return as(p, protocol);
}

#endif
