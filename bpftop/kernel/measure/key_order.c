/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "hash_bits.h"
#include "key_order.h"

#define PRIME 4294967291ULL /* the largest prime below 2^32 */

/* Draw ranks with probability 1 / (rank + 1). Multiplying by a prime above any count permutes the ranks; else the
 * hottest entries of an array would share cache lines. */
static int zipf_order(uint64_t state, uint32_t first, uint32_t count, uint32_t steps, uint32_t *out)
{
	double *cumulated = malloc(count * sizeof(*cumulated)), sum = 0;

	if (!cumulated)
		return -ENOMEM;
	for (uint32_t rank = 0; rank < count; rank++)
		cumulated[rank] = sum += 1.0 / (rank + 1);
	for (uint32_t step = 0; step < steps; step++) {
		double drawn = (double)(hash_bits(state + step) >> 11) * 0x1p-53 * sum;
		uint32_t low = 0, high = count - 1;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (cumulated[middle] <= drawn)
				low = middle + 1;
			else
				high = middle;
		}
		out[step] = first + (uint32_t)(low * PRIME % count);
	}
	free(cumulated);
	return 0;
}

/* Return a pseudo-random number below `limit`. */
static uint32_t random_below(uint64_t state, uint32_t limit)
{
	return (uint32_t)((hash_bits(state) >> 32) * limit >> 32);
}

int bpftop_make_order(enum bpftop_key_order order, uint64_t seed, uint32_t first, uint32_t count, uint32_t steps,
		      uint32_t *out)
{
	uint64_t state = hash_bits(seed);

	if (order == ORDER_ZIPF)
		return zipf_order(state, first, count, steps, out);
	for (uint32_t step = 0; step < steps; step++)
		out[step] = first + (order == ORDER_UNIFORM ? random_below(state + step, count) : step % count);
	for (uint32_t step = steps; order == ORDER_SHUFFLED && step > 1; step--) {
		uint32_t other = random_below(state + step, step), key = out[step - 1];

		out[step - 1] = out[other];
		out[other] = key;
	}
	return 0;
}
