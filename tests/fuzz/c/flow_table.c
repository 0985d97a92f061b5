/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of a map of flows with any content, and the orders of the flows. */
#include <stdlib.h>

#include "bpf/flow_table.h"
#include "fake_kernel.h"

#define READS 4
#define MOST_MAX 64

static void read_once(struct bpftop_flow_table *table, uint32_t most)
{
	uint64_t idle_since_ns = take(&fake_kernel.input, 1);
	struct bpftop_flow *flows = malloc(2 * most * sizeof(*flows));
	struct bpftop_flow_group *groups = malloc(2 * most * sizeof(*groups));

	bpftop_flow_table_read(table, 200, idle_since_ns);
	if (bpftop_flow_table_top(table, most, flows) > 2 * most)
		abort();
	for (int grouping = FLOWS_BY_SOURCE; grouping <= FLOWS_BY_DESTINATION_PORT; grouping++)
		if (bpftop_flow_table_group(table, (enum bpftop_flow_grouping)grouping, most, groups) > 2 * most)
			abort();
	bpftop_flow_table_evicted(table);
	free(flows);
	free(groups);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t secrets[10]; /* zeros: flows with small numbers have the hash 1 */
	struct bpftop_flow_table *table;
	uint32_t cpus, buckets, most;

	fake_kernel = (struct fake_kernel){ .input = { .at = bytes, .left = size }, .key_bytes = sizeof(uint32_t) };
	cpus = 1 + take_below(&fake_kernel.input, 4);
	buckets = 1 + take_below(&fake_kernel.input, 32);
	most = 1 + take_below(&fake_kernel.input, MOST_MAX);
	fake_kernel.value_bytes = cpus * sizeof(struct flow_bucket);
	table = bpftop_flow_table_new(3, 4, cpus, buckets, secrets, take(&fake_kernel.input, 8));
	if (take_below(&fake_kernel.input, 4) == 3)
		bpftop_flow_table_refuse_batches(table);
	for (int i = 0; i < READS; i++) {
		read_once(table, most);
		if (bpftop_flow_table_count(table) > buckets * FLOW_WAYS * cpus)
			abort();
	}
	bpftop_flow_table_free(table);
	return 0;
}
