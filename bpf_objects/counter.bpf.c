// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts every frame of one direction of one interface, and passes it. The object is opened once per interface and
 * direction with one of its programs, so each has its own maps. docs/counting.md describes the counts. */
#include "parse.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TCX_NEXT (-1) /* also TC_ACT_UNSPEC: clsact goes on with the next filter */

/* Fixed before loading, so that the verifier removes what does not apply. */
const volatile __u32 count_tx = 0;   /* reflection ports are destination ports */
const volatile __u32 link_is_ip = 0; /* frames begin with the IP header */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_ROWS);
	__type(key, __u32);
	__type(value, struct counter_row);
} counters SEC(".maps");

#if FLOWS
#include "flows.bpf.h"
#include "inner.bpf.h"
#include "thin.bpf.h"
#else
const __u32 flow_inner = 0;
static __always_inline __u32 find_inner(struct __sk_buff *skb, struct flow_key *flow, __u32 is_bare_ip)
{
	return 0;
}

static __always_inline void add_flow(struct flow_key *flow, __u32 protocol, __u64 packets, __u64 bytes)
{
}

static __always_inline int is_sampled(__u32 number)
{
	return 0;
}

static __always_inline void add_sampled_flow(struct cursor *c)
{
}
#endif

const __u8 size_bins[2048] = {
	[0 ... 64] = 0,	    [65 ... 127] = 1,	 [128 ... 255] = 2,   [256 ... 511] = 3,
	[512 ... 1023] = 4, [1024 ... 1518] = 5, [1519 ... 2047] = 6,
};

static __always_inline __u32 size_bin(__u32 length)
{
	length = length < 2047 ? length : 2047;
	asm volatile("%0 &= 2047" : "+r"(length)); /* says to the verifier what the line above says to the reader */
	return size_bins[length];
}

static __always_inline struct cell *counter_row(__u32 row)
{
	return bpf_map_lookup_elem(&counters, &row);
}

/* Returns the number of packets in the cell. `index` is a cell of the row; this says so to the verifier. In C, clang
 * compares one copy of the number and makes the address of another, of which kernels up to 6.12 then know nothing: they
 * refused the programs. */
static __always_inline __u64 add_at(struct cell *cells, __u64 index, __u64 packets, __u64 bytes)
{
	__u64 number;

	asm volatile("if %0 < %1 goto +1\n\t%0 = 0" : "+r"(index) : "i"(ROW_CELLS));
	number = cells[index].packets += packets;
	cells[index].bytes += bytes;
	return number;
}

static __always_inline __u64 add_joint(struct cell *common, parsed_t parsed, __u32 length, __u64 packets, __u64 bytes)
{
	return add_at(common, CELL(joint) + (L3_OF(parsed) * CASTS + CAST_OF(parsed)) * SIZE_BINS + size_bin(length),
		      packets, bytes);
}

static __always_inline void add_detail(struct cell *common, __u32 detail, __u64 packets, __u64 bytes)
{
	struct cell *cells = DETAIL_ROW(detail) == ROW_COMMON ? common : counter_row(DETAIL_ROW(detail));

	if (cells)
		add_at(cells, DETAIL_CELL(detail), packets, bytes);
}

/* Count everything of a frame but its size and TCP class: those differ within a super-frame. Returns row 0, or NULL,
 * which never happens: all rows of an array are there. */
static __always_inline struct cell *record_common(parsed_t parsed, __u64 packets, __u64 bytes)
{
	struct cell *common = counter_row(ROW_COMMON), *protocols = counter_row(ROW_PROTOCOLS);

	if (!common || !protocols)
		return NULL;
	add_at(protocols, PROTOCOL_OF(parsed), packets, bytes);
	if (VLANS_OF(parsed))
		add_at(common, CELL(vlans) - 1 + VLANS_OF(parsed), packets, bytes);
	if (FRAGMENT_OF(parsed))
		add_at(common, CELL(fragments) - 1 + FRAGMENT_OF(parsed), packets, bytes);
	return common;
}

/* A global function, which the verifier looks at once, for any argument: inlined, it would be verified again for every
 * combination of what the parsers can say (100 000 instructions and more). Returns the number of packets in the
 * frame's cell. */
__noinline int record_frame(parsed_t parsed, __u32 length)
{
	struct cell *common = record_common(parsed, 1, length);
	__u32 number;

	if (!common)
		return 0;
	number = add_joint(common, parsed, length, 1, length);
	if (DETAIL_OF(parsed))
		add_detail(common, DETAIL_OF(parsed), 1, length);
	return number;
}

/* Return the same number and hide its value from the verifier, which then follows the code behind it once and not for
 * each protocol. */
static __always_inline __u32 opaque(__u32 protocol)
{
	asm volatile("%0 = be64 %0\n\t%0 = be64 %0" : "+r"(protocol));
	return protocol;
}

/* Count the flow of a frame, or the flow inside it. `number`: packets in the frame's cell. */
static __always_inline void add_flow_of(struct cursor *c, __u32 protocol, __u32 number, __u64 packets, __u64 bytes)
{
	if (THIN) {
		if (is_sampled(number))
			add_sampled_flow(c);
		return;
	}
	if (c->inner_protocol) {
		*c->flow = *c->inner;
		protocol = c->inner_protocol - 1;
	}
	add_flow(c->flow, protocol, packets, bytes);
}

static __always_inline void record(struct cursor *c, parsed_t parsed, __u32 length)
{
	__u32 number = record_frame(parsed, length);

	if (FLOWS)
		add_flow_of(c, opaque(PROTOCOL_OF(parsed)), number, 1, length);
}

static __always_inline parsed_t parse(struct cursor *c, __u32 outer_tags)
{
	parsed_t parsed = PARSED_VLANS(outer_tags);

	return link_is_ip ? parse_bare_ip(c, parsed, count_tx) : parse_ethernet(c, parsed, count_tx);
}

__noinline int chain_xdp(struct xdp_md *ctx, __u32 at, __u32 end, __u32 next)
{
	return walk_chain(ctx, (void *)(long)ctx->data, (void *)(long)ctx->data_end, at, end, next, XDP_PLAIN);
}

__noinline int chain_xdp_frags(struct xdp_md *ctx, __u32 at, __u32 end, __u32 next)
{
	return walk_chain(ctx, NULL, NULL, at, end, next, XDP_FRAGS_COPY);
}

__noinline int chain_tc(struct __sk_buff *skb, __u32 at, __u32 end, __u32 next)
{
	return walk_chain(skb, NULL, NULL, at, end, next, TC_COPY);
}

static __always_inline int ipv6_chain(struct cursor *c, __u32 end, __u32 next)
{
	switch (c->access) {
	case XDP_PLAIN:
		return chain_xdp(c->ctx, c->at, end, next);
	case XDP_FRAGS:
	case XDP_FRAGS_COPY:
		return chain_xdp_frags(c->ctx, c->at, end, next);
	case TC:
	case TC_COPY:
		return chain_tc(c->ctx, c->at, end, next);
	}
	return CHAIN_PACK(0, CHAIN_MALFORMED, c->at);
}

#include "plain.bpf.h"

SEC("xdp")
int count_xdp(struct xdp_md *ctx)
{
	struct flow_key flow = {};
	struct cursor c = {
		.flow = THIN ? NULL : &flow,
		.ctx = ctx,
		.start = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.length = ctx->data_end - ctx->data,
		.access = XDP_PLAIN,
	};

	if (!count_plain(&c, 0))
		record(&c, parse(&c, 0), c.length);
	return XDP_PASS;
}

/* Headers beyond the linear part: seldom, so out of line and by copies. */
__noinline int count_far_xdp(struct xdp_md *ctx)
{
	struct flow_key flow = {};
	struct cursor c = {
		.flow = THIN ? NULL : &flow, .ctx = ctx, .length = bpf_xdp_get_buff_len(ctx), .access = XDP_FRAGS_COPY
	};

	record(&c, parse(&c, 0), c.length);
	return 0;
}

SEC("xdp.frags")
int count_xdp_frags(struct xdp_md *ctx)
{
	struct flow_key flow = {};
	struct cursor c = {
		.flow = THIN ? NULL : &flow,
		.ctx = ctx,
		.start = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.length = bpf_xdp_get_buff_len(ctx),
		.access = XDP_FRAGS,
	};
	parsed_t parsed;

	if (count_plain(&c, 0))
		return XDP_PASS;
	parsed = parse(&c, 0);
	if (parsed == BEYOND_LINEAR)
		count_far_xdp(ctx);
	else
		record(&c, parsed, c.length);
	return XDP_PASS;
}

/* A super-frame: n wire packets with the same headers, see docs/counting.md. */
struct segments {
	__u64 n;
	__u64 bytes;
	__u64 first_bytes; /* of all but the last one */
	__u32 full;	   /* bytes of each but the last one */
};

static __always_inline void cut(struct __sk_buff *skb, __u32 headers, struct segments *s)
{
	__u32 length = skb->len, tag = skb->vlan_present ? VLAN_BYTES : 0, gso_size = skb->gso_size, n = skb->gso_segs,
	      payload;

	if (!n)
		n = (length - headers + gso_size - 1) / gso_size;
	if (!n)
		n = 1;
	if (n > 1 && count_tx && skb->wire_len > length)
		headers = (skb->wire_len - length) / (n - 1);
	payload = headers < length ? length - headers : 0;
	if ((__u64)(n - 1) * gso_size > payload)
		gso_size = payload / n;
	s->n = n;
	s->full = headers + tag + gso_size;
	s->first_bytes = (__u64)(n - 1) * s->full;
	s->bytes = length + (__u64)(n - 1) * headers + (__u64)n * tag;
}

/* A global function, which is verified once and costs a call only where there are segments; it takes numbers only
 * (5.10). Returns the number of packets in the cell of the last segment. */
__noinline int record_segments(struct __sk_buff *skb, parsed_t parsed, __u32 headers)
{
	__u32 detail = DETAIL_OF(parsed);
	struct segments s;
	struct cell *common;
	__u64 last_bytes;
	__u32 number;

	cut(skb, headers, &s);
	last_bytes = s.bytes - s.first_bytes;
	common = record_common(parsed, s.n, s.bytes);
	if (!common)
		return 0;
	add_joint(common, parsed, s.full, s.n - 1, s.first_bytes);
	number = add_joint(common, parsed, last_bytes, 1, last_bytes);
	if (detail == CELL(tcp_flags[TCP_FIN]) || detail == CELL(tcp_flags[TCP_RST])) {
		add_at(common, detail, 1, last_bytes);
		add_at(common, CELL(tcp_flags[TCP_OTHER]), s.n - 1, s.first_bytes);
	} else if (detail) {
		add_detail(common, detail, s.n, s.bytes);
	}
	return number;
}

/* The flow's key does not fit a global function's numbers, so the segments are worked out again here. */
static __always_inline void add_flow_of_segments(struct __sk_buff *skb, struct cursor *c, parsed_t parsed, __u32 number)
{
	struct segments s = {};

	if (!FLOWS)
		return;
	if (!THIN)
		cut(skb, c->headers, &s);
	add_flow_of(c, opaque(PROTOCOL_OF(parsed)), number, s.n, s.bytes);
}

static __always_inline void record_skb(struct __sk_buff *skb, struct cursor *c, parsed_t parsed)
{
	if (skb->gso_size) {
		add_flow_of_segments(skb, c, parsed, record_segments(skb, parsed, c->headers));
	} else {
		record(c, parsed, skb->len + (skb->vlan_present ? VLAN_BYTES : 0));
	}
}

__noinline int count_far_tc(struct __sk_buff *skb)
{
	struct flow_key flow = {};
	struct cursor c = { .flow = THIN ? NULL : &flow, .ctx = skb, .length = skb->len, .access = TC_COPY };

	record_skb(skb, &c, parse(&c, !!skb->vlan_present));
	return 0;
}

SEC("tc")
int count_tc(struct __sk_buff *skb)
{
	struct flow_key flow = {}, inner;
	struct cursor c = {
		.flow = THIN ? NULL : &flow,
		.ctx = skb,
		.start = (void *)(long)skb->data,
		.end = (void *)(long)skb->data_end,
		.length = skb->len,
		.access = TC,
	};
	parsed_t parsed;

	if (FLOWS && !THIN && flow_inner) {
		c.inner = &inner;
		c.inner_protocol = 1 + find_inner(skb, &inner, link_is_ip);
		if (c.inner_protocol > 256)
			c.inner_protocol = 0;
	}
	if (!skb->gso_size && count_plain(&c, !!skb->vlan_present))
		return TCX_NEXT;
	parsed = parse(&c, !!skb->vlan_present);
	if (parsed == BEYOND_LINEAR || (skb->gso_size && PROTOCOL_OF(parsed) == PROTOCOL_MALFORMED))
		count_far_tc(skb);
	else
		record_skb(skb, &c, parsed);
	return TCX_NEXT;
}
