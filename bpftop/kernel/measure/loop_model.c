/* SPDX-License-Identifier: Apache-2.0 */
/* What a map under test holds: its keys, and by key the pattern that its value was last written with. Every value that
 * is read is compared with that pattern, so nothing but the map itself can make both agree. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The number of a pattern is generation << 32 | a number of 32 bits. Special ones: */
#define PATTERN_ABSENT 0ULL
#define PATTERN_ZEROS 1ULL	  /* there, and never written: arrays, and other CPUs' slots */
#define PATTERN_SAME (1ULL << 63) /* the same bytes in every CPU's slot: written by a program */

enum { KEYS_ARRAY, KEYS_HASH, KEYS_LPM };
enum { ORDER_SEQUENTIAL, ORDER_UNIFORM, ORDER_ZIPF, ORDER_SHUFFLED };

struct bpftop_subject {
	int fd;
	uint32_t keys_kind; /* KEYS_* */
	uint32_t key_bytes;
	uint32_t value_bytes; /* as the map was made */
	uint32_t slot_bytes;  /* of one CPU's value in a buffer: per-CPU maps round up to 8 */
	uint32_t slots;	      /* per-CPU maps: possible CPUs; else 1 */
	uint32_t population;  /* keys in use: the first so many */
	uint32_t universe;    /* keys that exist: arrays have all their entries */
	uint32_t may_miss;    /* LRU: a key may have been evicted */
	uint32_t table_mask;
	uint64_t seed;
	unsigned char *keys; /* universe x key_bytes */
	uint64_t *written;   /* universe: the pattern of each key's value */
	uint32_t *table;     /* open addressing: key -> its number + 1; 0: free. None for arrays. */
	int *stop;	     /* anything but 0: end as soon as possible */
};

/* What went wrong first. `errno_` is positive; EBADMSG: a wrong value was read. */
struct bpftop_fault {
	int errno_;
	uint32_t key;  /* its number */
	uint32_t slot; /* the CPU of a per-CPU value */
	uint32_t offset;
	uint64_t expected; /* up to eight bytes from there */
	uint64_t found;
	const char *doing;
};

static inline uint64_t mixed(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9; /* splitmix64, Steele, Lea, Flood 2014 */
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline int stopped(const struct bpftop_subject *s)
{
	return __atomic_load_n(s->stop, __ATOMIC_RELAXED);
}

static int fault(struct bpftop_fault *f, int number, uint32_t key, const char *doing)
{
	f->errno_ = number < 0 ? -number : number;
	f->key = key;
	f->doing = doing;
	return -1;
}

static inline uint64_t pattern_base(const struct bpftop_subject *s, uint64_t pattern, uint32_t slot)
{
	if (pattern & PATTERN_SAME)
		slot = 0;
	return mixed(s->seed + mixed(pattern) + slot);
}

/* Eight bytes of a pattern: the k-th word of a value. */
static inline uint64_t pattern_word(uint64_t pattern, uint64_t base, uint32_t k)
{
	return pattern == PATTERN_ZEROS ? 0 : base ^ k * 0x9e3779b97f4a7c15;
}

static void write_slot(const struct bpftop_subject *s, uint64_t pattern, uint32_t slot, unsigned char *out)
{
	uint64_t base = pattern_base(s, pattern, slot), word;
	uint32_t k, words = s->value_bytes / 8, rest = s->value_bytes % 8;

	for (k = 0; k < words; k++, out += 8) {
		word = pattern_word(pattern, base, k);
		memcpy(out, &word, 8);
	}
	word = pattern_word(pattern, base, k);
	memcpy(out, &word, rest);
}

/* A value as user space hands it over: all slots of a per-CPU map. */
static void write_value(const struct bpftop_subject *s, uint64_t pattern, unsigned char *out)
{
	for (uint32_t slot = 0; slot < s->slots; slot++)
		write_slot(s, pattern, slot, out + (size_t)slot * s->slot_bytes);
}

static int check_slot(const struct bpftop_subject *s, uint32_t key, uint64_t pattern, uint32_t slot,
		      const unsigned char *in, struct bpftop_fault *f)
{
	uint64_t base = pattern_base(s, pattern, slot);

	for (uint32_t k = 0, at = 0; at < s->value_bytes; k++, at += 8) {
		uint32_t bytes = s->value_bytes - at < 8 ? s->value_bytes - at : 8;
		uint64_t word = pattern_word(pattern, base, k), found = 0, expected = 0;

		memcpy(&found, in + at, bytes);
		memcpy(&expected, &word, bytes);
		if (found == expected)
			continue;
		f->slot = slot;
		f->offset = at;
		f->expected = expected;
		f->found = found;
		return fault(f, EBADMSG, key, "compare a value");
	}
	return 0;
}

/* Is `in`, a value with all its slots, what key number `key` was written with? */
static int check_value(const struct bpftop_subject *s, uint32_t key, const unsigned char *in, struct bpftop_fault *f)
{
	uint64_t pattern = __atomic_load_n(&s->written[key], __ATOMIC_RELAXED);

	if (pattern == PATTERN_ABSENT)
		return fault(f, EEXIST, key, "find a deleted key gone");
	for (uint32_t slot = 0; slot < s->slots; slot++)
		if (check_slot(s, key, pattern, slot, in + (size_t)slot * s->slot_bytes, f))
			return -1;
	return 0;
}

static inline void set_written(const struct bpftop_subject *s, uint32_t key, uint64_t pattern)
{
	__atomic_store_n(&s->written[key], pattern, __ATOMIC_RELAXED);
}

static inline uint64_t pattern_of(uint32_t generation, uint32_t key)
{
	return (uint64_t)generation << 32 | key;
}

static inline size_t value_buffer_bytes(const struct bpftop_subject *s)
{
	return (size_t)s->slot_bytes * s->slots;
}

static inline unsigned char *key_at(const struct bpftop_subject *s, uint32_t key)
{
	return s->keys + (size_t)key * s->key_bytes;
}

static uint32_t hash_of(const struct bpftop_subject *s, const unsigned char *key)
{
	uint64_t hash = s->key_bytes;

	for (uint32_t at = 0; at < s->key_bytes; at += 8) {
		uint64_t word = 0;

		memcpy(&word, key + at, s->key_bytes - at < 8 ? s->key_bytes - at : 8);
		hash = mixed(hash + word);
	}
	return (uint32_t)hash;
}

/* The number of a key, or UINT32_MAX for one that is not ours. */
static uint32_t number_of(const struct bpftop_subject *s, const unsigned char *key)
{
	uint32_t at, number;

	if (s->keys_kind == KEYS_ARRAY) {
		memcpy(&number, key, sizeof(number));
		return number < s->universe ? number : UINT32_MAX;
	}
	for (at = hash_of(s, key) & s->table_mask; s->table[at]; at = (at + 1) & s->table_mask)
		if (!memcmp(key_at(s, s->table[at] - 1), key, s->key_bytes))
			return s->table[at] - 1;
	return UINT32_MAX;
}

static int remember_key(const struct bpftop_subject *s, uint32_t number)
{
	const unsigned char *key = key_at(s, number);
	uint32_t at = hash_of(s, key) & s->table_mask;

	for (; s->table[at]; at = (at + 1) & s->table_mask)
		if (!memcmp(key_at(s, s->table[at] - 1), key, s->key_bytes))
			return 0;
	s->table[at] = number + 1;
	return 1;
}

/* The n-th candidate for a key: its first four bytes (fewer in shorter keys) are a permutation of n, the rest is
 * random. */
static void make_key(const struct bpftop_subject *s, uint64_t n, unsigned char *out)
{
	uint32_t head = s->keys_kind == KEYS_LPM ? 4 : 0, bytes = s->key_bytes - head;
	uint32_t value = (uint32_t)n * 0x9e3779b1u ^ (uint32_t)s->seed;
	uint32_t prefix_bits, first = bytes < 4 ? bytes : 4;

	for (uint32_t at = 0; at < bytes; at++)
		out[head + at] =
			at < first ? (unsigned char)(value >> 8 * at) : (unsigned char)mixed(s->seed + (n << 16) + at);
	if (!head)
		return;
	/* No prefix shorter than the part that differs, so that none covers another. */
	prefix_bits = 8 * first + (bytes > first ? (uint32_t)(mixed(s->seed ^ n) % (8 * (bytes - first) + 1)) : 0);
	memcpy(out, &prefix_bits, sizeof(prefix_bits));
	for (uint32_t bit = prefix_bits; bit < 8 * bytes; bit++)
		out[head + bit / 8] &= (unsigned char)~(0x80 >> bit % 8);
}

/* Fill `keys` up to the universe behind the `given` ones that are there, and the table. Returns how many keys there
 * are: fewer than the universe where keys of this size do not differ any more, or when it was stopped. */
uint32_t bpftop_make_keys(struct bpftop_subject *s, uint32_t given)
{
	uint32_t made = 0, key, different = s->key_bytes - (s->keys_kind == KEYS_LPM ? 4 : 0);
	uint64_t n = 0, candidates = 1ULL << 8 * (different < 4 ? different : 4);

	if (s->keys_kind == KEYS_ARRAY) {
		for (key = 0; key < s->universe; key++) {
			memcpy(key_at(s, key), &key, sizeof(key));
			s->written[key] = PATTERN_ZEROS;
		}
		return s->universe;
	}
	for (key = 0; key < given; key++) {
		memmove(key_at(s, made), key_at(s, key), s->key_bytes);
		made += (uint32_t)remember_key(s, made);
	}
	for (; made < s->universe && n < candidates && !((n & 4095) == 0 && stopped(s)); n++) {
		make_key(s, n, key_at(s, made));
		made += (uint32_t)remember_key(s, made);
	}
	return made;
}

/* Ranks drawn with probability 1 / (rank + 1), and scattered, or the hottest entries of an array would share their
 * cache lines: a prime above any count permutes the numbers below the count. -ENOMEM, or 0. */
static int zipf_order(uint64_t state, uint32_t first, uint32_t count, uint32_t steps, uint32_t *out)
{
	double *below = malloc(count * sizeof(*below)), sum = 0;

	if (!below)
		return -ENOMEM;
	for (uint32_t rank = 0; rank < count; rank++)
		below[rank] = sum += 1.0 / (rank + 1);
	for (uint32_t step = 0; step < steps; step++) {
		double drawn = (double)(mixed(state + step) >> 11) * 0x1p-53 * sum;
		uint32_t low = 0, high = count - 1;

		while (low < high) {
			uint32_t middle = low + (high - low) / 2;

			if (below[middle] <= drawn)
				low = middle + 1;
			else
				high = middle;
		}
		out[step] = first + (uint32_t)(low * 4294967291ULL % count);
	}
	free(below);
	return 0;
}

/* Key numbers in the order in which they are visited, from `first` on, `count` of them. SHUFFLED: each once. */
int bpftop_order(uint32_t order, uint64_t seed, uint32_t first, uint32_t count, uint32_t steps, uint32_t *out)
{
	uint64_t state = mixed(seed);

	if (order == ORDER_ZIPF)
		return zipf_order(state, first, count, steps, out);
	for (uint32_t step = 0; step < steps; step++) {
		uint32_t n = step % count;

		if (order == ORDER_UNIFORM)
			n = (uint32_t)((mixed(state + step) >> 32) * count >> 32);
		out[step] = first + n;
	}
	for (uint32_t step = steps; order == ORDER_SHUFFLED && step > 1; step--) {
		uint32_t other = (uint32_t)((mixed(state + step) >> 32) * step >> 32), kept = out[step - 1];

		out[step - 1] = out[other];
		out[other] = kept;
	}
	return 0;
}

/* Write the keys from `first` on, `count` of them, that are not there; all of them where `again`. Returns how many were
 * written. */
uint32_t bpftop_fill(const struct bpftop_subject *s, uint32_t first, uint32_t count, uint32_t generation, int again,
		     struct bpftop_fault *f)
{
	unsigned char *value = malloc(value_buffer_bytes(s));
	uint32_t key, done = 0;

	if (!value)
		return (uint32_t)fault(f, ENOMEM, 0, "make a buffer for a value"), 0;
	memset(value, 0, value_buffer_bytes(s));
	for (key = first; key < first + count && !stopped(s); key++) {
		int rc;

		/* An LRU map may have dropped it; looking is not using, from a system call. */
		if (!again && s->written[key] > PATTERN_ZEROS &&
		    !(s->may_miss && bpf_map_lookup_elem(s->fd, key_at(s, key), value)))
			continue;
		set_written(s, key, pattern_of(generation, key));
		write_value(s, s->written[key], value);
		rc = bpf_map_update_elem(s->fd, key_at(s, key), value, BPF_ANY);
		if (rc) {
			fault(f, rc, key, "fill the map");
			break;
		}
		done++;
	}
	free(value);
	return done;
}

/* Read every key of the universe and compare. `own`, if any: what a program wrote into the slot of its CPU alone, by
 * thread and key, and 0 where it wrote nothing; `cpus` are the threads' CPUs. Returns how many values were compared,
 * and adds up the keys that an LRU map dropped. */
uint32_t bpftop_verify(const struct bpftop_subject *s, const uint64_t *own, const uint32_t *cpus, uint32_t threads,
		       uint64_t *missed, struct bpftop_fault *f)
{
	unsigned char *value = malloc(value_buffer_bytes(s));
	uint32_t key, checked = 0;

	if (!value)
		return (uint32_t)fault(f, ENOMEM, 0, "make a buffer for a value"), 0;
	for (key = 0; key < s->universe && !stopped(s); key++) {
		uint64_t whole = s->written[key];
		int rc, wrong = 0;

		if (whole == PATTERN_ABSENT && s->keys_kind == KEYS_LPM) /* a shorter prefix may cover it */
			continue;
		rc = bpf_map_lookup_elem(s->fd, key_at(s, key), value);
		if (rc == -ENOENT && (whole == PATTERN_ABSENT || s->may_miss)) {
			*missed += whole != PATTERN_ABSENT;
			continue;
		}
		if (rc || whole == PATTERN_ABSENT) {
			fault(f, rc ? rc : EEXIST, key, "read a key back");
			break;
		}
		for (uint32_t slot = 0; slot < s->slots && !wrong; slot++) {
			uint64_t pattern = whole;

			for (uint32_t t = 0; own && t < threads; t++)
				if (cpus[t] == slot && own[(size_t)t * s->universe + key])
					pattern = own[(size_t)t * s->universe + key];
			wrong = check_slot(s, key, pattern, slot, value + (size_t)slot * s->slot_bytes, f);
		}
		if (wrong)
			break;
		checked++;
	}
	free(value);
	return checked;
}
