/* SPDX-License-Identifier: Apache-2.0 */
/* Loops over a map whose kernel answers anything: filling, one operation over and over, reading everything back. */
#include <stdlib.h>

#include "bpf/bpf_map.h"
#include "fake_kernel.h"
#include "measure/key_order.h"
#include "measure/loops.h"
#include "measure/populate.h"

#define STEPS_MAX 64

static void walk_keys(uint32_t key_bytes)
{
	uint32_t stored = take_below(&fake_kernel.input, 16), most = take_below(&fake_kernel.input, 64);
	unsigned char *keys = malloc((stored + 2) * key_bytes);
	int rc;

	if (bpftop_walk_keys(3, key_bytes, most, stored < most ? stored : most, keys, 1000000000, &fake_kernel.stop,
			     &rc) > most)
		abort();
	free(keys);
}

static void run_loop(struct bpftop_subject *subject, struct bpftop_loop *loop, const uint32_t *order, uint32_t steps)
{
	int waiting = 1;

	loop->operation = (enum bpftop_operation)take_below(&fake_kernel.input, OPERATION_TAKE_BATCH + 1);
	loop->batch_limit = 1 + take_below(&fake_kernel.input, steps);
	loop->batch = 1 + take_below(&fake_kernel.input, loop->batch_limit);
	loop->steady = take_below(&fake_kernel.input, 2);
	loop->generation = take_below(&fake_kernel.input, 256);
	loop->order = order;
	loop->steps = steps;
	loop->position = take_below(&fake_kernel.input, steps);
	loop->window = take_below(&fake_kernel.input, steps);
	loop->clock_ticks = 16;
	loop->run_ns = 1000000000;
	loop->waiting = &waiting;
	bpftop_run_loop(subject, loop);
}

static void try_subject(struct bpftop_subject *subject, uint32_t *order, uint32_t steps)
{
	struct bpftop_loop loop = {};
	struct bpftop_fault fault = {};
	uint64_t missed = 0;

	loop.cursor = calloc(1, subject->key_bytes < 8 ? 8 : subject->key_bytes);
	subject->universe = subject->population = bpftop_make_keys(subject, 0);
	fake_kernel.subject = subject;
	if (subject->universe &&
	    !bpftop_make_order((enum bpftop_key_order)take_below(&fake_kernel.input, ORDER_SHUFFLED + 1), 1, 0,
			       subject->universe, steps, order)) {
		bpftop_fill(subject, 0, subject->universe, 1, 0, &fault);
		run_loop(subject, &loop, order, steps);
		bpftop_verify(subject, NULL, NULL, 0, &missed, &fault);
	}
	free(loop.cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct bpftop_subject subject = { .fd = 3, .stop = &fake_kernel.stop };
	uint32_t steps, *order;

	fake_kernel = (struct fake_kernel){ .input = { .at = bytes, .left = size } };
	subject.key_kind = (enum bpftop_key_kind)take_below(&fake_kernel.input, KEYS_LPM + 1);
	subject.key_bytes = subject.key_kind == KEYS_ARRAY ? 4 : 5 + take_below(&fake_kernel.input, 12);
	subject.value_bytes = 1 + take_below(&fake_kernel.input, 64);
	subject.slots = 1 + take_below(&fake_kernel.input, 3);
	subject.slot_bytes = subject.slots > 1 ? (subject.value_bytes + 7) / 8 * 8 : subject.value_bytes;
	subject.universe = 1 + take_below(&fake_kernel.input, 64);
	subject.may_miss = take_below(&fake_kernel.input, 2);
	subject.table_mask = 127;
	subject.keys = calloc(subject.universe, subject.key_bytes);
	subject.written = calloc(subject.universe, sizeof(*subject.written));
	subject.table = calloc(subject.table_mask + 1, sizeof(*subject.table));
	steps = 1 + take_below(&fake_kernel.input, STEPS_MAX);
	order = malloc(steps * sizeof(*order));
	fake_kernel.key_bytes = subject.key_bytes;
	fake_kernel.value_bytes = (size_t)subject.slot_bytes * subject.slots;
	walk_keys(subject.key_bytes);
	try_subject(&subject, order, steps);
	free(subject.keys);
	free(subject.written);
	free(subject.table);
	free(order);
	return 0;
}
