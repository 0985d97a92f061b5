/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The short way for plain frames, which most frames are: see struct common_counters. Everything that is not plain, or
 * wrong in some way, is left to the parsers. */
#ifndef PLAIN_BPF_H
#define PLAIN_BPF_H

#define PLAIN_IPV4_BYTES (ETH_BYTES + 20 + 8)
#define PLAIN_IPV6_BYTES (ETH_BYTES + 40 + 8)
#define NOT_PLAIN (-1)

/* Class of a TCP segment with `left` bytes of IP payload. */
static __always_inline int plain_tcp(const __u8 *tcp, const void *end, __u32 left)
{
	__u32 header;

	if ((const void *)tcp + 14 > end)
		return NOT_PLAIN;
	header = tcp[12] >> 2 & 0x3c;
	if (header < 20 || header > left)
		return NOT_PLAIN;
	return tcp_classes[tcp[13] & TCP_CLASS_FLAGS];
}

static __always_inline int plain_udp(const struct ports *udp, __u32 left)
{
	if (left < 8 || bpf_ntohs(udp->length) < 8)
		return NOT_PLAIN;
	/* count_tx is 0 or 1: the source port, or the destination port behind it. By a branch it takes 3 instructions
	 * more. */
	return PLAIN_UDP + reflection_port((&udp->source)[count_tx]);
}

/* Out of line: one copy serves IPv4 and IPv6, with and without a tag. */
__noinline int count_icmp_type(__u32 row, __u32 type, __u32 length)
{
	struct cell *cells = counter_row(row);

	if (cells)
		add_at(cells, type, 1, length);
	return 0;
}

static __always_inline int plain_icmp(const __u8 *icmp, __u32 left, __u32 row, __u32 length)
{
	if (left < 8)
		return NOT_PLAIN;
	count_icmp_type(row, *icmp, length);
	return PLAIN_ICMP;
}

/* `length` is the length of the frame as it is counted. */
static __always_inline int plain_transport(struct cursor *c, const void *transport, __u32 left, __u32 protocol,
					   __u32 icmp, __u32 length)
{
	if (WRITES_FLOW(c) &&
	    (protocol == L4_TCP || protocol == L4_UDP)) /* ports are 0 in the keys of all other flows */
		flow_ports(c->flow, transport);
	if (protocol == L4_TCP)
		return plain_tcp(transport, c->end, left);
	if (protocol == L4_UDP)
		return plain_udp(transport, left);
	return protocol == icmp ? plain_icmp(transport, left, icmp == L4_ICMP ? ROW_ICMP : ROW_ICMPV6, length)
				: NOT_PLAIN;
}

static __always_inline int plain_ipv4(struct cursor *c, const struct ipv4_header *ip, __u32 have, __u32 length)
{
	__u32 total = bpf_ntohs(ip->total_length);

	if (ip->version_ihl != 0x45 || ip->fragment & bpf_htons(0x3fff) || total > have || total < sizeof(*ip))
		return NOT_PLAIN;
	if (WRITES_FLOW(c))
		flow_from_ipv4(c->flow, ip);
	return plain_transport(c, ip + 1, total - sizeof(*ip), ip->protocol, L4_ICMP, length);
}

static __always_inline int plain_ipv6(struct cursor *c, const struct ipv6_header *ip, __u32 have, __u32 length)
{
	__u32 payload = bpf_ntohs(ip->payload_length);

	if ((const void *)ip + PLAIN_IPV6_BYTES - ETH_BYTES > c->end || ip->version_class >> 4 != 6 ||
	    payload + sizeof(*ip) > have)
		return NOT_PLAIN;
	if (WRITES_FLOW(c))
		flow_from_ipv6(c->flow, ip);
	return plain_transport(c, ip + 1, payload, ip->next, L4_ICMPV6, length);
}

static __always_inline __u32 plain_protocol(int class)
{
	if (class == PLAIN_ICMP)
		return L4_ICMP;
	if (class == PLAIN_CLASSES + PLAIN_ICMP)
		return L4_ICMPV6;
	return class % PLAIN_CLASSES < PLAIN_UDP ? L4_TCP : L4_UDP;
}

/* PLAIN_CLASSES higher for IPv6. `at` is where the IP header begins. */
static __always_inline int plain_class(struct cursor *c, __be16 ethertype, __u32 at, __u32 length)
{
	const void *ip = c->start + at;
	int class;

	if (ethertype == bpf_htons(ETHERTYPE_IPV4))
		return plain_ipv4(c, ip, c->length - at, length);
	if (ethertype != bpf_htons(ETHERTYPE_IPV6))
		return NOT_PLAIN;
	class = plain_ipv6(c, ip, c->length - at, length);
	return class < 0 ? NOT_PLAIN : PLAIN_CLASSES + class;
}

/* Count an untagged ARP frame in the same cells as the parsers do, in half of their instructions. */
static __always_inline int count_arp(struct cursor *c)
{
	struct cell *common = counter_row(ROW_COMMON), *protocols = counter_row(ROW_PROTOCOLS);

	if (!common || !protocols)
		return 1;
	add_at(protocols, PROTOCOL_ARP, 1, c->length);
	add_joint(common, PARSED_L3(L3_ARP) | cast_of(c->start), c->length, 1, c->length);
	return 1;
}

/* Count a plain frame or an ARP frame and return 1; 0: not counted. `tags`: 1 where the kernel keeps a tag beside the
 * packet. */
static __always_inline int count_plain(struct cursor *c, __u32 tags)
{
	__u32 length = c->length + tags * VLAN_BYTES;
	const __u8 *frame = c->start;
	struct cell *common;
	__be16 ethertype;
	__u32 number;
	int class;

	if (link_is_ip || c->start + PLAIN_IPV4_BYTES > c->end)
		return 0;
	ethertype = *(const __be16 *)(frame + 12);
	if (frame[0] & 1)
		return !tags && ethertype == bpf_htons(ETHERTYPE_ARP) ? count_arp(c) : 0;
	class = plain_class(c, ethertype, ETH_BYTES, length);
	if (class < 0) {
		if (tags)
			return 0;
		if (ethertype == bpf_htons(ETHERTYPE_ARP))
			return count_arp(c);
		if (!is_vlan(ethertype) || c->start + VLAN_BYTES + PLAIN_IPV4_BYTES > c->end)
			return 0;
		tags = 1;
		class = plain_class(c, *(const __be16 *)(frame + 16), ETH_BYTES + VLAN_BYTES, length);
		if (class < 0)
			return 0;
	}
	common = counter_row(ROW_COMMON);
	if (!common)
		return 1;
	number = add_at(common, class * SIZE_BINS + size_bin(length), 1, length);
	if (tags)
		add_at(common, CELL(vlans), 1, length);
	if (FLOWS)
		add_flow_of(c, plain_protocol(class), number, 1, length);
	return 1;
}

#endif
