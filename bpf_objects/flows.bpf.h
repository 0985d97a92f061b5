/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of flows. It is full for good under a flood of made-up addresses: then the flows that were not seen for the
 * longest time give way, which is what LRU is for. */
#ifndef FLOWS_BPF_H
#define FLOWS_BPF_H

const volatile __u32 flow_sample_1_in = 1;     /* packets chosen at random; 1: all of them */
const volatile __u32 flow_clock_is_coarse = 1; /* 18 ns a packet, where the precise one makes it 33; not before 5.11 */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, FLOWS_MAX);
	__type(key, struct flow_key);
	__type(value, struct flow_counts);
} flows SEC(".maps");

const struct flow_counts no_flow_counts = {};

static __always_inline void add_flow(struct flow_key *flow, __u32 protocol, __u64 packets, __u64 bytes)
{
	struct flow_counts *counts;
	__u64 now_ns;

	if (protocol >= PROTOCOL_ARP)
		return;
	if (flow_sample_1_in > 1 && (__u64)bpf_get_prandom_u32() * flow_sample_1_in >> 32)
		return;
	flow->l4_proto = protocol;
	counts = bpf_map_lookup_elem(&flows, flow);
	if (!counts) {
		/* EEXIST: another CPU was faster. Inserting sets all CPUs' values to zero. */
		bpf_map_update_elem(&flows, flow, &no_flow_counts, BPF_NOEXIST);
		counts = bpf_map_lookup_elem(&flows, flow);
		if (!counts)
			return;
	}
	now_ns = flow_clock_is_coarse ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns();
	if (!counts->first_ns)
		counts->first_ns = now_ns;
	counts->last_ns = now_ns;
	counts->packets += packets;
	counts->bytes += bytes;
}

#endif
