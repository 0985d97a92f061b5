/* SPDX-License-Identifier: Apache-2.0 */
/* Times of operations: read, taken off what reading costs, counted in a log-linear histogram
 * (bpftop/profile/statistics.py has the same buckets). Comes before the other loop_*.c, which use it: the build puts
 * all files of this folder into one translation unit, by name. */
#include <stdint.h>
#include <time.h>

#define TICKS_PER_NS 16
#define LINEAR_BITS 7
#define MAX_BITS 44
#define BUCKETS ((1 << LINEAR_BITS) + ((MAX_BITS - LINEAR_BITS) << (LINEAR_BITS - 1)))

struct bpftop_times {
	uint64_t counts[BUCKETS];
	uint64_t ticks;	    /* all times together, 1/16 ns */
	uint64_t entries;   /* map entries that they were for */
	uint64_t max_ticks; /* the longest time, per entry */
};

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* `ticks` were spent on `entries` entries, in one call. */
static void count_time(struct bpftop_times *times, uint64_t ticks, uint64_t entries)
{
	uint64_t each = ticks / entries;
	uint32_t bucket = (uint32_t)each;

	if (each >> MAX_BITS)
		each = (1ULL << MAX_BITS) - 1;
	if (each >> LINEAR_BITS) {
		int shift = 63 - __builtin_clzll(each) - (LINEAR_BITS - 1);

		bucket = (uint32_t)(shift << (LINEAR_BITS - 1)) + (uint32_t)(each >> shift);
	}
	times->counts[bucket]++;
	times->ticks += ticks;
	times->entries += entries;
	if (each > times->max_ticks)
		times->max_ticks = each;
}

/* The time from `begin_ns` to `end_ns` without `cost_ticks`. */
static inline uint64_t ticks_between(uint64_t begin_ns, uint64_t end_ns, uint64_t cost_ticks)
{
	uint64_t ticks = (end_ns - begin_ns) * TICKS_PER_NS;

	return ticks > cost_ticks ? ticks - cost_ticks : 0;
}

/* What two readings of the clock, one after the other, differ by, in ticks: the median of 101 means of 200 pairs. */
uint64_t bpftop_clock_ticks(void)
{
	uint64_t sorted[101];

	for (int round = 0; round < 101; round++) {
		uint64_t sum = 0;
		int at = round;

		for (int pair = 0; pair < 200; pair++) {
			uint64_t begin = clock_ns();

			sum += clock_ns() - begin;
		}
		for (; at > 0 && sorted[at - 1] > sum; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = sum;
	}
	return sorted[50] * TICKS_PER_NS / 200;
}

/* The step in which the clock advances: the least difference between two intervals that both are common (one in 1000 or
 * more), in nanoseconds. Rounding to whole ones adds rare intervals beside the common ones. */
uint64_t bpftop_clock_step_ns(void)
{
	uint32_t seen[256] = {}, pairs = 20000;
	uint64_t step = 0;

	for (uint32_t pair = 0; pair < pairs; pair++) {
		uint64_t begin = clock_ns(), apart = clock_ns() - begin;

		if (apart < 256)
			seen[apart]++;
	}
	for (int apart = 0, last = -1; apart < 256; apart++)
		if (seen[apart] >= pairs / 1000) {
			if (last >= 0 && (!step || (uint64_t)(apart - last) < step))
				step = (uint64_t)(apart - last);
			last = apart;
		}
	return step ? step : 1;
}
