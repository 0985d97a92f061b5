// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Values in registers, and values that go through the stack. */
#include "bench.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A store to the stack and a load from the stack, as a compiler emits when it runs out of registers. */
#define SPILL(value)                           \
	({                                     \
		volatile __u64 slot = (value); \
		slot;                          \
	})
#define STAY(value) (value)

/* Three steps, each of which depends on the step before; below, four times these. */
#define MIX(a, b, c, FIRST, SECOND, THIRD) \
	do {                               \
		a = FIRST((c) ^ (b));      \
		b = SECOND((a) + (c));     \
		c = THIRD((b) ^ (a) >> 5); \
	} while (0)

#define MIX_FOUR(x, FIRST, SECOND, THIRD, OTHERS)         \
	({                                                \
		__u64 a = (x), b = a ^ 0x9e37, c = a + 3; \
                                                          \
		MIX(a, b, c, FIRST, SECOND, THIRD);       \
		MIX(a, b, c, OTHERS, OTHERS, OTHERS);     \
		MIX(a, b, c, OTHERS, OTHERS, OTHERS);     \
		MIX(a, b, c, OTHERS, OTHERS, OTHERS);     \
		bench_next((__u32)(a + b + c));           \
	})

BENCH_XDP(empty)
{
	return bench_next(x);
}

BENCH_XDP(registers)
{
	return MIX_FOUR(x, STAY, STAY, STAY, STAY);
}

BENCH_XDP(one_spill)
{
	return MIX_FOUR(x, SPILL, STAY, STAY, STAY);
}

BENCH_XDP(three_spills)
{
	return MIX_FOUR(x, SPILL, SPILL, SPILL, STAY);
}

BENCH_XDP(twelve_spills)
{
	return MIX_FOUR(x, SPILL, SPILL, SPILL, SPILL);
}
