/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a counting program with any content. */
#include <stdlib.h>

#include "bpf/drain.h"
#include "bpf/fold.h"
#include "fake_kernel.h"

#define CELLS (ROW_CELLS + 2 * ICMP_TYPES)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint32_t keys[COUNTER_ROWS], cpus;
	struct counter_row *rows;
	uint64_t *protocols, sums[COUNTER_ROWS * ROW_CELLS * 2];
	uint32_t numbers[CELLS];
	struct cell *cells;

	fake_kernel = (struct fake_kernel){ .input = { .at = bytes, .left = size }, .key_bytes = sizeof(*keys) };
	cpus = 1 + take_below(&fake_kernel.input, 4);
	fake_kernel.value_bytes = cpus * sizeof(*rows);
	rows = calloc(COUNTER_ROWS, fake_kernel.value_bytes);
	protocols = malloc(PROTOCOLS * 2 * cpus * sizeof(*protocols));
	cells = malloc(CELLS * sizeof(*cells));
	bpftop_drain(3, COUNTER_ROWS, (uint32_t)fake_kernel.value_bytes, keys, rows, take_below(&fake_kernel.input, 2));
	bpftop_sum_cpus((const uint64_t *)rows, COUNTER_ROWS, cpus, ROW_CELLS * 2, sums);
	if (bpftop_fold_protocols(rows, cpus, protocols, numbers) > PROTOCOLS ||
	    bpftop_fold_breakdowns(rows, cpus, cells, numbers) > CELLS)
		abort();
	free(rows);
	free(protocols);
	free(cells);
	return 0;
}
