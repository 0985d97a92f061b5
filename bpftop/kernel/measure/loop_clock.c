/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>

#include "clock.h"
#include "loop_clock.h"

#define LINEAR_BITS 7
#define MAX_BITS 44
#define ROUNDS 101
#define PAIRS_PER_ROUND 200
#define STEP_PAIRS 40000
#define DELAYS 64      /* so that the intervals cover some 100 ns */
#define INTERVALS 4096 /* a HPET steps by 70 ns, the ACPI timer by 279 ns */
#define COMMON_PAIRS (STEP_PAIRS / 2000)
#define GROUP_GAP 3 /* ns without a common interval between two steps of the clock */

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

/* Read the clock twice, `turns` turns of a loop apart. */
static uint64_t interval_ns(uint32_t turns)
{
	uint64_t begin = monotonic_ns();

	for (volatile uint32_t turn = 0; turn < turns; turn++)
		;
	return monotonic_ns() - begin;
}

/* Return the mean of the group of common intervals from *at on, and move *at behind the group; 0 without a group. */
static double next_group_ns(const uint32_t *pairs, uint32_t *at)
{
	uint64_t sum = 0, count = 0;

	for (uint32_t empty = 0; *at < INTERVALS && empty < GROUP_GAP; ++*at) {
		if (pairs[*at] >= COMMON_PAIRS) {
			sum += (uint64_t)*at * pairs[*at];
			count += pairs[*at];
			empty = 0;
		} else if (count) {
			empty++;
		}
	}
	return count ? (double)sum / (double)count : 0;
}

uint64_t bpftop_clock_step_ns(void)
{
	uint32_t pairs[INTERVALS] = {}, at = 0, steps = 0;
	double last_ns = 0, sum_ns = 0, least_ns = INTERVALS, group_ns;

	for (uint32_t pair = 0; pair < STEP_PAIRS; pair++) {
		uint64_t interval = interval_ns(pair % DELAYS);

		if (interval < INTERVALS)
			pairs[interval]++;
	}
	while ((group_ns = next_group_ns(pairs, &at)) > 0) {
		if (last_ns > 0 && group_ns - last_ns < least_ns)
			least_ns = group_ns - last_ns;
		last_ns = group_ns;
	}
	for (at = 0, last_ns = 0; (group_ns = next_group_ns(pairs, &at)) > 0; last_ns = group_ns) {
		if (last_ns > 0 && group_ns - last_ns < 1.5 * least_ns) {
			sum_ns += group_ns - last_ns;
			steps++;
		}
	}
	return steps ? (uint64_t)(sum_ns / steps + 0.5) : 1;
}
