/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flow_table.h"

#define CHUNK_BYTES (1 << 20)
#define CHUNK_MIN 256
#define CHUNK_MAX 4096
#define SLOTS_MIN 64

struct bpftop_flow_table {
	int fd;
	uint32_t cpus;
	uint32_t room; /* rows that each of the three arrays can hold */
	struct bpftop_flow *flows;
	uint32_t count;
	struct bpftop_flow *before; /* flows of the previous read */
	uint32_t before_count;
	struct bpftop_flow_group *groups;
	uint32_t removed; /* idle flows that the last read removed */
	uint32_t *slots;  /* hash table with open addressing: row + 1, or 0 in a free slot */
	uint32_t slot_room;
	uint32_t mask;
	uint64_t seed;
	uint32_t chunk; /* entries that one batch reads into `keys` and `values` */
	struct flow_key *keys;
	struct flow_counts *values;
};

/* Combine both halves of the product: addresses differ in the highest bits of a word, ports in the lowest. */
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

/* Empty the hash table and size it for twice `entries`. */
static void clear_slots(struct bpftop_flow_table *table, uint32_t entries)
{
	uint32_t size = SLOTS_MIN;

	while (size < 2 * entries)
		size *= 2;
	table->mask = size - 1;
	memset(table->slots, 0, size * sizeof(*table->slots));
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

static int resize_chunk(struct bpftop_flow_table *table, uint32_t chunk)
{
	free(table->keys);
	free(table->values);
	table->chunk = chunk;
	table->keys = malloc(chunk * sizeof(*table->keys));
	table->values = malloc((size_t)chunk * table->cpus * sizeof(*table->values));
	return table->keys && table->values ? 0 : -ENOMEM;
}

struct bpftop_flow_table *bpftop_flow_table_new(int fd, uint32_t cpus, uint32_t max_entries, uint64_t seed)
{
	struct bpftop_flow_table *table = calloc(1, sizeof(*table));
	uint32_t chunk = CHUNK_BYTES / (cpus * (uint32_t)sizeof(struct flow_counts));

	if (!table)
		return NULL;
	table->fd = fd;
	table->cpus = cpus;
	table->seed = seed;
	/* Flows come and go during a read, so there can be more than max_entries. Unused pages cost nothing. */
	table->room = 2 * max_entries;
	for (table->slot_room = SLOTS_MIN; table->slot_room < 2 * table->room;)
		table->slot_room *= 2;
	table->flows = malloc(table->room * sizeof(*table->flows));
	table->before = malloc(table->room * sizeof(*table->before));
	table->groups = malloc(table->room * sizeof(*table->groups));
	table->slots = malloc(table->slot_room * sizeof(*table->slots));
	chunk = chunk < CHUNK_MIN ? CHUNK_MIN : chunk > CHUNK_MAX ? CHUNK_MAX : chunk;
	if (!table->flows || !table->before || !table->groups || !table->slots || resize_chunk(table, chunk)) {
		bpftop_flow_table_free(table);
		return NULL;
	}
	return table;
}

/* Sum a flow over the CPUs into the next row. Return 1, or 0 if the flow is just being inserted: no CPU counted it. */
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
	uint64_t cursor[sizeof(struct flow_key) / sizeof(uint64_t)] = {};
	void *from = NULL;

	for (;;) {
		uint32_t count = table->chunk;
		int rc = bpf_map_lookup_batch(table->fd, from, cursor, table->keys, table->values, &count, NULL);

		if (rc == -ENOSPC) { /* a bucket has more entries than the chunk; the cursor has not moved */
			if (table->chunk >= table->room)
				return rc;
			rc = resize_chunk(table, 2 * table->chunk);
			if (rc)
				return rc;
			continue;
		}
		if (rc && rc != -ENOENT) /* ENOENT: the batch includes the last entry */
			return rc;
		from = cursor;
		for (uint32_t i = 0; i < count && table->count < table->room; i++)
			table->count += fold_flow(table, &table->keys[i], table->values + (size_t)i * table->cpus);
		if (rc || table->count == table->room)
			return 0;
	}
}

/* Return 1 unless the flow was evicted since the previous read and counted from 0 again. */
static int is_continued(const struct bpftop_flow *old, const struct bpftop_flow *flow)
{
	return flow->first_ns <= old->last_ns && flow->sums.packets >= old->sums.packets &&
	       flow->sums.bytes >= old->sums.bytes;
}

/* Set the totals of the previous read in each flow. */
static void pair_with_previous(struct bpftop_flow_table *table)
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
			if (is_continued(old, flow)) {
				flow->sums.packets_before = old->sums.packets;
				flow->sums.bytes_before = old->sums.bytes;
			}
			break;
		}
	}
}

/* Packets that arrive between the read and the removal are lost here, but all other counters have them. */
static int remove_idle(struct bpftop_flow_table *table, uint64_t idle_since_ns)
{
	uint32_t active = 0, idle = 0, from = 0;
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
		else if (active++ != row)
			table->flows[active - 1] = table->flows[row];
	}
	table->count = active;
	while (from < idle) {
		uint32_t done = idle - from;
		int rc = bpf_map_delete_batch(table->fd, keys + from, &done, NULL);

		table->removed += done;
		from += done;
		if (rc && rc != -ENOENT) { /* ENOENT: the flow was evicted meanwhile */
			free(keys);
			return rc;
		}
		from += rc == -ENOENT;
	}
	free(keys);
	return 0;
}

static void swap_reads(struct bpftop_flow_table *table)
{
	struct bpftop_flow *flows = table->flows;
	uint32_t count = table->count;

	table->flows = table->before;
	table->count = table->before_count;
	table->before = flows;
	table->before_count = count;
}

int bpftop_flow_table_read(struct bpftop_flow_table *table, uint64_t idle_since_ns)
{
	int rc;

	swap_reads(table);
	table->count = table->removed = 0;
	rc = read_all(table);
	if (rc) {
		swap_reads(table);
		return rc;
	}
	pair_with_previous(table);
	return remove_idle(table, idle_since_ns);
}

uint32_t bpftop_flow_table_count(const struct bpftop_flow_table *table)
{
	return table->count;
}

uint32_t bpftop_flow_table_removed(const struct bpftop_flow_table *table)
{
	return table->removed;
}

struct weighed_row {
	uint64_t weight;
	uint32_t row;
};

static int compare_weights(const void *a, const void *b)
{
	const struct weighed_row *left = a, *right = b;

	if (left->weight != right->weight)
		return left->weight < right->weight ? 1 : -1;
	return left->row < right->row ? -1 : left->row > right->row;
}

/* Write the numbers of the busiest rows as bpftop_flow_table_top() orders them. A row begins with its sums. */
static uint32_t rank(const void *rows, size_t row_bytes, uint32_t count, uint32_t most, uint32_t *out)
{
	struct weighed_row *by_packets = malloc(2 * ((size_t)count + 1) * sizeof(*by_packets)),
			   *by_bytes = by_packets + count;
	uint32_t ranked = 0;

	if (!by_packets)
		return 0;
	for (uint32_t row = 0; row < count; row++) {
		const struct bpftop_flow_sums *sums = (const void *)((const char *)rows + row * row_bytes);

		by_packets[row] = (struct weighed_row){ .weight = sums->packets - sums->packets_before, .row = row };
		by_bytes[row] = (struct weighed_row){ .weight = sums->bytes - sums->bytes_before, .row = row };
	}
	qsort(by_packets, count, sizeof(*by_packets), compare_weights);
	qsort(by_bytes, count, sizeof(*by_bytes), compare_weights);
	if (most > count)
		most = count;
	for (uint32_t i = 0; i < most; i++)
		out[ranked++] = by_packets[i].row;
	for (uint32_t i = 0; i < most; i++) {
		uint32_t known = 0;

		while (known < most && out[known] != by_bytes[i].row)
			known++;
		if (known == most)
			out[ranked++] = by_bytes[i].row;
	}
	free(by_packets);
	return ranked;
}

uint32_t bpftop_flow_table_top(const struct bpftop_flow_table *table, uint32_t most, struct bpftop_flow *out)
{
	uint32_t rows[2 * most + 1], ranked;

	ranked = rank(table->flows, sizeof(*table->flows), table->count, most, rows);
	for (uint32_t i = 0; i < ranked; i++)
		out[i] = table->flows[rows[i]];
	return ranked;
}

static void group_words(const struct flow_key *key, enum bpftop_flow_grouping grouping, uint64_t words[2])
{
	switch (grouping) {
	case FLOWS_BY_SOURCE:
		memcpy(words, key->saddr, sizeof(key->saddr));
		break;
	case FLOWS_BY_DESTINATION:
		memcpy(words, key->daddr, sizeof(key->daddr));
		break;
	case FLOWS_BY_DESTINATION_PORT:
		words[0] = key->dport;
		words[1] = key->l4_proto;
	}
}

uint32_t bpftop_flow_table_group(struct bpftop_flow_table *table, enum bpftop_flow_grouping grouping, uint32_t most,
				 struct bpftop_flow_group *out)
{
	uint32_t rows[2 * most + 1], count = 0, ranked;

	clear_slots(table, table->count);
	for (uint32_t row = 0; row < table->count; row++) {
		const struct bpftop_flow *flow = &table->flows[row];
		struct bpftop_flow_group *group;
		uint64_t words[2] = {};
		uint32_t slot;

		group_words(&flow->key, grouping, words);
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
	ranked = rank(table->groups, sizeof(*table->groups), count, most, rows);
	for (uint32_t i = 0; i < ranked; i++)
		out[i] = table->groups[rows[i]];
	return ranked;
}
