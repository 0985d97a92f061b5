/* SPDX-License-Identifier: Apache-2.0 */
/* Times of map operations: a log-linear histogram, and what reading the clock adds to a time. */
#ifndef BPFTOP_LOOP_CLOCK_H
#define BPFTOP_LOOP_CLOCK_H

#include <stdint.h>

#define TICKS_PER_NS 16
#define TIME_BUCKETS 2496 /* 128 of one tick each, then 64 per power of two up to 2^44 ticks (18 minutes) */

/* Times of calls. A call on several map entries is counted with its mean time per entry. */
struct bpftop_times {
	uint64_t counts[TIME_BUCKETS]; /* calls, by time per entry in ticks */
	uint64_t ticks;		       /* sum of all times */
	uint64_t entries;	       /* map entries of all calls */
	uint64_t max_ticks;	       /* longest time per entry */
};

/* Return the ticks between two consecutive clock readings: the median of 101 means of 200 pairs. */
uint64_t bpftop_clock_ticks(void);

/* Return the resolution of the clock in nanoseconds: the mean distance between neighbouring groups of common intervals.
 * A clock that steps by 10 ns shows 20 and 21, then 29 to 31: rounding to whole ns makes a group of each step. A clock
 * whose intervals leave no gaps of 3 ns counts as one of 1 ns. */
uint64_t bpftop_clock_step_ns(void);

#ifndef FOR_CFFI
/* Count one call that took `ticks` for `entries` map entries. */
void count_time(struct bpftop_times *times, uint64_t ticks, uint64_t entries);

/* Return the ticks from `begin_ns` to `end_ns` without `cost_ticks`, at least 0. */
static inline uint64_t ticks_between(uint64_t begin_ns, uint64_t end_ns, uint64_t cost_ticks)
{
	uint64_t ticks = (end_ns - begin_ns) * TICKS_PER_NS;

	return ticks > cost_ticks ? ticks - cost_ticks : 0;
}
#endif

#endif
