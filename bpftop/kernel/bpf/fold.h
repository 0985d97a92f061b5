/* SPDX-License-Identifier: Apache-2.0 */
/* Reduce the rows of a counting program's map to the protocols and cells that are not zero. */
#ifndef BPFTOP_FOLD_H
#define BPFTOP_FOLD_H

#include <stdint.h>

#include "bpftop.h"

/* `rows` is row x CPU, as the kernel copies the map. Add the cells of plain frames to the cells that they stand for, in
 * place, then store packets x CPU and bytes x CPU of each protocol that is not zero in `protocols`, and their numbers
 * in `numbers`. Return how many there are. */
uint32_t bpftop_fold_protocols(struct counter_row *rows, uint32_t cpus, uint64_t *protocols, uint32_t *numbers);

/* After bpftop_fold_protocols() has changed the rows: sum every other cell over the CPUs, and store those that are not
 * zero in `cells` and their numbers in `numbers`. Cells are numbered from the joint cells of struct common_counters on,
 * then ICMP types, then ICMPv6 types. Return how many are not zero. */
uint32_t bpftop_fold_breakdowns(const struct counter_row *rows, uint32_t cpus, struct cell *cells, uint32_t *numbers);

/* Sum the values of a per-CPU map, row x CPU x word, over the CPUs to row x word. */
void bpftop_sum_cpus(const uint64_t *values, uint32_t rows, uint32_t cpus, uint32_t words, uint64_t *sums);

#endif
