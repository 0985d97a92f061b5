/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The table of flows: buckets of a few flows each, per CPU, without a helper call on the way of a packet of a known
 * flow. A BPF_MAP_TYPE_LRU_PERCPU_HASH took 42 to 50 ns for that where helpers return through Safe RET (AMD Zen 3). */
#ifndef FLOWS_BPF_H
#define FLOWS_BPF_H

const volatile __u32 flow_buckets = 1; /* in use, at most all of the map */
const volatile __u64 flow_idle_ns = 0; /* a flow that was silent for longer begins anew */

/* Random secrets of the hash below. */
const volatile __u64 flow_secret_0 = 1;
const volatile __u64 flow_secret_1 = 1;
const volatile __u64 flow_secret_2 = 1;
const volatile __u64 flow_secret_3 = 1;
const volatile __u64 flow_secret_4 = 1;
const volatile __u64 flow_secret_5 = 1;
const volatile __u64 flow_secret_6 = 1;
const volatile __u64 flow_secret_7 = 1;
const volatile __u64 flow_secret_8 = 1;
const volatile __u64 flow_secret_9 = 1;

/* CLOCK_MONOTONIC as of the last read of the table, set by user space: asking the kernel takes a call for each packet.
 */
__u64 flow_clock_ns = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOW_BUCKETS_MAX);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} flows SEC(".maps");

_Static_assert(sizeof(struct flow_key) == 5 * sizeof(__u64), "the hash has two secrets for each word of a key");

/* Two 32-bit halves of a word, each with a secret of its own: multilinear hashing (Lemire, Kaser 2014), of which two
 * keys have the same highest bits no more often than by chance, whoever chooses the keys. (A sum of word times secret
 * is cheaper, but the last byte of an address stands in the highest bits of its word: 64 516 flows between two /24 had
 * 256 different hashes.)
 *
 * Of three keys that holds no longer: flows between neighbouring addresses have hashes at equal distances, and with
 * some secrets many of those fall into one bucket. So the lower half is mixed with the higher one, and the higher one
 * with all of it: a bijection, and no longer linear. Of 40 000 tables of the flows between 40 and 40 neighbours, 119
 * lost flows without it, and none with it. */
#define HALVES(word, first, second) (((__u32)(word) + (first)) * (((word) >> 32) + (second)))

/* Never 0, which marks a free place. */
static __always_inline __u64 flow_hash(const struct flow_key *flow)
{
	const __u64 *words = (const void *)flow;
	__u64 hash = HALVES(words[0], flow_secret_0, flow_secret_1) + HALVES(words[1], flow_secret_2, flow_secret_3) +
		     HALVES(words[2], flow_secret_4, flow_secret_5) + HALVES(words[3], flow_secret_6, flow_secret_7) +
		     HALVES(words[4], flow_secret_8, flow_secret_9);

	return (hash ^ hash >> 32) * FLOW_MIX | 1;
}

/* Index of a way, of which the verifier knows only its range: it follows what comes next once and not once for each
 * way. */
static __always_inline __u32 any_way(__u32 way)
{
	asm volatile("%0 = be32 %0\n\t%0 = be32 %0" : "+r"(way));
	return way & (FLOW_WAYS - 1);
}

/* Put a flow into the place of the bucket's flow that was seen least recently; of flows that were seen in the same
 * tick, of the one with the fewest packets. A free place has never been seen. The hash is written last: a reader that
 * meets the key half written sees that they do not belong together. */
static __noinline struct flow_counts *insert_flow(struct flow_bucket *bucket, const struct flow_key *flow, __u64 hash)
{
	__u64 oldest_ns = bucket->counts[0].last_ns, fewest = bucket->counts[0].packets;
	struct flow_counts *counts;
	__u32 way = 0;

#pragma unroll
	for (__u32 i = 1; i < FLOW_WAYS; i++) {
		__u64 last_ns = bucket->counts[i].last_ns, count = bucket->counts[i].packets;

		if (last_ns < oldest_ns || (last_ns == oldest_ns && count < fewest)) {
			oldest_ns = last_ns;
			fewest = count;
			way = i;
		}
		way = any_way(way);
	}
	/* A flow that was silent for too long is not shown any more: it is no loss. */
	bucket->evicted += bucket->hashes[way] && flow_clock_ns - oldest_ns <= flow_idle_ns;
	bucket->hashes[way] = 0;
	asm volatile("" ::: "memory");
	counts = &bucket->counts[way];
	counts->packets = 0;
	counts->bytes = 0;
	counts->first_ns = flow_clock_ns;
	bucket->keys[way] = *flow;
	asm volatile("" ::: "memory");
	bucket->hashes[way] = hash;
	return counts;
}

static __always_inline int is_same_flow(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *left = (const void *)a, *right = (const void *)b;

	return left[0] == right[0] && left[1] == right[1] && left[2] == right[2] && left[3] == right[3] &&
	       left[4] == right[4];
}

static __always_inline void add_flow(struct flow_key *flow, __u32 protocol, __u64 packets, __u64 bytes)
{
	struct flow_counts *counts = NULL;
	struct flow_bucket *bucket;
	__u32 index, way = FLOW_WAYS;
	__u64 hash;

	if (protocol >= PROTOCOL_ARP)
		return;
	flow->l4_proto = protocol;
	hash = flow_hash(flow);
	index = (hash >> 32) * flow_buckets >> 32;
	bucket = bpf_map_lookup_elem(&flows, &index);
	if (!bucket)
		return;
#pragma unroll
	for (__u32 i = 0; i < FLOW_WAYS; i++)
		if (bucket->hashes[i] == hash) {
			way = i;
			break;
		}
	if (way < FLOW_WAYS) {
		way = any_way(way);
		if (is_same_flow(&bucket->keys[way], flow))
			counts = &bucket->counts[way];
	}
	if (!counts)
		counts = insert_flow(bucket, flow, hash);
	if (flow_clock_ns - counts->last_ns > flow_idle_ns) {
		counts->packets = 0;
		counts->bytes = 0;
		counts->first_ns = flow_clock_ns;
	}
	counts->last_ns = flow_clock_ns;
	counts->packets += packets;
	counts->bytes += bytes;
}

#endif
