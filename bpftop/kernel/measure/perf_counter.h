/* SPDX-License-Identifier: Apache-2.0 */
/* Counters of perf_event_open. */
#ifndef BPFTOP_PERF_COUNTER_H
#define BPFTOP_PERF_COUNTER_H

#include <stdint.h>

/* Count an event of all processes on one CPU from now on. Return the descriptor or a negative errno. */
int bpftop_open_perf_counter(uint32_t type, uint64_t config, int cpu);

#endif
