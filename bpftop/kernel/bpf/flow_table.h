/* SPDX-License-Identifier: Apache-2.0 */
/* Read the map of flows, compare it with the previous read, and find the busiest flows and groups of flows. In C,
 * because 65 536 flows are too many for Python, and because other threads can run Python meanwhile. */
#ifndef BPFTOP_FLOW_TABLE_H
#define BPFTOP_FLOW_TABLE_H

#include <stdint.h>

#include "bpftop.h"

enum bpftop_flow_grouping { FLOWS_BY_SOURCE, FLOWS_BY_DESTINATION, FLOWS_BY_DESTINATION_PORT };

/* Totals at the last read and at the read before. The latter are 0 for a flow that is new. */
struct bpftop_flow_sums {
	uint64_t packets;
	uint64_t bytes;
	uint64_t packets_before;
	uint64_t bytes_before;
};

/* A flow, summed over all CPUs. Times are CLOCK_MONOTONIC. */
struct bpftop_flow {
	struct bpftop_flow_sums sums;
	struct flow_key key;
	uint64_t first_ns;
	uint64_t last_ns;
};

/* Flows with the same address, or with the same destination port (words[0]) and protocol (words[1]); then `sources` is
 * the number of their source addresses, else 0. */
struct bpftop_flow_group {
	struct bpftop_flow_sums sums;
	uint64_t words[2];
	uint64_t sources;
};

struct bpftop_flow_table;

/* Return a table of the map `fd` with so many buckets, and of the map behind the program's clock; both stay the
 * caller's. NULL without memory. `secrets` are the ten of the program's hash; `seed` makes the table's own hash
 * unpredictable. */
struct bpftop_flow_table *bpftop_flow_table_new(int fd, int clock_fd, uint32_t cpus, uint32_t buckets,
						const uint64_t *secrets, uint64_t seed);
void bpftop_flow_table_free(struct bpftop_flow_table *table);

/* Read the map by single look-ups from now on, as after a kernel before 5.13 has refused a batch. */
void bpftop_flow_table_refuse_batches(struct bpftop_flow_table *table);

/* Read all flows that were seen since `idle_since_ns` (CLOCK_MONOTONIC), then set the program's clock to `now_ns`.
 * Return 0 or a negative errno; then the table has no flows or some. */
int bpftop_flow_table_read(struct bpftop_flow_table *table, uint64_t now_ns, uint64_t idle_since_ns);

/* Return the number of flows of the last read, and of flows that gave way to others between the last two reads. */
uint32_t bpftop_flow_table_count(const struct bpftop_flow_table *table);
uint32_t bpftop_flow_table_evicted(const struct bpftop_flow_table *table);

/* Write the `most` busiest flows or groups of the last read by packets, then the `most` busiest by bytes that are not
 * among them. `out` has room for 2 * most. Return how many were written; 0 without memory. */
uint32_t bpftop_flow_table_top(const struct bpftop_flow_table *table, uint32_t most, struct bpftop_flow *out);
uint32_t bpftop_flow_table_group(struct bpftop_flow_table *table, enum bpftop_flow_grouping grouping, uint32_t most,
				 struct bpftop_flow_group *out);

#endif
