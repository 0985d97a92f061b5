// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The counting programs once more, with a table of the flows of one frame in N: see thin.bpf.h. */
#define FLOWS 1
#define THIN 1
#include "counter.bpf.c"

__noinline int add_flow_xdp(struct xdp_md *ctx)
{
	struct flow_key flow = {};
	struct cursor c = {
		.flow = &flow,
		.ctx = ctx,
		.start = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
		.length = ctx->data_end - ctx->data,
		.access = XDP_PLAIN,
	};
	__u32 protocol = PROTOCOL_OF(parse(&c, 0));

	add_flow(&flow, opaque(protocol), 1, c.length);
	return 0;
}

__noinline int add_flow_xdp_frags(struct xdp_md *ctx)
{
	struct flow_key flow = {};
	struct cursor c = { .flow = &flow, .ctx = ctx, .length = bpf_xdp_get_buff_len(ctx), .access = XDP_FRAGS_COPY };
	__u32 protocol = PROTOCOL_OF(parse(&c, 0));

	add_flow(&flow, opaque(protocol), 1, c.length);
	return 0;
}

__noinline int add_flow_tc(struct __sk_buff *skb)
{
	struct flow_key flow = {}, inner;
	struct cursor c = { .flow = &flow, .ctx = skb, .length = skb->len, .access = TC_COPY };
	__u32 tag = skb->vlan_present ? VLAN_BYTES : 0, protocol = PROTOCOL_OF(parse(&c, !!skb->vlan_present));
	struct segments s = { .n = 1, .bytes = skb->len + tag };

	if (skb->gso_size)
		cut(skb, c.headers, &s);
	if (flow_inner) {
		__u32 inner_protocol = find_inner(skb, &inner, link_is_ip);

		if (inner_protocol < NO_INNER) {
			flow = inner;
			protocol = inner_protocol;
		}
	}
	add_flow(&flow, opaque(protocol), s.n, s.bytes);
	return 0;
}
