/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by bench_dispatch.bpf.c and bench_tail.bpf.c: the 16 cases, and a small function. */
#ifndef BENCH_CASES_BPF_H
#define BENCH_CASES_BPF_H

#include "bench.bpf.h"

#define CASES 16
#define FOR_EACH_CASE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* A case does as little as possible, so that the time goes into finding the case. */
#define CASE_NUMBER(k) (0x9e37u * (2 * (k) + 1))

#define CASE_OF(x) ((x) >> 28)

/* Case 0 in seven of eight times, as if most packets were TCP; else any case. Computed without a branch, which would
 * cost as much as the chain. */
#define SKEWED_CASE_OF(x) ((x) >> 28 & -((((x) >> 25 & 7) - 1) >> 31))

/* The function that is inlined or called. It does little, so that the cost of the call is visible. */
static __always_inline __u32 work(__u32 x)
{
	return (x ^ x >> 7) + 0x9e37;
}

#endif
