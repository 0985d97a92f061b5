/* SPDX-License-Identifier: Apache-2.0 */
/* BPF_PROG_TEST_RUN again and again on the calling thread, with the clock read beside each call: Python takes part
 * neither between two calls nor between a call and its time. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <time.h>

/* What a thread does: `calls` test-runs are a turn, and a turn is timed. */
struct bpftop_contender {
	int prog_fd;
	void *packet; /* NULL for types that take none */
	uint32_t packet_bytes;
	void *context; /* NULL for none */
	uint32_t context_bytes;
	uint32_t repeat; /* 0 for types that refuse one */
	uint32_t calls;
	void *number; /* a uint32_t somewhere in packet or context that each turn changes, or NULL */
};

struct bpftop_turn {
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC */
	uint64_t cpu_ns;	   /* of this thread: sleeping in the call is not in it */
	uint32_t retval;
	uint32_t duration_ns; /* what the kernel says of the last call: whole ns, the mean of its repeats */
};

static uint64_t contend_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Set by other threads. */
static int contend_stopped(const int *stop)
{
	return __atomic_load_n(stop, __ATOMIC_RELAXED);
}

static int contend_turn(const struct bpftop_contender *contender, const int *stop, struct bpftop_turn *turn)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = contender->packet, .data_size_in = contender->packet_bytes,
		    .ctx_in = contender->context, .ctx_size_in = contender->context_bytes,
		    .repeat = (int)contender->repeat);
	uint64_t cpu_ns = contend_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	turn->begin_ns = contend_clock_ns(CLOCK_MONOTONIC);
	for (uint32_t call = 0; call < contender->calls;) {
		int rc = contend_stopped(stop) ? -EINTR : bpf_prog_test_run_opts(contender->prog_fd, &opts);

		if (rc == -EINTR && !contend_stopped(stop))
			continue; /* somebody else's signal ended the repeats early: this call does not count */
		if (rc)
			return rc;
		call++;
	}
	turn->end_ns = contend_clock_ns(CLOCK_MONOTONIC);
	turn->cpu_ns = contend_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns;
	turn->retval = opts.retval;
	turn->duration_ns = opts.duration;
	return 0;
}

/* Turns until `until_ns` (CLOCK_MONOTONIC), at least one, at most `room`. Returns how many there were, or a negative
 * errno: -EINTR as soon as *stop is set. */
int bpftop_contend(const struct bpftop_contender *contender, uint64_t until_ns, const int *stop,
		   struct bpftop_turn *turns, uint32_t room)
{
	uint32_t turn = 0;

	do {
		int rc = contend_turn(contender, stop, &turns[turn]);

		if (rc)
			return rc;
		if (contender->number)
			*(uint32_t *)contender->number = *(uint32_t *)contender->number * 1664525 + 1013904223;
	} while (turns[turn++].end_ns < until_ns && turn < room);
	return (int)turn;
}
