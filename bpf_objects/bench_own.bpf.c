// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The complete counter of bpftop, in the loop of the bench. */
#include "counter.bpf.c"
#include "bench_counters.bpf.h"

/* The length of a slot, as of a packet: not known when this is compiled, or clang would leave the size table out. */
const volatile __u32 slot_length = SLOT_BYTES;

__noinline int own_packet(struct xdp_md *ctx, __u32 at)
{
	struct flow_key flow = {};
	struct cursor c = {
		.flow = &flow,
		.ctx = ctx,
		.start = (void *)(long)ctx->data + (at & 0xfff),
		.end = (void *)(long)ctx->data_end,
		.length = slot_length,
		.access = XDP_PLAIN,
	};

	if (!count_plain(&c, 0))
		record(&c, parse(&c, 0), c.length);
	return XDP_PASS;
}
BENCH_PACKETS(own)
