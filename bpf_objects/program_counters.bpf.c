// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Read perf events before and after each run of another program, and add up the differences. Attached to the entry and
 * the exit of that program; its fd and function are set before loading. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "program_counters.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 cpus;     /* possible CPUs */
const volatile __u32 counters; /* events for each CPU */

/* The event of a counter on a CPU is at counter * cpus + CPU. User space sets the number of entries. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct program_counters);
} begins SEC(".maps"), totals SEC(".maps");

static __always_inline void read_events(struct program_counters *values)
{
	__u32 cpu = bpf_get_smp_processor_id();

	for (__u32 i = 0; i < PROGRAM_COUNTERS_MAX; i++) {
		struct bpf_perf_event_value value = {};

		if (i >= counters)
			break;
		if (bpf_perf_event_read_value(&events, i * cpus + cpu, &value, sizeof(value)))
			continue;
		values->counters[i].count = value.counter;
		values->counters[i].enabled_ns = value.enabled;
		values->counters[i].running_ns = value.running;
	}
}

SEC("fentry")
int read_at_entry(void *ctx)
{
	__u32 zero = 0;
	struct program_counters *begin = bpf_map_lookup_elem(&begins, &zero);

	if (begin) {
		begin->runs = 1; /* the exit belongs to an entry that was seen */
		read_events(begin);
	}
	return 0;
}

SEC("fexit")
int add_at_exit(void *ctx)
{
	__u32 zero = 0;
	struct program_counters *begin = bpf_map_lookup_elem(&begins, &zero);
	struct program_counters *total = bpf_map_lookup_elem(&totals, &zero);
	struct program_counters end = {};

	if (!begin || !total || !begin->runs)
		return 0;
	read_events(&end);
	for (int i = 0; i < PROGRAM_COUNTERS_MAX; i++) {
		total->counters[i].count += end.counters[i].count - begin->counters[i].count;
		total->counters[i].enabled_ns += end.counters[i].enabled_ns - begin->counters[i].enabled_ns;
		total->counters[i].running_ns += end.counters[i].running_ns - begin->counters[i].running_ns;
	}
	begin->runs = 0;
	total->runs++;
	return 0;
}
