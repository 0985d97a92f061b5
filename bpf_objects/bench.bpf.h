/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by the programs of the bench: a loop that runs a body many times in one BPF_PROG_TEST_RUN.
 *
 * The body takes a number and returns the next number, in most bodies a pseudo-random number. So the inputs change, and
 * each body waits for the result of the body before it; the time of an empty body can then be subtracted. A round is a
 * global function, because the verifier walks a global function once, whatever the number of rounds; bpf_loop would
 * need Linux 5.17. Each program returns the number of bodies that it ran. */
#ifndef BENCH_BPF_H
#define BENCH_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define BENCH_BODIES 32 /* bodies in a round; below the limit of 33 tail calls in one run */
#define BENCH_ROUNDS_MAX 4096
#define BENCH_REQUEST_AT 16 /* behind the Ethernet header, which a tc test-run reads */

struct bench_request {
	__u32 rounds;
	__u32 x;
};

/* The generator of Numerical Recipes, modulo 2^32: one multiplication, and its upper bits are random enough. */
static __always_inline __u32 bench_next(__u32 x)
{
	return x * 1664525 + 1013904223;
}

/* Keep the compiler from removing or predicting this value. */
#define BENCH_KEEP(value) asm volatile("" : "+r"(value))

/* Keep an argument: clang does not pass an unused argument, and the verifier then rejects the missing context. */
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

/* Define an XDP program with the body that follows. With a repeat of 1 the kernel does not switch the dispatcher. */
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

/* Define a raw tracepoint program with the body that follows. The request is in its first two arguments. */
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

/* Define a tc program with the body that follows: one round per run, for a large repeat. The number stays in the packet
 * for the next run. Bodies with tail calls need this, because one run allows 33 tail calls. */
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
