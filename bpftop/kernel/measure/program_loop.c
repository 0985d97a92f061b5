/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "profile_maps.h"
#include "program_loop.h"

#define BASE_RUNS 15

static uint32_t round_up_8(uint32_t bytes)
{
	return (bytes + 7) & ~7u;
}

static uint32_t step_bytes(const struct bpftop_subject *subject)
{
	return (uint32_t)sizeof(struct profile_step) + round_up_8(subject->key_bytes);
}

/* Return the bytes of a value that first_bytes() of the programs reads. */
static uint64_t first_bytes(const struct bpftop_subject *subject, uint64_t pattern, uint32_t slot)
{
	uint32_t bytes = 8;
	uint64_t word = pattern_word(subject, pattern, slot, 0), first = 0;

	while (bytes > subject->value_bytes)
		bytes /= 2;
	memcpy(&first, &word, bytes);
	return first;
}

static uint64_t written_pattern(const struct bpftop_loop *loop, const struct bpftop_program_loop *programs,
				uint32_t key)
{
	return PATTERN_SAME | pattern_of(loop->generation, key & programs->value_mask);
}

/* Map the memory of an array made with BPF_F_MMAPABLE. Return NULL and set errno on failure. */
static void *map_array(int fd, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int bpftop_write_steps(const struct bpftop_subject *subject, const struct bpftop_loop *loop,
		       const struct bpftop_program_loop *programs, int steps_fd, uint32_t steps_in_map)
{
	size_t bytes = (size_t)step_bytes(subject) * steps_in_map;
	unsigned char *memory = map_array(steps_fd, bytes);
	uint32_t slot = subject->slots > 1 ? programs->cpu : 0;

	if (!memory)
		return -errno;
	for (uint32_t i = 0; i < loop->steps; i++) {
		struct profile_step *step = (void *)(memory + (size_t)(programs->first_step + i) * step_bytes(subject));
		uint32_t key = loop->order[i];

		step->expected = first_bytes(subject, subject->written[key], slot);
		step->value = key & programs->value_mask;
		memcpy(step->key, key_at(subject, key), subject->key_bytes);
	}
	munmap(memory, bytes);
	return 0;
}

int bpftop_write_values(const struct bpftop_subject *subject, uint32_t generation, uint32_t value_mask, int values_fd)
{
	size_t bytes = (size_t)round_up_8(subject->value_bytes) * (value_mask + 1);
	unsigned char *memory = map_array(values_fd, bytes);

	if (!memory)
		return -errno;
	for (uint32_t value = 0; value <= value_mask; value++)
		write_slot(subject, PATTERN_SAME | pattern_of(generation, value), 0,
			   memory + (size_t)value * round_up_8(subject->value_bytes));
	munmap(memory, bytes);
	return 0;
}

static int test_run(int prog_fd, struct profile_run *run, uint32_t *duration_ns)
{
	struct profile_run in = *run;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &in, .data_size_in = sizeof(in), .data_out = run,
		    .data_size_out = sizeof(*run), .repeat = 1);
	int rc = bpf_prog_test_run_opts(prog_fd, &opts);

	*duration_ns = opts.duration;
	return rc ? rc : opts.retval == XDP_PASS ? 0 : -EPROTO;
}

int64_t bpftop_base_ticks(int prog_fd, uint32_t first_step, uint32_t steps)
{
	uint32_t sorted[BASE_RUNS], duration_ns, at;

	for (uint32_t n = 0; n < BASE_RUNS; n++) {
		struct profile_run run = { .first = first_step, .steps = steps };
		int rc = test_run(prog_fd, &run, &duration_ns);

		if (rc)
			return rc;
		for (at = n; at > 0 && sorted[at - 1] > duration_ns; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = duration_ns;
	}
	return (int64_t)sorted[BASE_RUNS / 2] * TICKS_PER_NS;
}

static void record_time(struct bpftop_loop *loop, const struct bpftop_program_loop *programs, uint32_t duration_ns,
			uint32_t entries)
{
	if (entries)
		count_time(&loop->times, ticks_between(0, duration_ns, programs->base_ticks), entries);
}

/* Store the patterns of the keys that one run, from step `first` on, has written or deleted. */
static void note_writes(const struct bpftop_subject *subject, const struct bpftop_loop *loop,
			const struct bpftop_program_loop *programs, uint32_t first, enum bpftop_operation operation)
{
	for (uint32_t i = 0; i < programs->each; i++) {
		uint32_t key = loop->order[first + i];
		uint64_t pattern =
			operation == OPERATION_DELETE ? PATTERN_ABSENT : written_pattern(loop, programs, key);

		if (programs->own)
			programs->own[key] = pattern;
		if (!programs->own || operation == OPERATION_DELETE)
			set_written(subject, key, pattern);
		else if (operation == OPERATION_INSERT) /* other CPUs' slots of a new key are zeros */
			set_written(subject, key, PATTERN_ZEROS);
	}
}

/* Run the program of `operation` once, from step `first` of the thread on. */
static int run_program(const struct bpftop_subject *subject, struct bpftop_loop *loop,
		       const struct bpftop_program_loop *programs, enum bpftop_operation operation, uint32_t first)
{
	struct profile_run run = { .first = programs->first_step + first, .steps = programs->each };
	int prog_fd = operation == loop->operation ? programs->prog_fd : programs->undo_prog_fd, rc;
	uint32_t duration_ns, key = loop->order[first];

	run.flags = operation == OPERATION_INSERT ? BPF_NOEXIST : subject->may_miss ? BPF_ANY : BPF_EXIST;
	rc = test_run(prog_fd, &run, &duration_ns);
	if (rc)
		return set_fault(&loop->fault, rc, key, "test-run the program of an operation");
	if (run.wrong)
		return set_fault(&loop->fault, EBADMSG, key, "compare the values of a program's run");
	if (subject->may_miss && run.rc == -ENOENT) {
		run.missed += run.failed;
		run.failed = 0;
	}
	if (run.failed)
		return set_fault(&loop->fault, run.rc, key,
				 operation == OPERATION_DELETE ? "delete in a program" : "update in a program");
	if (run.missed && !subject->may_miss)
		return set_fault(&loop->fault, ENOENT, key, "look up in a program");
	loop->missed += run.missed;
	if (operation == OPERATION_LOOKUP)
		loop->checked += programs->each - run.missed;
	else
		note_writes(subject, loop, programs, first, operation);
	if (operation == loop->operation)
		record_time(loop, programs, duration_ns, programs->each);
	return 0;
}

/* Walk the keys that the program walks, at most PROFILE_WALK_MAX: count, and sum the first bytes of the values. */
static int expect_walk(const struct bpftop_subject *subject, struct bpftop_loop *loop, uint32_t slot, uint64_t *sum,
		       uint32_t *count)
{
	unsigned char *keys = malloc(2 * (size_t)subject->key_bytes), *key = NULL, *next = keys;
	uint32_t number;
	int rc = keys ? 0 : -ENOMEM;

	for (*sum = 0, *count = 0; !rc && *count < PROFILE_WALK_MAX; ++*count) {
		rc = bpf_map_get_next_key(subject->fd, key, next);
		if (rc)
			break;
		number = number_of(subject, next);
		if (number == UINT32_MAX) {
			rc = -ENOKEY;
			break;
		}
		*sum += first_bytes(subject, subject->written[number], slot);
		key = next;
		next = keys + (next == keys ? subject->key_bytes : 0);
	}
	free(keys);
	return rc && rc != -ENOENT ? set_fault(&loop->fault, rc, 0, "walk the map") : 0;
}

static int walk_once(struct bpftop_loop *loop, const struct bpftop_program_loop *programs, uint64_t sum, uint32_t count)
{
	struct profile_run run = { .steps = PROFILE_WALK_MAX };
	uint32_t duration_ns;
	int rc = test_run(programs->prog_fd, &run, &duration_ns);

	if (rc)
		return set_fault(&loop->fault, rc, 0, "test-run the program that walks the map");
	if (run.done != count || run.sum != sum) {
		loop->fault.expected = run.done != count ? count : sum;
		loop->fault.actual = run.done != count ? run.done : run.sum;
		return set_fault(&loop->fault, EBADMSG, 0, "compare the values of a program's walk");
	}
	loop->checked += count;
	record_time(loop, programs, duration_ns, count);
	return 0;
}

/* Delete one block of keys and insert the block that was deleted longest ago. */
static int replace_once(const struct bpftop_subject *subject, struct bpftop_loop *loop,
			const struct bpftop_program_loop *programs)
{
	uint32_t ahead = (loop->position + loop->window) % loop->steps;

	if (run_program(subject, loop, programs, OPERATION_DELETE, ahead) ||
	    run_program(subject, loop, programs, OPERATION_INSERT, loop->position))
		return -1;
	loop->position = (loop->position + programs->each) % loop->steps;
	return 0;
}

static int run_once(const struct bpftop_subject *subject, struct bpftop_loop *loop,
		    const struct bpftop_program_loop *programs)
{
	if (loop->operation == OPERATION_INSERT || loop->operation == OPERATION_DELETE)
		return replace_once(subject, loop, programs);
	if (run_program(subject, loop, programs, loop->operation, loop->position))
		return -1;
	loop->position = (loop->position + programs->each) % loop->steps;
	return 0;
}

void bpftop_run_program_loop(const struct bpftop_subject *subject, struct bpftop_loop *loop,
			     struct bpftop_program_loop *programs)
{
	uint64_t sum = 0, end_ns;
	uint32_t count = 0;
	int rc = 0;

	if (loop->operation == OPERATION_WALK)
		rc = expect_walk(subject, loop, subject->slots > 1 ? programs->cpu : 0, &sum, &count);
	for (; !rc && loop->absent < loop->window && !stopped(subject); loop->absent += programs->each)
		rc = run_program(subject, loop, programs, OPERATION_DELETE,
				 (loop->position + loop->absent) % loop->steps);
	await_others(subject, loop->waiting);
	memset(&loop->times, 0, sizeof(loop->times)); /* deleting the window is not part of the measurement */
	end_ns = monotonic_ns() + loop->run_ns;
	while (!rc && !stopped(subject) && monotonic_ns() < end_ns)
		rc = loop->operation == OPERATION_WALK ? walk_once(loop, programs, sum, count)
						       : run_once(subject, loop, programs);
}
