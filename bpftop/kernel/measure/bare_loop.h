/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of loops.c without checks and single times: measures what the loops add to an operation. */
#ifndef BPFTOP_BARE_LOOP_H
#define BPFTOP_BARE_LOOP_H

#include <stdint.h>

#include "loops.h"

/* Process `entries` entries with the operation of `loop`: LOOKUP, UPDATE, WALK or LOOKUP_BATCH (keys of up to 8 bytes).
 * Begin where the next run of `loop` would begin, and leave its position alone. Return the nanoseconds, or 0 if a call
 * failed. UPDATE writes zeros to the map, which the subject does not know. */
uint64_t bpftop_bare_loop(const struct bpftop_subject *subject, const struct bpftop_loop *loop, uint32_t entries);

#endif
