/* SPDX-License-Identifier: Apache-2.0 */
/* Fill a whole map from user space. */
#ifndef BPFTOP_POPULATE_H
#define BPFTOP_POPULATE_H

#include <stdint.h>

/* Write `rows` keys and values, with `batch` by one system call, else by one per key. Return 0 or a negative errno. */
int bpftop_populate(int fd, uint32_t rows, uint32_t value_bytes, const uint32_t *keys, const void *values, int batch);

/* Delete `rows` keys, or write `zeros` to an array, whose keys stay. Return 0 or a negative errno. */
int bpftop_depopulate(int fd, uint32_t rows, const uint32_t *keys, const void *zeros);

#endif
