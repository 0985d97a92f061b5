/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "flow_table.h"

#define ENOTSUPP 524 /* the kernel's own; errno.h has no name for it */
#define FLOW_KEY_WORDS (sizeof(struct flow_key) / sizeof(uint64_t))
#define CHUNK_BYTES (1 << 20)
#define SLOTS_MIN 64

/* The entry that the previous read found in one place of the map, to tell what its flow gained. */
struct place {
	uint64_t hash;
	uint64_t first_ns;
	uint64_t packets;
	uint64_t bytes;
};

struct bpftop_flow_table {
	int fd;
	int clock_fd;
	int batch; /* 0 after the kernel refused a batch: before 5.13 */
	uint32_t cpus;
	uint32_t buckets;
	uint64_t secrets[2 * FLOW_KEY_WORDS];
	uint32_t room; /* rows that each of the two arrays can hold */
	struct bpftop_flow *flows;
	uint32_t count;
	struct bpftop_flow_group *groups;
	uint8_t *is_new_source; /* by row: the first flow of its source to its destination port */
	struct place *places;	/* bucket x CPU x way */
	uint64_t evicted;	/* since the map was made, as of the last read */
	uint64_t evicted_before;
	uint32_t *slots; /* hash table with open addressing: row + 1, or 0 in a free slot */
	uint32_t slot_room;
	uint32_t mask;
	uint64_t seed;
	uint32_t chunk; /* buckets that one batch reads */
	uint32_t *chunk_keys;
	struct flow_bucket *chunk_rows; /* bucket x CPU */
};

/* Combine both halves of the product: addresses differ in the highest bits of a word, ports in the lowest. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15ull;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

/* The hash of flow_hash() in bpf_objects/flows.bpf.h. */
static uint64_t key_hash(const struct bpftop_flow_table *table, const struct flow_key *key)
{
	const uint64_t *words = (const uint64_t *)key;
	uint64_t hash = 0;

	for (size_t i = 0; i < FLOW_KEY_WORDS; i++)
		hash += ((uint32_t)words[i] + table->secrets[2 * i]) * ((words[i] >> 32) + table->secrets[2 * i + 1]);
	return (hash ^ hash >> 32) * FLOW_MIX | 1;
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
	free(table->groups);
	free(table->is_new_source);
	free(table->places);
	free(table->slots);
	free(table->chunk_keys);
	free(table->chunk_rows);
	free(table);
}

struct bpftop_flow_table *bpftop_flow_table_new(int fd, int clock_fd, uint32_t cpus, uint32_t buckets,
						const uint64_t *secrets, uint64_t seed)
{
	struct bpftop_flow_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->fd = fd;
	table->clock_fd = clock_fd;
	table->batch = 1;
	table->cpus = cpus;
	table->buckets = buckets;
	table->seed = seed;
	memcpy(table->secrets, secrets, sizeof(table->secrets));
	table->room = buckets * FLOW_WAYS * cpus;
	for (table->slot_room = SLOTS_MIN; table->slot_room < 2 * table->room;)
		table->slot_room *= 2;
	table->chunk = CHUNK_BYTES / (cpus * (uint32_t)sizeof(struct flow_bucket));
	table->chunk = table->chunk < 1 ? 1 : table->chunk > buckets ? buckets : table->chunk;
	/* Pages that are never touched cost nothing. */
	table->flows = malloc(table->room * sizeof(*table->flows));
	table->groups = malloc(table->room * sizeof(*table->groups));
	table->is_new_source = malloc(table->room);
	table->places = calloc(table->room, sizeof(*table->places));
	table->slots = malloc(table->slot_room * sizeof(*table->slots));
	table->chunk_keys = malloc(table->chunk * sizeof(*table->chunk_keys));
	table->chunk_rows = malloc((size_t)table->chunk * cpus * sizeof(*table->chunk_rows));
	if (!table->flows || !table->groups || !table->is_new_source || !table->places || !table->slots ||
	    !table->chunk_keys || !table->chunk_rows) {
		bpftop_flow_table_free(table);
		return NULL;
	}
	return table;
}

void bpftop_flow_table_refuse_batches(struct bpftop_flow_table *table)
{
	table->batch = 0;
}

/* Return the row of a flow, a new one where the flow has none yet. There is room: a row for each place of the map. */
static struct bpftop_flow *find_flow(struct bpftop_flow_table *table, const struct flow_key *key, uint64_t hash)
{
	uint32_t slot = (uint32_t)mix(hash, table->seed) & table->mask;
	struct bpftop_flow *flow;

	for (; table->slots[slot]; slot = (slot + 1) & table->mask) {
		flow = &table->flows[table->slots[slot] - 1];
		if (!memcmp(&flow->key, key, sizeof(*key)))
			return flow;
	}
	flow = &table->flows[table->count++];
	table->slots[slot] = table->count;
	memset(flow, 0, sizeof(*flow));
	flow->key = *key;
	return flow;
}

/* Add what one CPU counted of a flow. `place` holds the previous read of this place, and then this one. */
static void fold_counts(struct bpftop_flow_table *table, const struct flow_key *key, uint64_t hash,
			const struct flow_counts *counts, struct place *place, uint64_t idle_since_ns)
{
	/* A flow that gave way to another flow and came back, or was idle, began anew. */
	int is_continued = place->hash == hash && place->first_ns == counts->first_ns &&
			   place->packets <= counts->packets && place->bytes <= counts->bytes;

	if (counts->last_ns >= idle_since_ns) {
		struct bpftop_flow *flow = find_flow(table, key, hash);

		flow->sums.packets += counts->packets;
		flow->sums.bytes += counts->bytes;
		flow->sums.packets_before += is_continued ? place->packets : 0;
		flow->sums.bytes_before += is_continued ? place->bytes : 0;
		if (!flow->first_ns || counts->first_ns < flow->first_ns)
			flow->first_ns = counts->first_ns;
		if (counts->last_ns > flow->last_ns)
			flow->last_ns = counts->last_ns;
	}
	*place = (struct place){
		.hash = hash, .first_ns = counts->first_ns, .packets = counts->packets, .bytes = counts->bytes
	};
}

static void fold_bucket(struct bpftop_flow_table *table, const struct flow_bucket *bucket, struct place *places,
			uint64_t idle_since_ns)
{
	table->evicted += bucket->evicted;
	for (uint32_t way = 0; way < FLOW_WAYS; way++) {
		uint64_t hash = bucket->hashes[way];

		/* A key that does not have the hash beside it was being replaced while the kernel copied it. */
		if (hash && hash == key_hash(table, &bucket->keys[way]))
			fold_counts(table, &bucket->keys[way], hash, &bucket->counts[way], &places[way], idle_since_ns);
	}
}

/* Read the next buckets, from number `first` on, into the chunk. Return how many, or a negative errno. */
static int read_chunk(struct bpftop_flow_table *table, uint32_t first, uint32_t *cursor)
{
	uint32_t count = table->buckets - first < table->chunk ? table->buckets - first : table->chunk;
	int rc;

	if (table->batch) {
		rc = bpf_map_lookup_batch(table->fd, first ? cursor : NULL, cursor, table->chunk_keys,
					  table->chunk_rows, &count, NULL);
		if (!rc || rc == -ENOENT) /* ENOENT: the batch includes the last bucket */
			return (int)count;
		if (rc != -ENOTSUPP || first)
			return rc;
		table->batch = 0;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t bucket = first + i;

		rc = bpf_map_lookup_elem(table->fd, &bucket, table->chunk_rows + (size_t)i * table->cpus);
		if (rc)
			return rc;
	}
	return (int)count;
}

int bpftop_flow_table_read(struct bpftop_flow_table *table, uint64_t now_ns, uint64_t idle_since_ns)
{
	uint64_t evicted_before = table->evicted;
	uint32_t cursor = 0, zero = 0;
	int rc = 0;

	table->evicted = 0;
	table->count = 0;
	clear_slots(table, table->room);
	for (uint32_t first = 0; first < table->buckets; first += (uint32_t)rc) {
		rc = read_chunk(table, first, &cursor);
		if (rc <= 0) {
			table->evicted = table->evicted_before = evicted_before;
			return rc ? rc : -EPROTO;
		}
		for (uint32_t i = 0; i < (uint32_t)rc * table->cpus; i++)
			fold_bucket(table, &table->chunk_rows[i],
				    &table->places[((size_t)first * table->cpus + i) * FLOW_WAYS], idle_since_ns);
	}
	table->evicted_before = evicted_before;
	/* Last: a flow that is counted between the new time and its copy would look idle since the time before, and
	 * begin anew. */
	return bpf_map_update_elem(table->clock_fd, &zero, &now_ns, 0);
}

uint32_t bpftop_flow_table_count(const struct bpftop_flow_table *table)
{
	return table->count;
}

uint32_t bpftop_flow_table_evicted(const struct bpftop_flow_table *table)
{
	return (uint32_t)(table->evicted - table->evicted_before);
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

static int is_same_source(const struct flow_key *a, const struct flow_key *b)
{
	return !memcmp(a->saddr, b->saddr, sizeof(a->saddr)) && a->dport == b->dport && a->l4_proto == b->l4_proto;
}

/* Mark the first flow of each source address to each destination port: a port has as many sources as marked flows. */
static void mark_new_sources(struct bpftop_flow_table *table)
{
	clear_slots(table, table->count);
	for (uint32_t row = 0; row < table->count; row++) {
		const struct flow_key *key = &table->flows[row].key;
		uint64_t saddr[2], hash;
		uint32_t slot;

		memcpy(saddr, key->saddr, sizeof(saddr));
		hash = mix(mix(mix(table->seed, saddr[0]), saddr[1]), (uint64_t)key->dport << 8 | key->l4_proto);
		slot = (uint32_t)mix(hash, table->seed) & table->mask;
		while (table->slots[slot] && !is_same_source(&table->flows[table->slots[slot] - 1].key, key))
			slot = (slot + 1) & table->mask;
		table->is_new_source[row] = !table->slots[slot];
		if (!table->slots[slot])
			table->slots[slot] = row + 1;
	}
}

uint32_t bpftop_flow_table_group(struct bpftop_flow_table *table, enum bpftop_flow_grouping grouping, uint32_t most,
				 struct bpftop_flow_group *out)
{
	uint32_t rows[2 * most + 1], count = 0, ranked;

	if (grouping == FLOWS_BY_DESTINATION_PORT)
		mark_new_sources(table);
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
		if (grouping == FLOWS_BY_DESTINATION_PORT)
			group->sources += table->is_new_source[row];
	}
	ranked = rank(table->groups, sizeof(*table->groups), count, most, rows);
	for (uint32_t i = 0; i < ranked; i++)
		out[i] = table->groups[rows[i]];
	return ranked;
}
