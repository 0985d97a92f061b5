/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which a loop visits the keys of a map. */
#ifndef BPFTOP_KEY_ORDER_H
#define BPFTOP_KEY_ORDER_H

#include <stdint.h>

enum bpftop_key_order { ORDER_SEQUENTIAL, ORDER_UNIFORM, ORDER_ZIPF, ORDER_SHUFFLED };

/* Write `steps` key numbers of the range that begins at `first` and has `count` numbers. SHUFFLED visits each number
 * once. Return 0 or -ENOMEM. */
int bpftop_make_order(enum bpftop_key_order order, uint64_t seed, uint32_t first, uint32_t count, uint32_t steps,
		      uint32_t *out);

#endif
