/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>

#include "clock.h"
#include "timed_runs.h"
#include "stop_flag.h"

static int take_turn(const struct bpftop_timed_runs *runs, const int *stop, struct bpftop_turn *turn)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = runs->packet, .data_size_in = runs->packet_bytes,
		    .ctx_in = runs->context, .ctx_size_in = runs->context_bytes, .repeat = (int)runs->repeat);
	uint64_t cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	turn->begin_ns = monotonic_ns();
	for (uint32_t call = 0; call < runs->calls;) {
		int rc = stop_requested(stop) ? -EINTR : bpf_prog_test_run_opts(runs->prog_fd, &opts);

		if (rc == -EINTR && !stop_requested(stop))
			continue; /* an unrelated signal ended the repeats early, so the call is repeated */
		if (rc)
			return rc;
		call++;
	}
	turn->end_ns = monotonic_ns();
	turn->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	turn->retval = opts.retval;
	turn->duration_ns = opts.duration;
	return 0;
}

/* The next number of a linear congruential generator (Numerical Recipes). */
static uint32_t next_number(uint32_t number)
{
	return number * 1664525 + 1013904223;
}

int bpftop_take_turns(const struct bpftop_timed_runs *runs, uint64_t until_ns, const int *stop,
		      struct bpftop_turn *turns, uint32_t max_turns)
{
	uint32_t turn = 0;

	do {
		int rc = take_turn(runs, stop, &turns[turn]);

		if (rc)
			return rc;
		if (runs->number)
			*(uint32_t *)runs->number = next_number(*(uint32_t *)runs->number);
	} while (turns[turn++].end_ns < until_ns && turn < max_turns);
	return (int)turn;
}
