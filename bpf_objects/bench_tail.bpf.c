// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tail calls, for comparison with bench_dispatch.bpf.c: one run is a chain of 32 tail calls. A program passes values to
 * the next program in the context, because registers and stack do not survive a tail call. */
#include "bench_cases.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { NUMBER, LEFT };

static __always_inline int finish(struct __sk_buff *skb, __u32 x)
{
	struct bench_request *request = (void *)(long)skb->data + BENCH_REQUEST_AT;

	if ((void *)(request + 1) > (void *)(long)skb->data_end)
		return 0;
	request->x = x;
	return BENCH_BODIES;
}

static __always_inline __u32 begin(struct __sk_buff *skb)
{
	struct bench_request *request = (void *)(long)skb->data + BENCH_REQUEST_AT;

	if ((void *)(request + 1) > (void *)(long)skb->data_end)
		return 0;
	skb->cb[NUMBER] = request->x;
	skb->cb[LEFT] = BENCH_BODIES;
	return request->x;
}

#define DECLARE(k) int case_##k(struct __sk_buff *skb);
FOR_EACH_CASE(DECLARE)
#undef DECLARE

int same(struct __sk_buff *skb);

#define SLOT(k) [k] = (void *)&case_##k,
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, CASES);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} handlers SEC(".maps") = { .values = { FOR_EACH_CASE(SLOT) } };
#undef SLOT

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct __sk_buff *));
} only SEC(".maps") = { .values = { [0] = (void *)&same } };

/* Tail-call the next program in `map`, or finish when all bodies have run. Returns only then, or if the tail call
 * fails. */
#define HAND_ON(skb, map, slot, x)                \
	({                                        \
		__u32 left = (skb)->cb[LEFT] - 1; \
                                                  \
		if (!left)                        \
			return finish(skb, x);    \
		(skb)->cb[NUMBER] = (x);          \
		(skb)->cb[LEFT] = left;           \
		bpf_tail_call(skb, &map, slot);   \
		0;                                \
	})

#define HANDLER(k)                                                      \
	SEC("tc")                                                       \
	int case_##k(struct __sk_buff *skb)                             \
	{                                                               \
		__u32 x = bench_next(skb->cb[NUMBER] ^ CASE_NUMBER(k)); \
                                                                        \
		return HAND_ON(skb, handlers, CASE_OF(x), x);           \
	}
FOR_EACH_CASE(HANDLER)
#undef HANDLER

SEC("tc")
int tail_table(struct __sk_buff *skb)
{
	__u32 x = begin(skb);

	bpf_tail_call(skb, &handlers, CASE_OF(x));
	return 0;
}

/* A program that tail-calls itself by a constant slot, which the kernel turns into a direct jump. */
SEC("tc")
int same(struct __sk_buff *skb)
{
	__u32 x = work(skb->cb[NUMBER]);

	return HAND_ON(skb, only, 0, x);
}

SEC("tc")
int tail_fixed(struct __sk_buff *skb)
{
	begin(skb);
	bpf_tail_call(skb, &only, 0);
	return 0;
}
