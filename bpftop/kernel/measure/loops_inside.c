/* SPDX-License-Identifier: Apache-2.0 */
/* The operations inside the kernel: bpf_objects/profile_maps.bpf.c does many of them in one run, BPF_PROG_TEST_RUN
 * tells how long the run took, and the run of the same loop with no operation in it is taken off. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "profile_maps.h"

struct bpftop_inside {
	int program;
	int undo;	 /* INSERT: deletes before it; DELETE: inserts behind it */
	uint32_t region; /* the thread's first entry of the map of steps */
	uint32_t each;	 /* operations in one run */
	uint32_t cpu;	 /* this thread's */
	uint32_t value_mask;
	uint64_t base_ticks; /* of a run with no operation in it */
	uint64_t *own;	     /* per-CPU maps: by key, what was written on this CPU alone; else NULL */
};

static uint32_t up_to_8(uint32_t bytes)
{
	return (bytes + 7) & ~7u;
}

static uint32_t step_bytes(const struct bpftop_subject *s)
{
	return (uint32_t)sizeof(struct profile_step) + up_to_8(s->key_bytes);
}

/* What the program's first_bytes() reads of a value. */
static uint64_t first_bytes(const struct bpftop_subject *s, uint64_t pattern, uint32_t slot)
{
	uint32_t bytes = s->value_bytes >= 8 ? 8 : s->value_bytes >= 4 ? 4 : s->value_bytes >= 2 ? 2 : 1;
	uint64_t word = pattern_word(pattern, pattern_base(s, pattern, slot), 0), first = 0;

	memcpy(&first, &word, bytes);
	return first;
}

static inline uint64_t written_inside(const struct bpftop_loop *l, const struct bpftop_inside *in, uint32_t key)
{
	return PATTERN_SAME | pattern_of(l->generation, key & in->value_mask);
}

/* Memory of an array that was made with BPF_F_MMAPABLE; NULL with errno. */
static void *array_memory(int fd, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* Write the thread's steps, in the loop's order, into the map of steps. 0 or a negative errno. */
int bpftop_write_steps(const struct bpftop_subject *s, const struct bpftop_loop *l, const struct bpftop_inside *in,
		       int steps_fd, uint32_t steps_in_map)
{
	size_t bytes = (size_t)step_bytes(s) * steps_in_map;
	unsigned char *memory = array_memory(steps_fd, bytes);
	uint32_t slot = s->slots > 1 ? in->cpu : 0;

	if (!memory)
		return -errno;
	for (uint32_t i = 0; i < l->steps; i++) {
		struct profile_step *step = (void *)(memory + (size_t)(in->region + i) * step_bytes(s));
		uint32_t key = l->order[i];

		step->expected = first_bytes(s, s->written[key], slot);
		step->value = key & in->value_mask;
		memcpy(step->key, key_at(s, key), s->key_bytes);
	}
	munmap(memory, bytes);
	return 0;
}

/* Write all values that the programs may write, of one generation, into their map. 0 or a negative errno. */
int bpftop_write_values(const struct bpftop_subject *s, uint32_t generation, uint32_t value_mask, int values_fd)
{
	size_t bytes = (size_t)up_to_8(s->value_bytes) * (value_mask + 1);
	unsigned char *memory = array_memory(values_fd, bytes);

	if (!memory)
		return -errno;
	for (uint32_t value = 0; value <= value_mask; value++)
		write_slot(s, PATTERN_SAME | pattern_of(generation, value), 0,
			   memory + (size_t)value * up_to_8(s->value_bytes));
	munmap(memory, bytes);
	return 0;
}

static int test_run(int program, struct profile_run *run, uint32_t *duration_ns)
{
	struct profile_run in = *run;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &in, .data_size_in = sizeof(in), .data_out = run,
		    .data_size_out = sizeof(*run), .repeat = 1);
	int rc = bpf_prog_test_run_opts(program, &opts);

	*duration_ns = opts.duration;
	return rc ? rc : opts.retval == 2 /* XDP_PASS */ ? 0 : -EPROTO;
}

/* What a run costs with no operation in it: the median of 15, in ticks; negative errno. */
int64_t bpftop_base_ticks(int program, uint32_t first, uint32_t steps)
{
	uint32_t sorted[15], duration_ns, at;

	for (uint32_t n = 0; n < 15; n++) {
		struct profile_run run = { .first = first, .steps = steps };
		int rc = test_run(program, &run, &duration_ns);

		if (rc)
			return rc;
		for (at = n; at > 0 && sorted[at - 1] > duration_ns; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = duration_ns;
	}
	return (int64_t)sorted[7] * TICKS_PER_NS;
}

static void took_inside(struct bpftop_loop *l, const struct bpftop_inside *in, uint32_t duration_ns, uint32_t entries)
{
	if (entries)
		count_time(&l->times, ticks_between(0, duration_ns, in->base_ticks), entries);
}

/* Keep what a run from step `first` on has written, or taken away, beside the keys. */
static void note_writes(const struct bpftop_subject *s, const struct bpftop_loop *l, const struct bpftop_inside *in,
			uint32_t first, uint32_t operation)
{
	for (uint32_t i = 0; i < in->each; i++) {
		uint32_t key = l->order[first + i];
		uint64_t pattern = operation == DELETE ? PATTERN_ABSENT : written_inside(l, in, key);

		if (in->own)
			in->own[key] = pattern;
		if (!in->own || operation == DELETE)
			set_written(s, key, pattern);
		else if (operation == INSERT) /* the other CPUs' slots of a new key are zeros */
			set_written(s, key, PATTERN_ZEROS);
	}
}

/* One run of the program for `operation`, from step `first` of the thread on. */
static int run_inside(const struct bpftop_subject *s, struct bpftop_loop *l, const struct bpftop_inside *in,
		      uint32_t operation, uint32_t first)
{
	struct profile_run run = { .first = in->region + first, .steps = in->each };
	int program = operation == l->operation ? in->program : in->undo, rc;
	uint32_t duration_ns, key = l->order[first];

	run.flags = operation == INSERT ? BPF_NOEXIST : s->may_miss ? BPF_ANY : BPF_EXIST;
	rc = test_run(program, &run, &duration_ns);
	if (rc)
		return fault(&l->fault, rc, key, "test-run the program of an operation");
	if (run.wrong)
		return fault(&l->fault, EBADMSG, key, "compare the values of a program's run");
	if (s->may_miss && run.rc == -ENOENT) {
		run.missed += run.failed;
		run.failed = 0;
	}
	if (run.failed)
		return fault(&l->fault, run.rc, key,
			     operation == DELETE ? "delete in a program" : "update in a program");
	if (run.missed && !s->may_miss)
		return fault(&l->fault, ENOENT, key, "look up in a program");
	l->missed += run.missed;
	if (operation == LOOKUP)
		l->checked += in->each - run.missed;
	else
		note_writes(s, l, in, first, operation);
	if (operation == l->operation)
		took_inside(l, in, duration_ns, in->each);
	return 0;
}

/* The first keys that a walk gives, as a program's walk gives them too: how many, and the sum of their values' first
 * bytes. */
static int walk_outside(const struct bpftop_subject *s, struct bpftop_loop *l, uint32_t slot, uint64_t *sum,
			uint32_t *found)
{
	unsigned char *keys = malloc(2 * (size_t)s->key_bytes), *key = NULL, *next = keys;
	uint32_t number;
	int rc = keys ? 0 : -ENOMEM;

	for (*sum = 0, *found = 0; !rc && *found < PROFILE_WALK_MAX; ++*found) {
		rc = bpf_map_get_next_key(s->fd, key, next);
		if (rc)
			break;
		number = number_of(s, next);
		if (number == UINT32_MAX) {
			rc = -ENOKEY;
			break;
		}
		*sum += first_bytes(s, s->written[number], slot);
		key = next;
		next = keys + (next == keys ? s->key_bytes : 0);
	}
	free(keys);
	return rc && rc != -ENOENT ? fault(&l->fault, rc, 0, "walk the map") : 0;
}

static int walk_inside(struct bpftop_loop *l, const struct bpftop_inside *in, uint64_t sum, uint32_t found)
{
	struct profile_run run = { .steps = PROFILE_WALK_MAX };
	uint32_t duration_ns;
	int rc = test_run(in->program, &run, &duration_ns);

	if (rc)
		return fault(&l->fault, rc, 0, "test-run the program that walks the map");
	if (run.done != found || run.sum != sum) {
		l->fault.expected = run.done != found ? found : sum;
		l->fault.found = run.done != found ? run.done : run.sum;
		return fault(&l->fault, EBADMSG, 0, "compare the values of a program's walk");
	}
	l->checked += found;
	took_inside(l, in, duration_ns, found);
	return 0;
}

/* As in user space: one block of keys goes, and the one that has been gone for longest comes back. */
static int replace_inside(const struct bpftop_subject *s, struct bpftop_loop *l, const struct bpftop_inside *in)
{
	uint32_t ahead = (l->position + l->window) % l->steps;

	if (run_inside(s, l, in, DELETE, ahead) || run_inside(s, l, in, INSERT, l->position))
		return -1;
	l->position = (l->position + in->each) % l->steps;
	return 0;
}

static int once_inside(const struct bpftop_subject *s, struct bpftop_loop *l, const struct bpftop_inside *in)
{
	if (l->operation == INSERT || l->operation == DELETE)
		return replace_inside(s, l, in);
	if (run_inside(s, l, in, l->operation, l->position))
		return -1;
	l->position = (l->position + in->each) % l->steps;
	return 0;
}

/* As bpftop_run_loop, with the operations in programs: LOOKUP, UPDATE, INSERT, DELETE and WALK. The steps of the loop
 * and its window are multiples of what one run does. */
void bpftop_run_inside(const struct bpftop_subject *s, struct bpftop_loop *l, struct bpftop_inside *in)
{
	uint64_t sum = 0, end_ns;
	uint32_t found = 0;
	int rc = 0;

	if (l->operation == WALK)
		rc = walk_outside(s, l, s->slots > 1 ? in->cpu : 0, &sum, &found);
	for (; !rc && l->absent < l->window && !stopped(s); l->absent += in->each)
		rc = run_inside(s, l, in, DELETE, (l->position + l->absent) % l->steps);
	await_others(s, l->waiting);
	memset(&l->times, 0, sizeof(l->times)); /* the window is no part of it */
	end_ns = clock_ns() + l->run_ns;
	while (!rc && !stopped(s) && clock_ns() < end_ns)
		rc = l->operation == WALK ? walk_inside(l, in, sum, found) : once_inside(s, l, in);
}
