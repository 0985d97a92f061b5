/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The cursor that parsers read with, and the packed result that they return. */
#ifndef CURSOR_BPF_H
#define CURSOR_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpftop.h"
#include "headers.bpf.h"

#ifndef FLOWS
#define FLOWS 0 /* flows.bpf.c and thin_flows.bpf.c make it 1 */
#endif
#ifndef THIN
#define THIN 0 /* thin_flows.bpf.c makes it 1 */
#endif

_Static_assert(sizeof(struct common_counters) == sizeof(struct counter_row), "row 0 decides how large a row is");

/* Cell number of a field within row 0. */
#define CELL(field) ((__u32)(offsetof(struct common_counters, field) / sizeof(struct cell)))

/* The result of parsing a frame, in one register: protocol (bits 0 to 15), L3 class, cast, number of VLAN tags,
 * fragment (two bits each), and the detail: row and cell of the TCP class, UDP port or ICMP type, 0 where there is
 * none. Separate variables cost a move of 0 and a spill each on every path. */
typedef __u64 parsed_t;
#define PARSED_L3(l3) ((parsed_t)(l3) << 16)
#define PARSED_CAST(cast) ((parsed_t)(cast) << 18)
#define PARSED_VLANS(tags) ((parsed_t)(tags) << 20)
#define PARSED_FRAGMENT(part) ((parsed_t)((part) + 1) << 22)
#define PARSED_DETAIL(row, cell) ((parsed_t)((row) << 9 | (cell)) << 24)
#define BEYOND_LINEAR ((parsed_t)1 << 63) /* alone: count the frame again by copies */

#define PROTOCOL_OF(parsed) ((__u32)(parsed)&0xffff)
#define L3_OF(parsed) ((__u32)(parsed) >> 16 & 3)
#define CAST_OF(parsed) ((__u32)(parsed) >> 18 & 3)
#define VLANS_OF(parsed) ((__u32)(parsed) >> 20 & 3)
#define FRAGMENT_OF(parsed) ((__u32)(parsed) >> 22 & 3) /* 0: not a fragment */
#define DETAIL_OF(parsed) ((__u32)((parsed) >> 24))
#define DETAIL_ROW(detail) ((detail) >> 9)
#define DETAIL_CELL(detail) ((detail)&511)

/* The way of a program to its packet; a constant in each instance. */
enum access {
	XDP_PLAIN,	/* packet memory; the frame is linear */
	XDP_FRAGS,	/* packet memory as far as it is linear */
	XDP_FRAGS_COPY, /* bpf_xdp_load_bytes: all of the frame */
	TC,		/* packet memory as far as it is linear */
	TC_COPY,	/* bpf_skb_load_bytes: all of the frame */
};

struct cursor {
	void *ctx;
	void *start;
	void *end;
	__u32 length; /* of the whole frame */
	__u32 at;
	__u32 headers; /* bytes up to here have been accepted */
	enum access access;
	struct flow_key *flow;	/* NULL or filled where FLOWS; complete where the protocol is one of IP */
	struct flow_key *inner; /* the flow inside a tunnel (inner.bpf.h) */
	__u32 inner_protocol;	/* its protocol + 1; 0: no tunnel */
};

/* A constant in each instance: 1 where the parsers write the key of the frame's flow. */
#define WRITES_FLOW(c) (FLOWS && (!THIN || (c)->flow))

/* Makes `*header` point to `bytes` at `at` and returns 1; 0 where they are not in reach. Not a pointer that may be
 * NULL: clang takes packet pointers for 32 bits wide (ctx->data is a __u32) and would compare half of it. */
static __always_inline int reach(struct cursor *c, __u32 at, __u32 bytes, void *scratch, void **header)
{
	*header = scratch;
	if (c->access == TC_COPY || c->access == XDP_FRAGS_COPY) {
		long missing = c->access == TC_COPY ? bpf_skb_load_bytes(c->ctx, at, scratch, bytes)
						    : bpf_xdp_load_bytes(c->ctx, at, scratch, bytes);

		asm volatile(
			""
			: "+r"(*header)); /* or clang adds to it by "or", which the verifier refuses on a pointer */
		return !missing;
	}
	*header = c->start + at;
	return *header + bytes <= c->end;
}

/* For a header that is not in reach: the frame ends here, or only its linear part does. */
static __always_inline parsed_t short_of(const struct cursor *c, parsed_t parsed, __u32 bytes)
{
	return c->at + bytes <= c->length ? BEYOND_LINEAR : parsed | PROTOCOL_TRUNCATED;
}

static __always_inline parsed_t malformed(parsed_t parsed)
{
	return (parsed & ~((parsed_t)3 << 22)) | PROTOCOL_MALFORMED;
}

#endif
