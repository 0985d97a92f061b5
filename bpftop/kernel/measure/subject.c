/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hash_bits.h"
#include "subject.h"

int set_fault(struct bpftop_fault *fault, int number, uint32_t key, const char *action)
{
	fault->errno_ = number < 0 ? -number : number;
	fault->key = key;
	fault->action = action;
	return -1;
}

/* Return the base that all words of one slot derive from. */
static uint64_t pattern_base(const struct bpftop_subject *subject, uint64_t pattern, uint32_t slot)
{
	if (pattern & PATTERN_SAME)
		slot = 0;
	return hash_bits(subject->seed + hash_bits(pattern) + slot);
}

static inline uint64_t word_of_base(uint64_t pattern, uint64_t base, uint32_t k)
{
	return pattern == PATTERN_ZEROS ? 0 : base ^ k * 0x9e3779b97f4a7c15;
}

uint64_t pattern_word(const struct bpftop_subject *subject, uint64_t pattern, uint32_t slot, uint32_t k)
{
	return word_of_base(pattern, pattern_base(subject, pattern, slot), k);
}

void write_slot(const struct bpftop_subject *subject, uint64_t pattern, uint32_t slot, unsigned char *out)
{
	uint64_t base = pattern_base(subject, pattern, slot), word;
	uint32_t k, words = subject->value_bytes / 8, rest = subject->value_bytes % 8;

	for (k = 0; k < words; k++, out += 8) {
		word = word_of_base(pattern, base, k);
		memcpy(out, &word, 8);
	}
	word = word_of_base(pattern, base, k);
	memcpy(out, &word, rest);
}

void write_value(const struct bpftop_subject *subject, uint64_t pattern, unsigned char *out)
{
	for (uint32_t slot = 0; slot < subject->slots; slot++)
		write_slot(subject, pattern, slot, out + (size_t)slot * subject->slot_bytes);
}

static int check_slot(const struct bpftop_subject *subject, uint32_t key, uint64_t pattern, uint32_t slot,
		      const unsigned char *value, struct bpftop_fault *fault)
{
	uint64_t base = pattern_base(subject, pattern, slot);

	for (uint32_t k = 0, at = 0; at < subject->value_bytes; k++, at += 8) {
		uint32_t bytes = subject->value_bytes - at < 8 ? subject->value_bytes - at : 8;
		uint64_t word = word_of_base(pattern, base, k), actual = 0, expected = 0;

		memcpy(&actual, value + at, bytes);
		memcpy(&expected, &word, bytes);
		if (actual == expected)
			continue;
		fault->slot = slot;
		fault->offset = at;
		fault->expected = expected;
		fault->actual = actual;
		return set_fault(fault, EBADMSG, key, "compare a value");
	}
	return 0;
}

int check_value(const struct bpftop_subject *subject, uint32_t key, const unsigned char *value,
		struct bpftop_fault *fault)
{
	uint64_t pattern = __atomic_load_n(&subject->written[key], __ATOMIC_RELAXED);

	if (pattern == PATTERN_ABSENT)
		return set_fault(fault, EEXIST, key, "find a deleted key gone");
	for (uint32_t slot = 0; slot < subject->slots; slot++)
		if (check_slot(subject, key, pattern, slot, value + (size_t)slot * subject->slot_bytes, fault))
			return -1;
	return 0;
}

static uint32_t hash_of(const struct bpftop_subject *subject, const unsigned char *key)
{
	uint64_t hash = subject->key_bytes;

	for (uint32_t at = 0; at < subject->key_bytes; at += 8) {
		uint64_t word = 0;

		memcpy(&word, key + at, subject->key_bytes - at < 8 ? subject->key_bytes - at : 8);
		hash = hash_bits(hash + word);
	}
	return (uint32_t)hash;
}

uint32_t number_of(const struct bpftop_subject *subject, const unsigned char *key)
{
	uint32_t at, number;

	if (subject->key_kind == KEYS_ARRAY) {
		memcpy(&number, key, sizeof(number));
		return number < subject->universe ? number : UINT32_MAX;
	}
	for (at = hash_of(subject, key) & subject->table_mask; subject->table[at]; at = (at + 1) & subject->table_mask)
		if (!memcmp(key_at(subject, subject->table[at] - 1), key, subject->key_bytes))
			return subject->table[at] - 1;
	return UINT32_MAX;
}

static int remember_key(const struct bpftop_subject *subject, uint32_t number)
{
	const unsigned char *key = key_at(subject, number);
	uint32_t at = hash_of(subject, key) & subject->table_mask;

	for (; subject->table[at]; at = (at + 1) & subject->table_mask)
		if (!memcmp(key_at(subject, subject->table[at] - 1), key, subject->key_bytes))
			return 0;
	subject->table[at] = number + 1;
	return 1;
}

/* The n-th candidate for a key: its first four bytes (fewer in shorter keys) are a permutation of n, the rest is
 * random. */
static void make_key(const struct bpftop_subject *subject, uint64_t n, unsigned char *out)
{
	uint32_t head = subject->key_kind == KEYS_LPM ? 4 : 0, bytes = subject->key_bytes - head;
	uint32_t value = (uint32_t)n * 0x9e3779b1u ^ (uint32_t)subject->seed;
	uint32_t prefix_bits, first = bytes < 4 ? bytes : 4;

	for (uint32_t at = 0; at < bytes; at++)
		out[head + at] = at < first ? (unsigned char)(value >> 8 * at)
					    : (unsigned char)hash_bits(subject->seed + (n << 16) + at);
	if (!head)
		return;
	/* A prefix is at least as long as the part that differs, so that no prefix covers another. */
	prefix_bits =
		8 * first + (bytes > first ? (uint32_t)(hash_bits(subject->seed ^ n) % (8 * (bytes - first) + 1)) : 0);
	memcpy(out, &prefix_bits, sizeof(prefix_bits));
	for (uint32_t bit = prefix_bits; bit < 8 * bytes; bit++)
		out[head + bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
}

uint32_t bpftop_make_keys(struct bpftop_subject *subject, uint32_t given)
{
	uint32_t made = 0, key, different = subject->key_bytes - (subject->key_kind == KEYS_LPM ? 4 : 0);
	uint64_t n = 0, candidates = 1ULL << 8 * (different < 4 ? different : 4);

	if (subject->key_kind == KEYS_ARRAY) {
		for (key = 0; key < subject->universe; key++) {
			memcpy(key_at(subject, key), &key, sizeof(key));
			subject->written[key] = PATTERN_ZEROS;
		}
		return subject->universe;
	}
	for (key = 0; key < given; key++) {
		memmove(key_at(subject, made), key_at(subject, key), subject->key_bytes);
		made += (uint32_t)remember_key(subject, made);
	}
	for (; made < subject->universe && n < candidates && !((n & 4095) == 0 && stopped(subject)); n++) {
		make_key(subject, n, key_at(subject, made));
		made += (uint32_t)remember_key(subject, made);
	}
	return made;
}

uint32_t bpftop_fill(const struct bpftop_subject *subject, uint32_t first, uint32_t count, uint32_t generation,
		     int again, struct bpftop_fault *fault)
{
	unsigned char *value = malloc(value_buffer_bytes(subject));
	uint32_t key, done = 0;

	if (!value) {
		set_fault(fault, ENOMEM, 0, "make a buffer for a value");
		return 0;
	}
	memset(value, 0, value_buffer_bytes(subject));
	for (key = first; key < first + count && !stopped(subject); key++) {
		int rc;

		/* An LRU map may have evicted the key. A lookup by system call does not count as use of the key. */
		if (!again && subject->written[key] > PATTERN_ZEROS &&
		    !(subject->may_miss && bpf_map_lookup_elem(subject->fd, key_at(subject, key), value)))
			continue;
		set_written(subject, key, pattern_of(generation, key));
		write_value(subject, subject->written[key], value);
		rc = bpf_map_update_elem(subject->fd, key_at(subject, key), value, BPF_ANY);
		if (rc) {
			set_fault(fault, rc, key, "fill the map");
			break;
		}
		done++;
	}
	free(value);
	return done;
}

/* Return the pattern that a program on the CPU `slot` wrote last for the key, 0 for none. */
static uint64_t own_pattern(const struct bpftop_subject *subject, uint32_t key, uint32_t slot, const uint64_t *own,
			    const uint32_t *cpus, uint32_t threads)
{
	uint64_t pattern = 0;

	for (uint32_t thread = 0; own && thread < threads; thread++) {
		uint64_t written = own[(size_t)thread * subject->universe + key];

		if (cpus[thread] == slot && written)
			pattern = written;
	}
	return pattern;
}

uint32_t bpftop_verify(const struct bpftop_subject *subject, const uint64_t *own, const uint32_t *cpus,
		       uint32_t threads, uint64_t *missed, struct bpftop_fault *fault)
{
	unsigned char *value = malloc(value_buffer_bytes(subject));
	uint32_t key, checked = 0;

	if (!value) {
		set_fault(fault, ENOMEM, 0, "make a buffer for a value");
		return 0;
	}
	for (key = 0; key < subject->universe && !stopped(subject); key++) {
		uint64_t whole = subject->written[key];
		int rc, wrong = 0;

		if (whole == PATTERN_ABSENT && subject->key_kind == KEYS_LPM) /* a shorter prefix may cover it */
			continue;
		rc = bpf_map_lookup_elem(subject->fd, key_at(subject, key), value);
		if (rc == -ENOENT && (whole == PATTERN_ABSENT || subject->may_miss)) {
			*missed += whole != PATTERN_ABSENT;
			continue;
		}
		if (rc || whole == PATTERN_ABSENT) {
			set_fault(fault, rc ? rc : EEXIST, key, "read a key back");
			break;
		}
		for (uint32_t slot = 0; slot < subject->slots && !wrong; slot++) {
			uint64_t pattern = own_pattern(subject, key, slot, own, cpus, threads);

			wrong = check_slot(subject, key, pattern ? pattern : whole, slot,
					   value + (size_t)slot * subject->slot_bytes, fault);
		}
		if (wrong)
			break;
		checked++;
	}
	free(value);
	return checked;
}
