/* SPDX-License-Identifier: Apache-2.0 */
/* Read all rows of a per-CPU array into one buffer. */
#ifndef BPFTOP_DRAIN_H
#define BPFTOP_DRAIN_H

#include <stdint.h>

/* Read `rows` rows into `values`: row x possible CPU x value; a row takes `row_bytes`. With `batch` by one system call,
 * else by one per row: kernels before 5.13 refuse batches on this map type with ENOTSUPP (524). Return 0 or a negative
 * errno; -EPROTO if the kernel returned fewer rows than the map has. */
int bpftop_drain(int fd, uint32_t rows, uint32_t row_bytes, uint32_t *keys, void *values, int batch);

#endif
