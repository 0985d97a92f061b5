/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cursor parsers: each reads one header and says what comes next. docs/counting.md is the specification. */
#ifndef PARSE_BPF_H
#define PARSE_BPF_H

#include "transport.bpf.h"

/* The last next-header of an IPv6 chain. Global functions, because those are verified once, for any argument: inlined
 * and unrolled, eight headers exceed a million verified instructions. 5.10 lets them return a number only, so the
 * result is packed: the protocol, how the chain ended, and where. */
enum { CHAIN_WHOLE, CHAIN_FIRST_FRAGMENT, CHAIN_LATER_FRAGMENT, CHAIN_MALFORMED };
#define CHAIN_PACK(protocol, end, at) ((int)((at) << 10 | (end) << 8 | (protocol)))
#define CHAIN_PROTOCOL(chain) ((chain)&0xff)
#define CHAIN_END(chain) (((chain) >> 8) & 3)
#define CHAIN_AT(chain) ((__u32)(chain) >> 10)
#define CHAIN_AT_MAX 20000 /* 8 headers of at most 2048 bytes behind L2, tags and IPv6 */
static __always_inline int ipv6_chain(struct cursor *c, __u32 end, __u32 next);

/* The addresses at packet memory or at a copy; x86-64 and arm64 load words from any parsed. */
static __always_inline void flow_from_ipv4(struct flow_key *flow, const struct ipv4_header *ip)
{
	const __u64 mapped = 0xffff0000; /* bytes 8 to 11 of ::ffff:0:0/96, little endian */

	flow->saddr[0] = 0;
	flow->daddr[0] = 0;
	flow->saddr[1] = mapped | (__u64) * (const __u32 *)ip->source << 32;
	flow->daddr[1] = mapped | (__u64) * (const __u32 *)ip->destination << 32;
}

static __always_inline void flow_from_ipv6(struct flow_key *flow, const struct ipv6_header *ip)
{
	flow->saddr[0] = *(const __u64 *)ip->source;
	flow->saddr[1] = *(const __u64 *)(ip->source + 8);
	flow->daddr[0] = *(const __u64 *)ip->destination;
	flow->daddr[1] = *(const __u64 *)(ip->destination + 8);
}

/* A later fragment has no transport header; TCP's classes add up to TCP all the same. */
static __always_inline parsed_t later_fragment(struct cursor *c, parsed_t parsed, __u32 protocol)
{
	c->headers = c->at;
	parsed |= PARSED_FRAGMENT(FRAGMENT_LATER) | protocol;
	return protocol == L4_TCP ? parsed | PARSED_DETAIL(ROW_COMMON, CELL(tcp_flags[TCP_OTHER])) : parsed;
}

static __always_inline parsed_t cast_from_ipv4(const __u8 *destination)
{
	if ((destination[0] & 0xf0) == 0xe0)
		return PARSED_CAST(CAST_MULTICAST);
	if ((destination[0] & destination[1] & destination[2] & destination[3]) == 0xff)
		return PARSED_CAST(CAST_BROADCAST);
	return PARSED_CAST(CAST_UNICAST);
}

static __always_inline parsed_t parse_ipv4(struct cursor *c, parsed_t parsed, int tx, int cast_from_ip)
{
	__u32 have = c->length - c->at, header, total, fragment, protocol;
	struct ipv4_header scratch, *ip;

	parsed |= PARSED_L3(L3_IPV4);
	if (!reach(c, c->at, sizeof(scratch), &scratch, (void **)&ip))
		return short_of(c, parsed, sizeof(scratch));
	header = (ip->version_ihl & 0x0f) * 4;
	if (ip->version_ihl >> 4 != 4 || header < sizeof(scratch))
		return malformed(parsed);
	if (WRITES_FLOW(c))
		flow_from_ipv4(c->flow, ip);
	if (cast_from_ip)
		parsed |= cast_from_ipv4(ip->destination);
	if (have < header)
		return parsed | PROTOCOL_TRUNCATED;
	c->headers = c->at + header;
	total = bpf_ntohs(ip->total_length);
	if (!total && have > 65535)
		total = have;
	/* A guest's super-frames: the kernel takes their length from the skb (iph_totlen). Only the copying parser
	 * looks for them: with this branch in the others, clang merges paths so that the verifier before 6.6 refuses
	 * them. */
	if (c->access == TC_COPY && !total && ip->protocol == L4_TCP && ((struct __sk_buff *)c->ctx)->gso_size)
		total = have;
	if (total < header)
		return malformed(parsed);
	if (total > have)
		return parsed | PROTOCOL_TRUNCATED;
	fragment = ip->fragment;
	protocol = ip->protocol;
	c->at += header;
	if (fragment & bpf_htons(0x1fff))
		return later_fragment(c, parsed, protocol);
	if (fragment & bpf_htons(0x2000))
		parsed |= PARSED_FRAGMENT(FRAGMENT_FIRST);
	return parse_transport(c, parsed, total - header, protocol, tx, 0);
}

static __always_inline int is_extension(__u32 next)
{
	return next == L4_HOP_BY_HOP || next == L4_ROUTING || next == L4_FRAGMENT || next == L4_DESTINATION ||
	       next == L4_MOBILITY;
}

/* The body of the chain functions: `header` comes from packet memory or from a copy. */
static __always_inline int walk_chain(void *ctx, void *start, void *stop, __u32 at, __u32 end, __u32 next,
				      enum access access)
{
	struct cursor c = { .ctx = ctx, .start = start, .end = stop, .access = access };
	__u32 kind = CHAIN_WHOLE, bytes, where;
	__u8 scratch[8], *header;

	for (int i = 0; i < IPV6_CHAIN_MAX && is_extension(next); i++) {
		if (at > CHAIN_AT_MAX || at + sizeof(scratch) > end)
			return CHAIN_PACK(0, CHAIN_MALFORMED, at);
		if (!reach(&c, at, sizeof(scratch), scratch, (void **)&header))
			return CHAIN_PACK(0, CHAIN_MALFORMED, at);
		bytes = next == L4_FRAGMENT ? 8 : (header[1] + 1) * 8;
		if (at + bytes > end)
			return CHAIN_PACK(0, CHAIN_MALFORMED, at);
		at += bytes;
		if (next == L4_FRAGMENT) {
			where = header[2] << 8 | header[3];
			if (where & 0xfff8)
				return CHAIN_PACK(header[0], CHAIN_LATER_FRAGMENT, at);
			if (where & 1)
				kind = CHAIN_FIRST_FRAGMENT;
		}
		next = header[0];
	}
	return CHAIN_PACK(next, is_extension(next) ? CHAIN_MALFORMED : kind, at);
}

static __always_inline parsed_t parse_ipv6(struct cursor *c, parsed_t parsed, int tx, int cast_from_ip)
{
	__u32 have = c->length - c->at, payload, next, end;
	struct ipv6_header scratch, *ip;
	int chain;

	parsed |= PARSED_L3(L3_IPV6);
	if (!reach(c, c->at, sizeof(scratch), &scratch, (void **)&ip))
		return short_of(c, parsed, sizeof(scratch));
	if (ip->version_class >> 4 != 6)
		return malformed(parsed);
	if (WRITES_FLOW(c))
		flow_from_ipv6(c->flow, ip);
	c->headers = c->at + sizeof(scratch);
	if (cast_from_ip && ip->destination[0] == 0xff)
		parsed |= PARSED_CAST(CAST_MULTICAST);
	payload = bpf_ntohs(ip->payload_length);
	if (!payload && have > 65535 + sizeof(scratch))
		payload = have - sizeof(scratch);
	if (sizeof(scratch) + payload > have)
		return parsed | PROTOCOL_TRUNCATED;
	next = ip->next;
	c->at += sizeof(scratch);
	end = c->at + payload;
	if (is_extension(next)) {
		chain = ipv6_chain(c, end, next);
		next = CHAIN_PROTOCOL(chain);
		c->at = CHAIN_AT(chain);
		asm volatile("%0 &= 0x7fff" : "+r"(c->at)); /* CHAIN_AT_MAX in words that the verifier follows */
		c->headers = c->at;
		if (CHAIN_END(chain) == CHAIN_MALFORMED)
			return malformed(parsed);
		if (CHAIN_END(chain) == CHAIN_LATER_FRAGMENT)
			return later_fragment(c, parsed, next);
		if (CHAIN_END(chain) == CHAIN_FIRST_FRAGMENT)
			parsed |= PARSED_FRAGMENT(FRAGMENT_FIRST);
	}
	return parse_transport(c, parsed, end - c->at, next, tx, 1);
}

static __always_inline parsed_t parse_other(parsed_t parsed, __u16 ethertype)
{
	switch (ethertype) {
	case ETHERTYPE_ARP:
		return parsed | PARSED_L3(L3_ARP) | PROTOCOL_ARP;
	case ETHERTYPE_LLDP:
		return parsed | PARSED_L3(L3_OTHER) | PROTOCOL_LLDP;
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_MULTICAST:
		return parsed | PARSED_L3(L3_OTHER) | PROTOCOL_MPLS;
	case ETHERTYPE_PPPOE_DISCOVERY:
	case ETHERTYPE_PPPOE_SESSION:
		return parsed | PARSED_L3(L3_OTHER) | PROTOCOL_PPPOE;
	}
	return parsed | PARSED_L3(L3_OTHER) |
	       (ethertype < ETHERTYPE_FIRST ? PROTOCOL_LENGTH_802_3 : PROTOCOL_OTHER_ETHERTYPE);
}

static __always_inline int is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETHERTYPE_VLAN) || ethertype == bpf_htons(ETHERTYPE_QINQ);
}

/* The group bit is 1, and one more where all six bytes are 0xff. Without branches, which would multiply the paths that
 * the verifier walks. */
static __always_inline parsed_t cast_of(const __be16 *mac)
{
	__u64 all = mac[0] | (__u64)mac[1] << 16 | (__u64)mac[2] << 32;

	return PARSED_CAST((mac[0] & 1) + ((all + 1) >> 48));
}

/* Frames too short for an IP header behind two tags: tags one by one, then IP is truncated. */
static __always_inline parsed_t parse_short_ethernet(struct cursor *c, parsed_t parsed)
{
	__u32 tags = VLANS_OF(parsed);
	__be16 scratch[7], *eth, ethertype;

	if (!reach(c, 0, sizeof(scratch), scratch, (void **)&eth))
		return short_of(c, parsed | PARSED_L3(L3_OTHER), sizeof(scratch));
	parsed |= cast_of(eth);
	ethertype = eth[6];
	c->headers = c->at = ETH_BYTES;
	for (; tags < VLAN_TAGS_MAX && is_vlan(ethertype); tags++) {
		if (!reach(c, c->at, VLAN_BYTES, scratch, (void **)&eth))
			return short_of(c, parsed | PARSED_L3(L3_OTHER), VLAN_BYTES);
		ethertype = eth[1];
		c->at += VLAN_BYTES;
		c->headers += VLAN_BYTES;
		parsed += PARSED_VLANS(1);
	}
	if (ethertype == bpf_htons(ETHERTYPE_IPV4))
		return parsed | PARSED_L3(L3_IPV4) | PROTOCOL_TRUNCATED;
	if (ethertype == bpf_htons(ETHERTYPE_IPV6))
		return parsed | PARSED_L3(L3_IPV6) | PROTOCOL_TRUNCATED;
	return parse_other(parsed, bpf_ntohs(ethertype));
}

/* `parsed` begins with one tag where the kernel keeps the outer tag beside the packet. */
static __always_inline parsed_t parse_ethernet(struct cursor *c, parsed_t parsed, int tx)
{
	__be16 scratch[ETH_TAGGED_BYTES / 2], *eth, ethertype;

	if (c->length < ETH_TAGGED_BYTES)
		return parse_short_ethernet(c, parsed);
	if (!reach(c, 0, sizeof(scratch), scratch, (void **)&eth))
		return BEYOND_LINEAR;
	parsed |= cast_of(eth);
	ethertype = eth[6];
	c->at = ETH_BYTES;
	if (is_vlan(ethertype)) {
		ethertype = eth[8];
		c->at += VLAN_BYTES;
		parsed += PARSED_VLANS(1);
		if (is_vlan(ethertype) && VLANS_OF(parsed) < VLAN_TAGS_MAX) {
			ethertype = eth[10];
			c->at += VLAN_BYTES;
			parsed += PARSED_VLANS(1);
		}
	}
	c->headers = c->at;
	if (ethertype == bpf_htons(ETHERTYPE_IPV4))
		return parse_ipv4(c, parsed, tx, 0);
	if (ethertype == bpf_htons(ETHERTYPE_IPV6))
		return parse_ipv6(c, parsed, tx, 0);
	return parse_other(parsed, bpf_ntohs(ethertype));
}

/* Links without an L2 header (tun, wireguard, ipip): the first nibble is the IP version. */
static __always_inline parsed_t parse_bare_ip(struct cursor *c, parsed_t parsed, int tx)
{
	__u8 scratch[1], *version;

	if (!reach(c, c->at, sizeof(scratch), scratch, (void **)&version))
		return short_of(c, parsed | PARSED_L3(L3_OTHER), sizeof(scratch));
	if (*version >> 4 == 4)
		return parse_ipv4(c, parsed, tx, 1);
	if (*version >> 4 == 6)
		return parse_ipv6(c, parsed, tx, 1);
	return malformed(parsed | PARSED_L3(L3_OTHER));
}

#endif
