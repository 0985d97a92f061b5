// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counts every frame of one direction of one interface, and passes it. The object is opened once per interface and
 * direction with one of its programs, so each has its own maps. docs/counting.md says what is counted. */
#include "parse.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TCX_NEXT (-1) /* also TC_ACT_UNSPEC: clsact goes on with the next filter */

/* Fixed before loading, so that the verifier removes what does not apply. */
const volatile __u32 count_tx = 0;   /* reflection ports are destination ports */
const volatile __u32 link_is_ip = 0; /* frames begin with the IP header */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PROTOCOLS);
	__type(key, __u32);
	__type(value, struct cell);
} protocols SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct breakdown);
} breakdowns SEC(".maps");

#if FLOWS
#include "flows.bpf.h"
#else
static __always_inline void add_flow(struct parsed *p, __u64 packets, __u64 bytes)
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

static __always_inline void add(struct cell *cell, __u64 packets, __u64 bytes)
{
	cell->packets += packets;
	cell->bytes += bytes;
}

/* `index` is one of the cells; this says so to the verifier. In C, clang compares one copy of the number and makes the
 * address of another, of which kernels up to 6.12 then know nothing: they refused the programs. */
static __always_inline void add_at(struct cell *cells, __u64 index, __u64 packets, __u64 bytes)
{
	asm volatile("if %0 < %1 goto +1\n\t%0 = 0" : "+r"(index) : "i"(CELLS));
	add(cells + index, packets, bytes);
}

static __always_inline void add_joint(struct cell *cells, const struct parsed *p, __u32 length, __u64 packets,
				      __u64 bytes)
{
	add_at(cells, (p->l3 * CASTS + p->cast) * SIZE_BINS + size_bin(length), packets, bytes);
}

/* Everything of a frame but its size and TCP class: those differ within a super-frame. */
static __always_inline struct cell *record_common(const struct parsed *p, __u64 packets, __u64 bytes)
{
	__u32 protocol = p->protocol, zero = 0;
	struct cell *cell = bpf_map_lookup_elem(&protocols, &protocol),
		    *cells = bpf_map_lookup_elem(&breakdowns, &zero);

	if (!cell || !cells) /* never: both are arrays */
		return NULL;
	add(cell, packets, bytes);
	if (p->vlans)
		add_at(cells, CELL(vlans) - 1 + p->vlans, packets, bytes);
	if (p->fragment)
		add_at(cells, p->fragment, packets, bytes);
	return cells;
}

static __always_inline void record(struct parsed *p, __u32 length)
{
	struct cell *cells = record_common(p, 1, length);

	if (!cells)
		return;
	add_joint(cells, p, length, 1, length);
	if (p->detail)
		add_at(cells, p->detail, 1, length);
	add_flow(p, 1, length);
}

/* parse_*() set what they find; this is what holds where they find nothing. */
static __always_inline int parse(struct cursor *c, struct parsed *p)
{
	p->l3 = L3_OTHER;
	p->cast = CAST_UNICAST;
	p->fragment = 0;
	p->detail = 0;
	p->headers = 0;
	return link_is_ip ? parse_bare_ip(c, p, count_tx) : parse_ethernet(c, p, count_tx);
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

SEC("xdp")
int count_xdp(struct xdp_md *ctx)
{
	struct cursor c = {
		.ctx = ctx,
		.start = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.length = ctx->data_end - ctx->data,
		.access = XDP_PLAIN,
	};
	struct parsed p = {};

	parse(&c, &p);
	record(&p, c.length);
	return XDP_PASS;
}

/* Headers beyond the linear part: seldom, so out of line and by copies. */
__noinline int count_far_xdp(struct xdp_md *ctx)
{
	struct cursor c = { .ctx = ctx, .length = bpf_xdp_get_buff_len(ctx), .access = XDP_FRAGS_COPY };
	struct parsed p = {};

	parse(&c, &p);
	record(&p, c.length);
	return 0;
}

SEC("xdp.frags")
int count_xdp_frags(struct xdp_md *ctx)
{
	struct cursor c = {
		.ctx = ctx,
		.start = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.length = bpf_xdp_get_buff_len(ctx),
		.access = XDP_FRAGS,
	};
	struct parsed p = {};

	if (parse(&c, &p) == BEYOND_LINEAR)
		count_far_xdp(ctx);
	else
		record(&p, c.length);
	return XDP_PASS;
}

/* A super-frame: n wire packets with the same headers, see docs/counting.md. A global function takes numbers only
 * (5.10), so what was parsed comes packed; it is verified once and costs a call only where there are segments. */
#define PACK_PLACE(p) ((p)->protocol | (p)->l3 << 16 | (p)->cast << 20 | (p)->vlans << 24)
#define PACK_CELLS(p) ((p)->detail | (p)->fragment << 16)

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

__noinline int record_segments(struct __sk_buff *skb, __u32 place, __u32 further, __u32 headers)
{
	struct parsed p = {
		.protocol = place & 0xffff,
		.l3 = place >> 16 & 15,
		.cast = place >> 20 & 15,
		.vlans = place >> 24,
		.detail = further & 0xffff,
		.fragment = further >> 16,
	};
	struct segments s;
	struct cell *cells;
	__u64 last_bytes;

	cut(skb, headers, &s);
	last_bytes = s.bytes - s.first_bytes;
	cells = record_common(&p, s.n, s.bytes);
	if (!cells)
		return 0;
	add_joint(cells, &p, s.full, s.n - 1, s.first_bytes);
	add_joint(cells, &p, last_bytes, 1, last_bytes);
	if (p.detail == CELL(tcp_flags[TCP_FIN]) || p.detail == CELL(tcp_flags[TCP_RST])) {
		add_at(cells, p.detail, 1, last_bytes);
		add_at(cells, CELL(tcp_flags[TCP_OTHER]), s.n - 1, s.first_bytes);
	} else if (p.detail) {
		add_at(cells, p.detail, s.n, s.bytes);
	}
	return 0;
}

/* The flow's key does not fit a global function's numbers, so the segments are worked out again here. */
static __always_inline void add_flow_of_segments(struct __sk_buff *skb, struct parsed *p)
{
	struct segments s;

	if (!FLOWS)
		return;
	cut(skb, p->headers, &s);
	add_flow(p, s.n, s.bytes);
}

static __always_inline void record_skb(struct __sk_buff *skb, struct parsed *p)
{
	if (skb->gso_size) {
		record_segments(skb, PACK_PLACE(p), PACK_CELLS(p), p->headers);
		add_flow_of_segments(skb, p);
	} else {
		record(p, skb->len + (skb->vlan_present ? VLAN_BYTES : 0));
	}
}

__noinline int count_far_tc(struct __sk_buff *skb)
{
	struct cursor c = { .ctx = skb, .length = skb->len, .access = TC_COPY };
	struct parsed p = { .vlans = !!skb->vlan_present };

	parse(&c, &p);
	record_skb(skb, &p);
	return 0;
}

SEC("tc")
int count_tc(struct __sk_buff *skb)
{
	struct cursor c = {
		.ctx = skb,
		.start = (void *)(long)skb->data,
		.end = (void *)(long)skb->data_end,
		.length = skb->len,
		.access = TC,
	};
	struct parsed p = { .vlans = !!skb->vlan_present };

	if (parse(&c, &p) == BEYOND_LINEAR)
		count_far_tc(skb);
	else
		record_skb(skb, &p);
	return TCX_NEXT;
}
