// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The complete counter of bpftop, in the loop of the bench. */
#include "counter.bpf.c"
#include "bench_counters.bpf.h"

__noinline int own_packet(struct xdp_md *ctx, __u32 at)
{
	struct cursor c = {
		.ctx = ctx,
		.start = (void *)(long)ctx->data + (at & 0xfff),
		.end = (void *)(long)ctx->data_end,
		.length = SLOT_BYTES,
		.access = XDP_PLAIN,
	};
	struct parsed p = {};

	parse(&c, &p);
	record(&p, c.length);
	return XDP_PASS;
}
BENCH_PACKETS(own)
