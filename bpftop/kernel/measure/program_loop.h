/* SPDX-License-Identifier: Apache-2.0 */
/* Map operations inside the kernel: a program of bpf_objects/profile_maps.bpf.c does many operations in one
 * BPF_PROG_TEST_RUN. The duration of the run, less the duration of the same program without the operation, is their
 * time. */
#ifndef BPFTOP_PROGRAM_LOOP_H
#define BPFTOP_PROGRAM_LOOP_H

#include <stdint.h>

#include "loops.h"

/* One thread's programs. Steps and window of its loop are multiples of `each`. */
struct bpftop_program_loop {
	int prog_fd;
	int undo_prog_fd;    /* deletes before INSERT, inserts after DELETE */
	uint32_t first_step; /* the thread's first entry in the map of steps */
	uint32_t each;	     /* operations in one run */
	uint32_t cpu;	     /* of this thread */
	uint32_t value_mask; /* number of values that the programs write, less 1 */
	uint64_t base_ticks; /* duration of a run without the operation */
	uint64_t *own;	     /* per-CPU maps: by key, the pattern written on this CPU only; else NULL */
};

/* Write the steps of the loop into the map of steps. Return 0 or a negative errno. */
int bpftop_write_steps(const struct bpftop_subject *subject, const struct bpftop_loop *loop,
		       const struct bpftop_program_loop *programs, int steps_fd, uint32_t steps_in_map);

/* Write all values of one generation into the map of values. Return 0 or a negative errno. */
int bpftop_write_values(const struct bpftop_subject *subject, uint32_t generation, uint32_t value_mask, int values_fd);

/* Return the ticks of a run without the operation: the median of 15 runs; or a negative errno. */
int64_t bpftop_base_ticks(int prog_fd, uint32_t first_step, uint32_t steps);

/* Run LOOKUP, UPDATE, INSERT, DELETE or WALK until loop->run_ns have passed, a fault occurs, or *stop is set. */
void bpftop_run_program_loop(const struct bpftop_subject *subject, struct bpftop_loop *loop,
			     struct bpftop_program_loop *programs);

#endif
