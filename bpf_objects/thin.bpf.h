/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow of one frame in N. The programs count every frame without its flow; a chosen frame is parsed once more, out
 * of line, for its flow alone: so the other frames pay for the choice and for nothing else. */
#ifndef THIN_BPF_H
#define THIN_BPF_H

#include "cursor.bpf.h"

#define SAMPLE_STEP 0x9e3779b1u /* 2^32 divided by the golden ratio, to an odd number */

const volatile __u32 flow_sample_below = 0; /* 2^32 / N */

/* Choose one frame in N. `number`: how many packets the frame's cell has on this CPU. Multiples of the golden ratio
 * spread evenly over the circle, and so does every k-th of them: the N-th part is chosen of flows that come in turn,
 * too. bpf_get_prandom_u32 takes longer for each frame than the table of flows (20 ns where helpers return through
 * Safe RET, AMD Zen 3). */
static __always_inline int is_sampled(__u32 number)
{
	return number * SAMPLE_STEP + (__u32)flow_secret_0 < flow_sample_below;
}

/* Add the flow of the frame to the table. */
int add_flow_xdp(struct xdp_md *ctx);
int add_flow_xdp_frags(struct xdp_md *ctx);
int add_flow_tc(struct __sk_buff *skb);

static __always_inline void add_sampled_flow(struct cursor *c)
{
	switch (c->access) {
	case XDP_PLAIN:
		add_flow_xdp(c->ctx);
		break;
	case XDP_FRAGS:
	case XDP_FRAGS_COPY:
		add_flow_xdp_frags(c->ctx);
		break;
	case TC:
	case TC_COPY:
		add_flow_tc(c->ctx);
		break;
	}
}

#endif
