/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The cursor that parsers read with, and what they find. */
#ifndef CURSOR_BPF_H
#define CURSOR_BPF_H

#include <linux/bpf.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpftop.h"
#include "headers.bpf.h"

#ifndef FLOWS
#define FLOWS 0 /* flows.bpf.c makes it 1 */
#endif

/* Cells of struct breakdown as one flat array; index 0 is a joint cell, so 0 can say "no further cell". */
#define CELL(field) ((__u32)(offsetof(struct breakdown, field) / sizeof(struct cell)))
#define CELLS ((__u32)(sizeof(struct breakdown) / sizeof(struct cell)))

/* What the parser found. */
struct parsed {
	__u32 protocol;
	__u32 l3;
	__u32 cast;
	__u32 vlans;
	__u32 fragment;	      /* cell index, 0: not a fragment */
	__u32 detail;	      /* cell index of the TCP class, UDP port or ICMP type, 0: none */
	__u32 headers;	      /* bytes up to here have been accepted */
	struct flow_key flow; /* where FLOWS; complete where the protocol is one of IP */
};

/* How a program reaches its packet; a constant in each instance. */
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
	enum access access;
};

enum {
	PARSED = 0,
	BEYOND_LINEAR = 1, /* count again by copies */
};

/* `bytes` at `at`, or NULL where they are not in reach. */
static __always_inline void *peek(struct cursor *c, __u32 at, __u32 bytes, void *scratch)
{
	void *here;

	if (c->access == XDP_FRAGS_COPY || c->access == TC_COPY) {
		if (c->access == TC_COPY ? bpf_skb_load_bytes(c->ctx, at, scratch, bytes)
					 : bpf_xdp_load_bytes(c->ctx, at, scratch, bytes))
			return NULL;
		/* Or clang adds to it by "or", which the verifier refuses on a pointer. */
		asm volatile("" : "+r"(scratch));
		return scratch;
	}
	here = c->start + at;
	return here + bytes > c->end ? NULL : here;
}

/* Called when peek() found nothing: the frame ends here, or only its linear part does. */
static __always_inline int short_of(struct cursor *c, struct parsed *p, __u32 bytes)
{
	if (c->at + bytes <= c->length)
		return BEYOND_LINEAR;
	p->protocol = PROTOCOL_TRUNCATED;
	return PARSED;
}

static __always_inline int as(struct parsed *p, __u32 protocol)
{
	p->protocol = protocol;
	return PARSED;
}

static __always_inline int malformed(struct parsed *p)
{
	p->fragment = 0;
	return as(p, PROTOCOL_MALFORMED);
}

#endif
