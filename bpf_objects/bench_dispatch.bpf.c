// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Find one of 16 cases by a chain of branches, by a switch, and by a table; and run one function inlined, called, and
 * called as a global function. The tail calls for comparison are in bench_tail.bpf.c. */
#include "bench_cases.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

BENCH_TC(empty)
{
	return bench_next(x);
}

static __always_inline __u32 chain(__u32 x, __u32 which)
{
	__u32 add = 0;

	/* Hide the value, or the compiler turns the chain into a table or a tree. */
#define LINK(k)                               \
	do {                                  \
		BENCH_KEEP(which);            \
		if (which == (k)) {           \
			add = CASE_NUMBER(k); \
			goto found;           \
		}                             \
	} while (0);
	FOR_EACH_CASE(LINK)
#undef LINK
found:
	return bench_next(x ^ add);
}

BENCH_TC(branch_chain)
{
	return chain(x, CASE_OF(x));
}

BENCH_TC(branch_chain_skewed)
{
	return chain(x, SKEWED_CASE_OF(x));
}

BENCH_TC(switch_tree)
{
	__u32 add = 0;

	switch (CASE_OF(x)) {
#define ARM(k)                        \
	case k:                       \
		add = CASE_NUMBER(k); \
		BENCH_KEEP(add);      \
		break;
		FOR_EACH_CASE(ARM)
#undef ARM
	}
	return bench_next(x ^ add);
}

const __u32 numbers[CASES] = {
#define ENTRY(k) [k] = CASE_NUMBER(k),
	FOR_EACH_CASE(ENTRY)
#undef ENTRY
};

BENCH_TC(table)
{
	return bench_next(x ^ numbers[CASE_OF(x)]);
}

/* The reference for inlined, called and global functions. Without a random number, which would hide the call. */
BENCH_TC(empty_step)
{
	return x + 1;
}

BENCH_TC(inlined)
{
	return work(x);
}

static __noinline __u32 work_called(__u32 x)
{
	return work(x);
}

BENCH_TC(called)
{
	return work_called(x);
}

__noinline int work_global(__u32 x)
{
	return work(x);
}

BENCH_TC(called_global)
{
	return work_global(x);
}
