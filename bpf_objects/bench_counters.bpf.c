// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A counter of packets and bytes per protocol, written with each suitable map type. Each implementation is a program
 * for an interface (whose sizes are shown) and a loop of the same function over a burst of frames (which is timed). */
#include "bench_counters.bpf.h"
#include "bpftop.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define MAP(name, kind, entries)              \
	struct {                              \
		__uint(type, kind);           \
		__uint(max_entries, entries); \
		__type(key, __u32);           \
		__type(value, struct cell);   \
	} name SEC(".maps")

MAP(shared_hash, BPF_MAP_TYPE_HASH, PROTOCOLS);
MAP(shared_array, BPF_MAP_TYPE_ARRAY, PROTOCOLS);
MAP(percpu_hash_map, BPF_MAP_TYPE_PERCPU_HASH, PROTOCOLS);
MAP(percpu_array_map, BPF_MAP_TYPE_PERCPU_ARRAY, PROTOCOLS);
/* Large, because each CPU reserves up to 128 free elements, and an eviction would lose counts. */
MAP(lru_percpu_hash_map, BPF_MAP_TYPE_LRU_PERCPU_HASH, 4096);

/* Find the protocol with as little work as possible: the field of IPv4, the next header of IPv6, or ARP. The offsets
 * hold for untagged Ethernet. */
static __always_inline __u32 protocol_of(const __u8 *frame)
{
	__u16 ethertype = frame[12] << 8 | frame[13];

	if (ethertype == 0x0800)
		return frame[23];
	if (ethertype == 0x86dd)
		return frame[20];
	return ethertype == 0x0806 ? PROTOCOL_ARP : PROTOCOL_OTHER_ETHERTYPE;
}

static __always_inline void add(struct cell *cell, __u64 bytes)
{
	cell->packets += 1;
	cell->bytes += bytes;
}

static __always_inline void add_atomic(struct cell *cell, __u64 bytes)
{
	__sync_fetch_and_add(&cell->packets, 1);
	__sync_fetch_and_add(&cell->bytes, bytes);
}

/* Return the cell of a protocol in a hash; insert a missing cell. Two CPUs that insert at once get the same cell. */
static __always_inline struct cell *lookup_or_insert(void *map, __u32 *protocol)
{
	struct cell *cell = bpf_map_lookup_elem(map, protocol), zero = {};

	if (cell)
		return cell;
	bpf_map_update_elem(map, protocol, &zero, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, protocol);
}

/* Define `name`_packet() with the body that follows, which counts one frame of `protocol` and `bytes`; the program; and
 * the loop. */
#define IMPLEMENTATION(name)                                                   \
	static __always_inline void name##_count(__u32 protocol, __u64 bytes); \
	static __always_inline int name##_at(struct xdp_md *ctx, __u32 at)     \
	{                                                                      \
		void *frame = (void *)(long)ctx->data + (at & 0xfff);          \
                                                                               \
		if (frame + SLOT_BYTES > (void *)(long)ctx->data_end)          \
			return XDP_PASS;                                       \
		name##_count(protocol_of(frame), SLOT_BYTES);                  \
		return XDP_PASS;                                               \
	}                                                                      \
	__noinline int name##_packet(struct xdp_md *ctx, __u32 at)             \
	{                                                                      \
		return name##_at(ctx, at);                                     \
	}                                                                      \
	SEC("xdp")                                                             \
	int name(struct xdp_md *ctx)                                           \
	{                                                                      \
		return name##_at(ctx, 0);                                      \
	}                                                                      \
	BENCH_PACKETS(name)                                                    \
	static __always_inline void name##_count(__u32 protocol, __u64 bytes)

/* The reference: a program that passes the packet. */
__noinline int empty_packet(struct xdp_md *ctx, __u32 at)
{
	BENCH_USE(ctx);
	BENCH_KEEP(at);
	return XDP_PASS;
}
BENCH_PACKETS(empty)

/* The naive version: if two CPUs add to one cell at once, one addition is lost. */
IMPLEMENTATION(naive)
{
	struct cell *cell = bpf_map_lookup_elem(&shared_hash, &protocol), first = { .packets = 1, .bytes = bytes };

	if (cell)
		add(cell, bytes);
	else
		bpf_map_update_elem(&shared_hash, &protocol, &first, BPF_ANY);
}

IMPLEMENTATION(hash_update)
{
	struct cell *cell = bpf_map_lookup_elem(&shared_hash, &protocol), next = { .packets = 1, .bytes = bytes };

	if (cell) {
		next.packets += cell->packets;
		next.bytes += cell->bytes;
	}
	bpf_map_update_elem(&shared_hash, &protocol, &next, BPF_ANY);
}

IMPLEMENTATION(hash_atomic)
{
	struct cell *cell = lookup_or_insert(&shared_hash, &protocol);

	if (cell)
		add_atomic(cell, bytes);
}

IMPLEMENTATION(array_atomic)
{
	struct cell *cell = bpf_map_lookup_elem(&shared_array, &protocol);

	if (cell)
		add_atomic(cell, bytes);
}

IMPLEMENTATION(percpu_hash)
{
	struct cell *cell = lookup_or_insert(&percpu_hash_map, &protocol);

	if (cell)
		add(cell, bytes);
}

IMPLEMENTATION(lru_percpu_hash)
{
	struct cell *cell = lookup_or_insert(&lru_percpu_hash_map, &protocol);

	if (cell)
		add(cell, bytes);
}

IMPLEMENTATION(percpu_array_atomic)
{
	struct cell *cell = bpf_map_lookup_elem(&percpu_array_map, &protocol);

	if (cell)
		add_atomic(cell, bytes);
}

IMPLEMENTATION(percpu_array)
{
	struct cell *cell = bpf_map_lookup_elem(&percpu_array_map, &protocol);

	if (cell)
		add(cell, bytes);
}
