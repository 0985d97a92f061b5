/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs of the bench share: a loop that runs one body many times inside one BPF_PROG_TEST_RUN.
 *
 * The body takes a number and returns the next one, a pseudo-random one in most bodies, so that the inputs change and
 * each body waits for the one before it: what a body adds to an empty one can then be subtracted. The rounds are a
 * global function, because the verifier walks that once, whatever the number of rounds; bpf_loop (5.17) would do the
 * same on newer kernels only. Each program returns how many bodies it ran. */
#ifndef BENCH_BPF_H
#define BENCH_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define BENCH_BODIES 32 /* of a round; also below the limit of 33 tail calls in one run */
#define BENCH_ROUNDS_MAX 4096
#define BENCH_REQUEST_AT 16 /* behind the Ethernet header, which a tc test-run looks at */

struct bench_request {
	__u32 rounds;
	__u32 x;
};

/* Numerical Recipes' generator modulo 2^32: its upper bits are random enough, and it is one multiplication. */
static __always_inline __u32 bench_next(__u32 x)
{
	return x * 1664525 + 1013904223;
}

/* The compiler must neither drop nor foresee this value. */
#define BENCH_KEEP(value) asm volatile("" : "+r"(value))

/* An argument that clang believes unused is not passed, and then the verifier misses the context. */
#define BENCH_USE(value) asm volatile("" ::"r"(value))

#define BENCH_ROUNDS(name, context)                                      \
	static __always_inline __u32 name##_body(context *ctx, __u32 x); \
	__noinline int name##_round(context *ctx, __u32 x)               \
	{                                                                \
		BENCH_USE(ctx);                                          \
		for (int i = 0; i < BENCH_BODIES; i++) {                 \
			x = name##_body(ctx, x);                         \
			BENCH_KEEP(x);                                   \
		}                                                        \
		return x;                                                \
	}

#define BENCH_RUN(name, ctx, rounds, x)                                    \
	({                                                                 \
		__u32 done = 0;                                            \
                                                                           \
		for (; done < BENCH_ROUNDS_MAX && done < (rounds); done++) \
			x = name##_round(ctx, x);                          \
		BENCH_BODIES *done;                                        \
	})

/* An XDP program out of the body that follows. With a repeat of 1 the kernel switches no dispatcher. */
#define BENCH_XDP(name)                                                                     \
	BENCH_ROUNDS(name, struct xdp_md)                                                   \
	SEC("xdp")                                                                          \
	int name(struct xdp_md *ctx)                                                        \
	{                                                                                   \
		struct bench_request *request = (void *)(long)ctx->data + BENCH_REQUEST_AT; \
		__u32 rounds, x;                                                            \
                                                                                            \
		if ((void *)(request + 1) > (void *)(long)ctx->data_end)                    \
			return 0;                                                           \
		rounds = request->rounds;                                                   \
		x = request->x;                                                             \
		return BENCH_RUN(name, ctx, rounds, x);                                     \
	}                                                                                   \
	static __always_inline __u32 name##_body(struct xdp_md *ctx, __u32 x)

/* A raw tracepoint program out of the body that follows; the request is its first two arguments. */
#define BENCH_RAW_TP(name)                                     \
	BENCH_ROUNDS(name, struct bpf_raw_tracepoint_args)     \
	SEC("raw_tp")                                          \
	int name(struct bpf_raw_tracepoint_args *ctx)          \
	{                                                      \
		__u32 rounds = ctx->args[0], x = ctx->args[1]; \
                                                               \
		return BENCH_RUN(name, ctx, rounds, x);        \
	}                                                      \
	static __always_inline __u32 name##_body(struct bpf_raw_tracepoint_args *ctx, __u32 x)

/* A tc program out of the body that follows: one round a run, for a large repeat. The number is kept in the packet, so
 * that the next run goes on with it. Bodies that are tail calls need this, because one run allows 33 of them. */
#define BENCH_TC(name)                                                                      \
	static __always_inline __u32 name##_body(struct __sk_buff *skb, __u32 x);           \
	SEC("tc")                                                                           \
	int name(struct __sk_buff *skb)                                                     \
	{                                                                                   \
		struct bench_request *request = (void *)(long)skb->data + BENCH_REQUEST_AT; \
		__u32 x;                                                                    \
                                                                                            \
		if ((void *)(request + 1) > (void *)(long)skb->data_end)                    \
			return 0;                                                           \
		x = request->x;                                                             \
		for (int i = 0; i < BENCH_BODIES; i++) {                                    \
			x = name##_body(skb, x);                                            \
			BENCH_KEEP(x);                                                      \
		}                                                                           \
		request->x = x;                                                             \
		return BENCH_BODIES;                                                        \
	}                                                                                   \
	static __always_inline __u32 name##_body(struct __sk_buff *skb, __u32 x)

#endif
