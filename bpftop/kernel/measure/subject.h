/* SPDX-License-Identifier: Apache-2.0 */
/* A map under test (the subject), with a model of its content: its keys, and for each key the pattern that its value
 * was last written with. Every value that is read is compared with its pattern. */
#ifndef BPFTOP_SUBJECT_H
#define BPFTOP_SUBJECT_H

#include <stddef.h>
#include <stdint.h>

enum bpftop_key_kind { KEYS_ARRAY, KEYS_HASH, KEYS_LPM };

struct bpftop_subject {
	int fd;
	enum bpftop_key_kind key_kind;
	uint32_t key_bytes;
	uint32_t value_bytes; /* as the map was created */
	uint32_t slot_bytes;  /* one CPU's value in a buffer: per-CPU maps round up to 8 */
	uint32_t slots;	      /* per-CPU maps: possible CPUs; else 1 */
	uint32_t population;  /* keys 0 to population - 1 are in use */
	uint32_t universe;    /* keys that exist; in arrays all entries, else the population */
	uint32_t may_miss;    /* LRU: the kernel may have evicted a key */
	uint32_t table_mask;
	uint64_t seed;
	unsigned char *keys; /* key number x key_bytes */
	uint64_t *written;   /* the pattern of each key's value, by key number */
	uint32_t *table; /* hash table with open addressing: key number + 1, or 0 in a free slot; unused by arrays */
	int *stop;	 /* not 0: end as soon as possible */
};

/* The first failure. `errno_` is positive; EBADMSG means that a wrong value was read. */
struct bpftop_fault {
	int errno_;
	uint32_t key;  /* key number */
	uint32_t slot; /* CPU of a per-CPU value */
	uint32_t offset;
	uint64_t expected; /* up to eight bytes from `offset` on, or a count of keys */
	uint64_t actual;
	const char *action;
};

/* Make keys up to the universe behind the `given` keys in `keys`, and fill the hash table. Return the number of
 * different keys: fewer than the universe if keys of this size run out, or if *stop was set. */
uint32_t bpftop_make_keys(struct bpftop_subject *subject, uint32_t given);

/* Write the missing keys among the `count` keys from `first` on, or all of them with `again`. Return how many were
 * written. */
uint32_t bpftop_fill(const struct bpftop_subject *subject, uint32_t first, uint32_t count, uint32_t generation,
		     int again, struct bpftop_fault *fault);

/* Read every key of the universe back and compare. `own` has the patterns that programs wrote into the slot of their
 * own CPU only, by thread and key, 0 for none; `cpus` has the threads' CPUs. Return how many values were compared, and
 * add the keys that an LRU map evicted to *missed. */
uint32_t bpftop_verify(const struct bpftop_subject *subject, const uint64_t *own, const uint32_t *cpus,
		       uint32_t threads, uint64_t *missed, struct bpftop_fault *fault);

#ifndef FOR_CFFI
#include "stop_flag.h"

/* A pattern is generation << 32 | key number, or one of: */
#define PATTERN_ABSENT 0ULL
#define PATTERN_ZEROS 1ULL	  /* never written: arrays, and other CPUs' slots of a new key */
#define PATTERN_SAME (1ULL << 63) /* a flag: every CPU's slot has the same bytes, because a program wrote them */

/* Store the first failure and return -1. `number` is an errno, positive or negative. */
int set_fault(struct bpftop_fault *fault, int number, uint32_t key, const char *action);

/* Return word `k` (eight bytes) of a value. */
uint64_t pattern_word(const struct bpftop_subject *subject, uint64_t pattern, uint32_t slot, uint32_t k);

/* Write one CPU's slot of a value, or all slots as the system calls take them. */
void write_slot(const struct bpftop_subject *subject, uint64_t pattern, uint32_t slot, unsigned char *out);
void write_value(const struct bpftop_subject *subject, uint64_t pattern, unsigned char *out);

/* Compare `value`, with all its slots, with the key's pattern. Return 0, or -1 with the fault set. */
int check_value(const struct bpftop_subject *subject, uint32_t key, const unsigned char *value,
		struct bpftop_fault *fault);

/* Return the number of a key, or UINT32_MAX for a key that is not the subject's. */
uint32_t number_of(const struct bpftop_subject *subject, const unsigned char *key);

static inline int stopped(const struct bpftop_subject *subject)
{
	return stop_requested(subject->stop);
}

static inline uint64_t pattern_of(uint32_t generation, uint32_t key)
{
	return (uint64_t)generation << 32 | key;
}

static inline void set_written(const struct bpftop_subject *subject, uint32_t key, uint64_t pattern)
{
	__atomic_store_n(&subject->written[key], pattern, __ATOMIC_RELAXED);
}

static inline size_t value_buffer_bytes(const struct bpftop_subject *subject)
{
	return (size_t)subject->slot_bytes * subject->slots;
}

static inline unsigned char *key_at(const struct bpftop_subject *subject, uint32_t key)
{
	return subject->keys + (size_t)key * subject->key_bytes;
}
#endif

#endif
