/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "clock.h"
#include "loop_clock.h"

#define LINEAR_BITS 7
#define MAX_BITS 44
#define ROUNDS 101
#define PAIRS_PER_ROUND 200
#define STEP_PAIRS 20000
#define INTERVALS 256

/* bpftop/measure/statistics.py has the same buckets. */
_Static_assert(TIME_BUCKETS == (1 << LINEAR_BITS) + ((MAX_BITS - LINEAR_BITS) << (LINEAR_BITS - 1)), "time buckets");

void count_time(struct bpftop_times *times, uint64_t ticks, uint64_t entries)
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

uint64_t bpftop_clock_ticks(void)
{
	uint64_t sorted[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t sum = 0;
		int at = round;

		for (int pair = 0; pair < PAIRS_PER_ROUND; pair++) {
			uint64_t begin = monotonic_ns();

			sum += monotonic_ns() - begin;
		}
		for (; at > 0 && sorted[at - 1] > sum; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = sum;
	}
	return sorted[ROUNDS / 2] * TICKS_PER_NS / PAIRS_PER_ROUND;
}

uint64_t bpftop_clock_step_ns(void)
{
	uint32_t pairs_by_interval[INTERVALS] = {};
	uint64_t step = 0;

	for (uint32_t pair = 0; pair < STEP_PAIRS; pair++) {
		uint64_t begin = monotonic_ns(), interval = monotonic_ns() - begin;

		if (interval < INTERVALS)
			pairs_by_interval[interval]++;
	}
	for (int interval = 0, last = -1; interval < INTERVALS; interval++) {
		if (pairs_by_interval[interval] < STEP_PAIRS / 1000)
			continue;
		if (last >= 0 && (!step || (uint64_t)(interval - last) < step))
			step = (uint64_t)(interval - last);
		last = interval;
	}
	return step ? step : 1;
}
