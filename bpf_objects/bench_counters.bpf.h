/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A burst of frames inside one packet, for programs that count one frame at a time. */
#ifndef BENCH_COUNTERS_BPF_H
#define BENCH_COUNTERS_BPF_H

#include "bench.bpf.h"

#define SLOTS 32
#define SLOT_BYTES 64
#define SLOTS_AT 64
#define SLOT_OF(x) (SLOTS_AT + ((x) >> 27) * SLOT_BYTES)

/* Define `name`_loop: name_packet() for random frames of the burst, as often as the request says. The next choice does
 * not depend on the counting, just as the next packet of a NIC does not. */
#define BENCH_PACKETS(name)                     \
	BENCH_XDP(name##_loop)                  \
	{                                       \
		name##_packet(ctx, SLOT_OF(x)); \
		return bench_next(x);           \
	}

#endif
