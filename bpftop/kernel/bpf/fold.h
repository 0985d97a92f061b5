/* SPDX-License-Identifier: Apache-2.0 */
/* Reduce the values of a per-CPU map to the rows that are not zero. */
#ifndef BPFTOP_FOLD_H
#define BPFTOP_FOLD_H

#include <stdint.h>

/* Transpose row x CPU x column to active row x column x CPU. Each function stores the numbers of the active rows (rows
 * that are not all zero) in `active` and returns their count. */
uint32_t bpftop_fold_rows(const uint64_t *values, uint32_t rows, uint32_t cpus, uint32_t columns, uint64_t *out,
			  uint32_t *active);

/* Sum CPU x cell x column over the CPUs to active cell x column. `out` has room for all cells. */
uint32_t bpftop_fold_cells(const uint64_t *values, uint32_t cells, uint32_t cpus, uint32_t columns, uint64_t *out,
			   uint32_t *active);

#endif
