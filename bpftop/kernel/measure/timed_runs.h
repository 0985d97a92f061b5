/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_PROG_TEST_RUN again and again on the calling thread. Python runs neither between two calls nor within a time. */
#ifndef BPFTOP_TIMED_RUNS_H
#define BPFTOP_TIMED_RUNS_H

#include <stdint.h>

/* One thread's test-runs. `calls` test-runs are timed together as one turn. */
struct bpftop_timed_runs {
	int prog_fd;
	void *packet; /* NULL for program types without a packet */
	uint32_t packet_bytes;
	void *context; /* NULL for none */
	uint32_t context_bytes;
	uint32_t repeat; /* 0 for program types that refuse to repeat */
	uint32_t calls;
	void *number; /* a uint32_t in `packet` or `context` that changes with each turn, or NULL */
};

struct bpftop_turn {
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC */
	uint64_t cpu_ns;	   /* CPU time of the thread: without sleeping in the call */
	uint32_t retval;
	uint32_t duration_ns; /* mean of the last call's repeats, in whole ns, as the kernel measured it */
};

/* Take turns until `until_ns` (CLOCK_MONOTONIC): at least one, at most `max_turns`. Return how many, or a negative
 * errno: -EINTR as soon as *stop is set. */
int bpftop_take_turns(const struct bpftop_timed_runs *runs, uint64_t until_ns, const int *stop,
		      struct bpftop_turn *turns, uint32_t max_turns);

#endif
