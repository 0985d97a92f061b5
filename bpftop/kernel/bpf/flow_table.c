/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a table of flows whole, pairs it with the read before, and finds the busiest flows and groups of flows. In C,
 * because 65 536 flows are too many for Python, and because nobody else waits for the interpreter meanwhile. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpftop.h"

#define FLOWS_BY_SOURCE 0
#define FLOWS_BY_DESTINATION 1
#define FLOWS_BY_DESTINATION_PORT 2

#define FLOW_CHUNK_BYTES (1 << 20)
#define FLOW_CHUNK_LEAST 256
#define FLOW_CHUNK_MOST 4096

/* What was counted until a read and until the one before it; *_before are 0 for what that one did not find. */
struct bpftop_flow_sums {
	uint64_t packets;
	uint64_t bytes;
	uint64_t packets_before;
	uint64_t bytes_before;
};

/* A flow, all CPUs together. */
struct bpftop_flow {
	struct bpftop_flow_sums sums;
	struct flow_key key;
	uint64_t first_ns;
	uint64_t last_ns;
};

/* Flows that have something in common: `words` is an address, or a port and a protocol. */
struct bpftop_flow_group {
	struct bpftop_flow_sums sums;
	uint64_t words[2];
};

struct bpftop_flow_table {
	uint32_t count;	  /* of `flows`: what the last read found, without what it removed */
	uint32_t removed; /* by the last read, because they were idle */
	struct bpftop_flow *flows;

	int fd;
	uint32_t cpus;
	uint32_t room; /* of the three arrays */
	struct bpftop_flow *before;
	uint32_t before_count;
	struct bpftop_flow_group *groups;
	uint32_t *slots; /* a hash by open addressing: row + 1, 0 is free */
	uint32_t slot_room;
	uint32_t mask;
	uint64_t seed; /* nobody outside can choose addresses that collide */
	uint32_t chunk;
	struct flow_key *keys;
	struct flow_counts *values;
};

/* Both halves of a product: addresses differ in the highest bits of a word, ports in the lowest. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15ull;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static uint32_t key_hash(const struct bpftop_flow_table *table, const struct flow_key *key)
{
	const uint64_t *words = (const uint64_t *)key;
	uint64_t hash = table->seed;

	for (size_t i = 0; i < sizeof(*key) / sizeof(*words); i++)
		hash = mix(hash, words[i]);
	return (uint32_t)mix(hash, table->seed);
}

/* Empties the hash, with room for twice as many entries as are to come. */
static void clear_slots(struct bpftop_flow_table *table, uint32_t entries)
{
	uint32_t wanted = 64;

	while (wanted < 2 * entries)
		wanted *= 2;
	table->mask = wanted - 1;
	memset(table->slots, 0, wanted * sizeof(*table->slots));
}

void bpftop_flow_table_free(struct bpftop_flow_table *table)
{
	if (!table)
		return;
	free(table->flows);
	free(table->before);
	free(table->groups);
	free(table->slots);
	free(table->keys);
	free(table->values);
	free(table);
}

static int make_chunk(struct bpftop_flow_table *table, uint32_t chunk)
{
	free(table->keys);
	free(table->values);
	table->chunk = chunk;
	table->keys = malloc(chunk * sizeof(*table->keys));
	table->values = malloc((size_t)chunk * table->cpus * sizeof(*table->values));
	return table->keys && table->values ? 0 : -ENOMEM;
}

/* NULL where there is no memory. `fd` stays the caller's. While a table is read flows may come and go, so that more
 * than max_entries are found: twice as many have room, in memory that is not touched before it is needed. */
struct bpftop_flow_table *bpftop_flow_table_new(int fd, uint32_t cpus, uint32_t max_entries, uint64_t seed)
{
	struct bpftop_flow_table *table = calloc(1, sizeof(*table));
	uint32_t chunk = FLOW_CHUNK_BYTES / (cpus * (uint32_t)sizeof(struct flow_counts));

	if (!table)
		return NULL;
	table->fd = fd;
	table->cpus = cpus;
	table->seed = seed;
	table->room = 2 * max_entries;
	for (table->slot_room = 64; table->slot_room < 2 * table->room;)
		table->slot_room *= 2;
	table->flows = malloc(table->room * sizeof(*table->flows));
	table->before = malloc(table->room * sizeof(*table->before));
	table->groups = malloc(table->room * sizeof(*table->groups));
	table->slots = malloc(table->slot_room * sizeof(*table->slots));
	chunk = chunk < FLOW_CHUNK_LEAST ? FLOW_CHUNK_LEAST : chunk > FLOW_CHUNK_MOST ? FLOW_CHUNK_MOST : chunk;
	if (!table->flows || !table->before || !table->groups || !table->slots || make_chunk(table, chunk)) {
		bpftop_flow_table_free(table);
		return NULL;
	}
	return table;
}

/* 1, or 0 where the flow is just being inserted: no CPU has counted it yet. */
static uint32_t fold_flow(struct bpftop_flow_table *table, const struct flow_key *key, const struct flow_counts *counts)
{
	struct bpftop_flow *flow = &table->flows[table->count];

	memset(flow, 0, sizeof(*flow));
	flow->key = *key;
	for (uint32_t cpu = 0; cpu < table->cpus; cpu++, counts++) {
		if (!counts->first_ns)
			continue;
		flow->sums.packets += counts->packets;
		flow->sums.bytes += counts->bytes;
		if (!flow->first_ns || counts->first_ns < flow->first_ns)
			flow->first_ns = counts->first_ns;
		if (counts->last_ns > flow->last_ns)
			flow->last_ns = counts->last_ns;
	}
	return !!flow->first_ns;
}

static int read_all(struct bpftop_flow_table *table)
{
	uint64_t cursor[5] = {}; /* at least a key */
	int begun = 0;

	for (;;) {
		uint32_t found = table->chunk;
		int rc = bpf_map_lookup_batch(table->fd, begun ? cursor : NULL, cursor, table->keys, table->values,
					      &found, NULL);

		if (rc == -ENOSPC) { /* a bucket with more entries than the chunk holds; the cursor has not moved */
			if (table->chunk >= table->room)
				return rc;
			rc = make_chunk(table, 2 * table->chunk);
			if (rc)
				return rc;
			continue;
		}
		if (rc && rc != -ENOENT) /* ENOENT: the end */
			return rc;
		begun = 1;
		for (uint32_t i = 0; i < found && table->count < table->room; i++)
			table->count += fold_flow(table, &table->keys[i], table->values + (size_t)i * table->cpus);
		if (rc || table->count == table->room)
			return 0;
	}
}

/* And not one that was pushed out, came back and began anew. */
static int is_same(const struct bpftop_flow *old, const struct bpftop_flow *flow)
{
	return flow->first_ns <= old->last_ns && flow->sums.packets >= old->sums.packets &&
	       flow->sums.bytes >= old->sums.bytes;
}

/* What each flow had at the read before. */
static void pair(struct bpftop_flow_table *table)
{
	clear_slots(table, table->before_count);
	for (uint32_t row = 0; row < table->before_count; row++) {
		uint32_t slot = key_hash(table, &table->before[row].key) & table->mask;

		while (table->slots[slot])
			slot = (slot + 1) & table->mask;
		table->slots[slot] = row + 1;
	}
	for (uint32_t row = 0; row < table->count; row++) {
		struct bpftop_flow *flow = &table->flows[row];
		uint32_t slot = key_hash(table, &flow->key) & table->mask;

		for (; table->slots[slot]; slot = (slot + 1) & table->mask) {
			const struct bpftop_flow *old = &table->before[table->slots[slot] - 1];

			if (memcmp(&old->key, &flow->key, sizeof(flow->key)))
				continue;
			if (is_same(old, flow)) {
				flow->sums.packets_before = old->sums.packets;
				flow->sums.bytes_before = old->sums.bytes;
			}
			break;
		}
	}
}

/* A flow that was idle until the read and not after it loses the packets in between: they are counted everywhere else.
 */
static int remove_idle(struct bpftop_flow_table *table, uint64_t idle_since_ns)
{
	uint32_t kept = 0, idle = 0, from = 0;
	struct flow_key *keys;

	for (uint32_t row = 0; row < table->count; row++)
		idle += table->flows[row].last_ns < idle_since_ns;
	if (!idle)
		return 0;
	keys = malloc(idle * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	idle = 0;
	for (uint32_t row = 0; row < table->count; row++) {
		if (table->flows[row].last_ns < idle_since_ns)
			keys[idle++] = table->flows[row].key;
		else if (kept++ != row)
			table->flows[kept - 1] = table->flows[row];
	}
	table->count = kept;
	while (from < idle) {
		uint32_t done = idle - from;
		int rc = bpf_map_delete_batch(table->fd, keys + from, &done, NULL);

		table->removed += done;
		from += done;
		if (rc && rc != -ENOENT) { /* ENOENT: this one was pushed out meanwhile */
			free(keys);
			return rc;
		}
		from += rc == -ENOENT;
	}
	free(keys);
	return 0;
}

static void exchange(struct bpftop_flow_table *table)
{
	struct bpftop_flow *flows = table->flows;
	uint32_t count = table->count;

	table->flows = table->before;
	table->count = table->before_count;
	table->before = flows;
	table->before_count = count;
}

/* One read; flows that were not seen since `idle_since_ns` (CLOCK_MONOTONIC) are removed. 0 or a negative errno: then
 * the read before is still the last one. */
int bpftop_flow_table_read(struct bpftop_flow_table *table, uint64_t idle_since_ns)
{
	int rc;

	exchange(table);
	table->count = table->removed = 0;
	rc = read_all(table);
	if (rc) {
		exchange(table);
		return rc;
	}
	pair(table);
	return remove_idle(table, idle_since_ns);
}

struct weighed {
	uint64_t weight;
	uint32_t row;
};

static int heavier(const void *a, const void *b)
{
	const struct weighed *left = a, *right = b;

	if (left->weight != right->weight)
		return left->weight < right->weight ? 1 : -1;
	return left->row < right->row ? -1 : left->row > right->row;
}

/* Rows of the `most` heaviest by packets gained, then of those by bytes gained that are not among them. `rows` begin
 * with their sums; `out` has room for 2 * most. Returns how many; 0 where there is no memory. */
static uint32_t rank(const void *rows, size_t row_bytes, uint32_t count, uint32_t most, uint32_t *out)
{
	struct weighed *by_packets = malloc(2 * ((size_t)count + 1) * sizeof(*by_packets)),
		       *by_bytes = by_packets + count;
	uint32_t found = 0;

	if (!by_packets)
		return 0;
	for (uint32_t row = 0; row < count; row++) {
		const struct bpftop_flow_sums *sums = (const void *)((const char *)rows + row * row_bytes);

		by_packets[row] = (struct weighed){ sums->packets - sums->packets_before, row };
		by_bytes[row] = (struct weighed){ sums->bytes - sums->bytes_before, row };
	}
	qsort(by_packets, count, sizeof(*by_packets), heavier);
	qsort(by_bytes, count, sizeof(*by_bytes), heavier);
	if (most > count)
		most = count;
	for (uint32_t i = 0; i < most; i++)
		out[found++] = by_packets[i].row;
	for (uint32_t i = 0; i < most; i++) {
		uint32_t known = 0;

		while (known < most && out[known] != by_bytes[i].row)
			known++;
		if (known == most)
			out[found++] = by_bytes[i].row;
	}
	free(by_packets);
	return found;
}

/* The busiest flows of the last read into `out`, which has room for 2 * most. Returns how many. */
uint32_t bpftop_flow_table_top(const struct bpftop_flow_table *table, uint32_t most, struct bpftop_flow *out)
{
	uint32_t rows[2 * most + 1], found;

	found = rank(table->flows, sizeof(*table->flows), table->count, most, rows);
	for (uint32_t i = 0; i < found; i++)
		out[i] = table->flows[rows[i]];
	return found;
}

static void words_of(const struct flow_key *key, uint32_t by, uint64_t words[2])
{
	switch (by) {
	case FLOWS_BY_SOURCE:
		memcpy(words, key->saddr, sizeof(key->saddr));
		break;
	case FLOWS_BY_DESTINATION:
		memcpy(words, key->daddr, sizeof(key->daddr));
		break;
	default:
		words[0] = key->dport;
		words[1] = key->l4_proto;
	}
}

/* The busiest groups of the last read into `out`, which has room for 2 * most. Returns how many. */
uint32_t bpftop_flow_table_group(struct bpftop_flow_table *table, uint32_t by, uint32_t most,
				 struct bpftop_flow_group *out)
{
	uint32_t rows[2 * most + 1], count = 0, found;

	clear_slots(table, table->count);
	for (uint32_t row = 0; row < table->count; row++) {
		const struct bpftop_flow *flow = &table->flows[row];
		struct bpftop_flow_group *group;
		uint64_t words[2];
		uint32_t slot;

		words_of(&flow->key, by, words);
		slot = (uint32_t)mix(mix(mix(table->seed, words[0]), words[1]), table->seed) & table->mask;
		while (table->slots[slot] && memcmp(table->groups[table->slots[slot] - 1].words, words, sizeof(words)))
			slot = (slot + 1) & table->mask;
		if (!table->slots[slot]) {
			table->slots[slot] = ++count;
			memset(&table->groups[count - 1], 0, sizeof(*table->groups));
			memcpy(table->groups[count - 1].words, words, sizeof(words));
		}
		group = &table->groups[table->slots[slot] - 1];
		group->sums.packets += flow->sums.packets;
		group->sums.bytes += flow->sums.bytes;
		group->sums.packets_before += flow->sums.packets_before;
		group->sums.bytes_before += flow->sums.bytes_before;
	}
	found = rank(table->groups, sizeof(*table->groups), count, most, rows);
	for (uint32_t i = 0; i < found; i++)
		out[i] = table->groups[rows[i]];
	return found;
}
