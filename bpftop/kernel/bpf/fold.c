/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "fold.h"

uint32_t bpftop_fold_rows(const uint64_t *values, uint32_t rows, uint32_t cpus, uint32_t columns, uint64_t *out,
			  uint32_t *active)
{
	uint32_t active_rows = 0, cells = cpus * columns, row, cpu, column, i;

	for (row = 0; row < rows; row++, values += cells) {
		uint64_t any = 0;

		for (i = 0; i < cells; i++)
			any |= values[i];
		if (!any)
			continue;
		for (column = 0; column < columns; column++)
			for (cpu = 0; cpu < cpus; cpu++)
				*out++ = values[cpu * columns + column];
		active[active_rows++] = row;
	}
	return active_rows;
}

uint32_t bpftop_fold_cells(const uint64_t *values, uint32_t cells, uint32_t cpus, uint32_t columns, uint64_t *out,
			   uint32_t *active)
{
	uint32_t active_cells = 0, width = cells * columns, cell, column, cpu, i;

	memcpy(out, values, (size_t)width * sizeof(*out));
	for (cpu = 1; cpu < cpus; cpu++)
		for (i = 0; i < width; i++)
			out[i] += values[(size_t)cpu * width + i];
	for (cell = 0; cell < cells; cell++) {
		uint64_t any = 0;

		for (column = 0; column < columns; column++)
			any |= out[cell * columns + column];
		if (!any)
			continue;
		for (column = 0; column < columns; column++)
			out[active_cells * columns + column] = out[cell * columns + column];
		active[active_cells++] = cell;
	}
	return active_cells;
}
