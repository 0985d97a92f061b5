/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The filter, the limits and the ring of both capturing programs. What does not apply is removed by the verifier. The
 * capturing programs are objects of their own, so that the counting programs have no instruction of them. */
#ifndef CAPTURE_BPF_H
#define CAPTURE_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "capture.h"
#include "headers.bpf.h"

#define NS_PER_SECOND 1000000000ULL
#define HEADERS_MOST 256 /* bytes in which the ports of a packet are looked for; a power of two */
#define RECORD_HEADER sizeof(struct captured_packet)

const volatile __u32 most_bytes = 192;	   /* of each packet */
const volatile __u32 sample_1_in = 1;	   /* packets chosen at random; 1: all of them */
const volatile __u64 rate_per_sec = 1000;  /* about: CPUs that look at the same moment may add one each */
const volatile __u32 wanted_ethertype = 0; /* 0: any */
const volatile __u32 wanted_protocol = CAPTURE_ANY_PROTOCOL;
const volatile __u32 wanted_sides = 0;	 /* CAPTURE_A_ADDRESS, ...; 0: any flow */
const volatile __u64 a_address_high = 0; /* in network byte order, as in struct flow_key */
const volatile __u64 a_address_low = 0;
const volatile __u64 b_address_high = 0;
const volatile __u64 b_address_low = 0;
const volatile __u32 a_port = 0; /* in network byte order */
const volatile __u32 b_port = 0;

struct scratch {
	struct captured_packet packet;
	__u8 bytes[CAPTURE_MOST_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct capture_counts);
} capture_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} ring SEC(".maps");

struct second {
	__u64 number; /* of CLOCK_MONOTONIC */
	__u64 packets;
};

/* A map and no globals, so that the programs of several interfaces can share it as they share the ring. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct second);
} seconds SEC(".maps");

struct side {
	__u64 address[2];
	__u32 port;
};

static __always_inline int is_side(const struct side *side, __u64 high, __u64 low, __u32 port, __u32 wanted)
{
	if (wanted & CAPTURE_A_ADDRESS && (side->address[0] != high || side->address[1] != low))
		return 0;
	return !(wanted & CAPTURE_A_PORT) || side->port == port;
}

/* Both directions of a flow pass. */
static __always_inline int is_wanted_flow(const struct side *source, const struct side *destination)
{
	__u32 a = wanted_sides & (CAPTURE_A_ADDRESS | CAPTURE_A_PORT), b = wanted_sides >> 2;

	if (is_side(source, a_address_high, a_address_low, a_port, a) &&
	    is_side(destination, b_address_high, b_address_low, b_port, b))
		return 1;
	return is_side(destination, a_address_high, a_address_low, a_port, a) &&
	       is_side(source, b_address_high, b_address_low, b_port, b);
}

/* Return a header of the packet; NULL where the packet, or its copy, ends before. The verifier sees a
 * place within the value of the map, whatever the packet says. */
static __always_inline void *header_at(struct scratch *scratch, __u32 at, __u32 bytes, __u32 copied)
{
	if (at + bytes > copied || at > HEADERS_MOST - 1)
		return NULL;
	asm volatile("%0 &= 255" : "+r"(at));
	return scratch->bytes + at;
}

static __always_inline void read_ipv4_address(__u64 *address, const __u8 *bytes)
{
	__u32 word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	address[0] = 0;
	address[1] = (__u64)word << 32 | bpf_htonl(0xffff); /* ::ffff:a.b.c.d, little-endian words */
}

/* Return 1 if a packet whose first `copied` bytes are in the scratch passes the filter. */
static __noinline int passes_filter(struct scratch *scratch, __u32 copied)
{
	struct side source = {}, destination = {};
	__u32 at = 0, ethertype, protocol = CAPTURE_ANY_PROTOCOL, is_later = 0;
	__u8 *header;

	if (!scratch)
		return 0;
	if (scratch->packet.is_ip) {
		header = header_at(scratch, 0, 1, copied);
		if (!header)
			return 0;
		ethertype = *header >> 4 == 6 ? ETHERTYPE_IPV6 : ETHERTYPE_IPV4;
	} else {
		header = header_at(scratch, 0, ETH_BYTES, copied);
		if (!header)
			return 0;
		ethertype = (__u32)header[12] << 8 | header[13];
		at = ETH_BYTES;
		for (int i = 0; i < VLAN_TAGS_MAX; i++) {
			if (ethertype != ETHERTYPE_VLAN && ethertype != ETHERTYPE_QINQ)
				break;
			header = header_at(scratch, at, VLAN_BYTES, copied);
			if (!header)
				return 0;
			ethertype = (__u32)header[2] << 8 | header[3];
			at += VLAN_BYTES;
		}
	}
	if (wanted_ethertype && ethertype != wanted_ethertype)
		return 0;
	if (wanted_protocol == CAPTURE_ANY_PROTOCOL && !wanted_sides)
		return 1;
	if (ethertype == ETHERTYPE_IPV4) {
		struct ipv4_header *ip = header_at(scratch, at, sizeof(*ip), copied);

		if (!ip)
			return 0;
		read_ipv4_address(source.address, ip->source);
		read_ipv4_address(destination.address, ip->destination);
		protocol = ip->protocol;
		is_later = ip->fragment & bpf_htons(0x1fff);
		at += (ip->version_ihl & 15) * 4;
	} else if (ethertype == ETHERTYPE_IPV6) {
		struct ipv6_header *ip = header_at(scratch, at, sizeof(*ip), copied);

		if (!ip)
			return 0;
		__builtin_memcpy(source.address, ip->source, 16);
		__builtin_memcpy(destination.address, ip->destination, 16);
		protocol = ip->next;
		at += sizeof(*ip);
		for (int i = 0; i < IPV6_CHAIN_MAX; i++) {
			if (protocol != L4_HOP_BY_HOP && protocol != L4_ROUTING && protocol != L4_DESTINATION &&
			    protocol != L4_MOBILITY && protocol != L4_FRAGMENT)
				break;
			header = header_at(scratch, at, 8, copied);
			if (!header)
				return 0;
			if (protocol == L4_FRAGMENT)
				is_later |= header[2] | (header[3] & 0xf8);
			at += protocol == L4_FRAGMENT ? 8 : (header[1] + 1) * 8;
			protocol = header[0];
		}
	} else {
		return 0;
	}
	if (wanted_protocol != CAPTURE_ANY_PROTOCOL && protocol != wanted_protocol)
		return 0;
	if (!wanted_sides)
		return 1;
	if (!is_later && (protocol == L4_TCP || protocol == L4_UDP)) {
		struct ports *ports = header_at(scratch, at, 4, copied);

		if (ports) {
			source.port = ports->source;
			destination.port = ports->destination;
		}
	}
	return is_wanted_flow(&source, &destination);
}

/* Return 1 if the packet is chosen at random. Before anything else, because it is the cheapest test. */
static __always_inline int is_chosen(void)
{
	return sample_1_in == 1 || (__u64)bpf_get_prandom_u32() * sample_1_in >> 32 == 0;
}

static __always_inline int is_within_rate(__u64 now_ns)
{
	__u64 number = now_ns / NS_PER_SECOND;
	__u32 zero = 0;
	struct second *second = bpf_map_lookup_elem(&seconds, &zero);

	if (!second)
		return 0;
	if (second->number != number) {
		second->number = number;
		second->packets = 0;
	}
	if (second->packets >= rate_per_sec)
		return 0;
	__sync_fetch_and_add(&second->packets, 1);
	return 1;
}

/* Bytes that are copied: the filter may look further than the copy. */
static __always_inline __u32 bytes_to_copy(void)
{
	return most_bytes < HEADERS_MOST ? HEADERS_MOST : most_bytes;
}

/* Return the scratch of this CPU, with the time at which the program begins to cost. */
static __always_inline struct scratch *begin_packet(void)
{
	__u32 zero = 0;
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &zero);

	if (scratch)
		scratch->packet.time_ns = bpf_ktime_get_ns();
	return scratch;
}

/* Send the packet in the scratch to user space, unless the filter, the rate or a full ring is against it. */
static __always_inline void send_packet(struct scratch *scratch, struct capture_counts *counts, __u32 copied)
{
	struct captured_packet *packet = &scratch->packet;
	__u32 kept = copied;

	if ((wanted_ethertype || wanted_protocol != CAPTURE_ANY_PROTOCOL || wanted_sides) &&
	    !passes_filter(scratch, copied))
		return;
	counts->matched += 1;
	if (!is_within_rate(packet->time_ns)) {
		counts->over_rate += 1;
		return;
	}
	packet->cpu = bpf_get_smp_processor_id();
	kept = kept < most_bytes ? kept : most_bytes;
	kept = kept < CAPTURE_MOST_BYTES ? kept : CAPTURE_MOST_BYTES;
	packet->captured = kept;
	if (bpf_ringbuf_output(&ring, scratch, RECORD_HEADER + kept, 0))
		counts->ring_full += 1;
}

/* Send a packet whose first `copied` bytes are in the scratch, 0 for none, and count the time since packet.time_ns. */
static __always_inline void finish_packet(struct scratch *scratch, __u32 copied)
{
	__u32 zero = 0;
	struct capture_counts *counts = bpf_map_lookup_elem(&capture_counts, &zero);

	if (!counts)
		return;
	if (copied)
		send_packet(scratch, counts, copied);
	counts->spent_ns += bpf_ktime_get_ns() - scratch->packet.time_ns;
}

#endif
