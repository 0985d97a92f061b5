// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A map operation many times in one program run, for BPF_PROG_TEST_RUN; attached nowhere. User space replaces all three
 * maps before loading, so their sizes and types below do not matter. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "profile_maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 8);
} subject SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct profile_step) + 8);
} steps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 8);
} values SEC(".maps");

const volatile __u32 value_bytes = 8; /* of the subject */

/* Define `run`. A function that returns NULL would not do: clang tests the lower half of the pointer, which the
 * verifier allows with CAP_PERFMON only. */
#define RUN_OF(ctx)                                            \
	struct profile_run *run = (void *)(long)(ctx)->data;   \
	if ((void *)(run + 1) > (void *)(long)(ctx)->data_end) \
	return XDP_ABORTED

/* Read the value, as users of a lookup do. The verifier knows value_bytes and removes three of the four branches. */
static __always_inline __u64 first_bytes(const void *value)
{
	if (value_bytes >= 8)
		return *(volatile const __u64 *)value;
	if (value_bytes >= 4)
		return *(volatile const __u32 *)value;
	if (value_bytes >= 2)
		return *(volatile const __u16 *)value;
	return *(volatile const __u8 *)value;
}

/* Loop over the operations; `step` is the entry of the operation. */
#define FOR_EACH_STEP(run, step)                                                                              \
	for (__u32 i = 0, at = (run)->first, end = (run)->steps; i < PROFILE_STEPS_MAX && i < end; i++, at++) \
		if ((step = bpf_map_lookup_elem(&steps, &at)))

SEC("xdp")
int profile_nothing(struct xdp_md *ctx)
{
	RUN_OF(ctx);
	const struct profile_step *step;
	__u32 wrong = 0;

	FOR_EACH_STEP(run, step)
	wrong += first_bytes(step->key) != step->expected;
	run->wrong = wrong;
	return XDP_PASS;
}

SEC("xdp")
int profile_lookup(struct xdp_md *ctx)
{
	RUN_OF(ctx);
	const struct profile_step *step;
	__u32 wrong = 0, missed = 0;

	FOR_EACH_STEP(run, step)
	{
		const void *value = bpf_map_lookup_elem(&subject, step->key);

		if (value)
			wrong += first_bytes(value) != step->expected;
		else
			missed++;
	}
	run->wrong = wrong;
	run->missed = missed;
	return XDP_PASS;
}

/* The reference for an update: look up the value to write, without the update. */
SEC("xdp")
int profile_no_update(struct xdp_md *ctx)
{
	RUN_OF(ctx);
	const struct profile_step *step;

	FOR_EACH_STEP(run, step)
	{
		__u32 at = step->value;
		const void *value = bpf_map_lookup_elem(&values, &at);

		asm volatile("" : : "r"(value), "r"(step->key)); /* keeps the compiler from removing the lookup */
	}
	return XDP_PASS;
}

SEC("xdp")
int profile_update(struct xdp_md *ctx)
{
	RUN_OF(ctx);
	const struct profile_step *step;
	__u32 failed = 0, flags;
	int rc = 0;

	flags = run->flags;
	FOR_EACH_STEP(run, step)
	{
		__u32 at = step->value;
		const void *value = bpf_map_lookup_elem(&values, &at);
		long outcome = value ? bpf_map_update_elem(&subject, step->key, value, flags) : -1;

		if (outcome) {
			failed++;
			rc = outcome;
		}
	}
	run->failed = failed;
	run->rc = rc;
	return XDP_PASS;
}

SEC("xdp")
int profile_delete(struct xdp_md *ctx)
{
	RUN_OF(ctx);
	const struct profile_step *step;
	__u32 failed = 0;
	int rc = 0;

	FOR_EACH_STEP(run, step)
	{
		long outcome = bpf_map_delete_elem(&subject, step->key);

		if (outcome) {
			failed++;
			rc = outcome;
		}
	}
	run->failed = failed;
	run->rc = rc;
	return XDP_PASS;
}

struct walk {
	__u64 sum;
	__u32 left;
};

static long visit(void *map, const void *key, void *value, struct walk *walk)
{
	walk->sum += first_bytes(value);
	return --walk->left == 0; /* 1 ends it */
}

SEC("xdp")
int profile_walk(struct xdp_md *ctx)
{
	RUN_OF(ctx);
	struct walk walk = {};

	walk.left = run->steps;
	run->done = bpf_for_each_map_elem(&subject, visit, &walk, 0);
	run->sum = walk.sum;
	return XDP_PASS;
}
