/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bare_loop.h"
#include "clock.h"

#define CURSOR_BYTES 8

static int bare_batches(const struct bpftop_subject *subject, const struct bpftop_loop *loop, uint32_t entries,
			unsigned char *keys, unsigned char *values)
{
	unsigned char cursors[2][CURSOR_BYTES];
	void *from = loop->walk_begun ? cursors[0] : NULL;
	uint32_t count, done, calls;
	int rc = 0;

	memcpy(cursors[0], loop->cursor, CURSOR_BYTES);
	for (done = calls = 0; done < entries && !rc; done += count, calls++) {
		count = loop->batch;
		rc = bpf_map_lookup_batch(subject->fd, from, cursors[~calls & 1], keys, values, &count, NULL);
		from = rc ? NULL : cursors[~calls & 1]; /* after the end, from the beginning */
		rc = rc == -ENOENT ? 0 : rc;
	}
	return rc;
}

static int bare_walk(const struct bpftop_subject *subject, const struct bpftop_loop *loop, uint32_t entries,
		     unsigned char *keys)
{
	unsigned char *key = loop->walk_begun ? keys + subject->key_bytes : NULL, *next;
	int rc = 0;

	memcpy(keys + subject->key_bytes, loop->cursor, subject->key_bytes);
	for (uint32_t i = 0; i < entries && !rc; i++) {
		next = keys + (i & 1) * subject->key_bytes;
		rc = bpf_map_get_next_key(subject->fd, key, next);
		key = rc ? NULL : next;
		rc = rc == -ENOENT ? 0 : rc;
	}
	return rc;
}

static int bare_lookups(const struct bpftop_subject *subject, const struct bpftop_loop *loop, uint32_t entries,
			unsigned char *value)
{
	int rc = 0;

	for (uint32_t i = 0, at = loop->position; i < entries && !rc; i++, at = at + 1 == loop->steps ? 0 : at + 1)
		rc = bpf_map_lookup_elem(subject->fd, key_at(subject, loop->order[at]), value);
	return rc;
}

static int bare_updates(const struct bpftop_subject *subject, const struct bpftop_loop *loop, uint32_t entries,
			const unsigned char *value)
{
	int rc = 0;

	for (uint32_t i = 0, at = loop->position; i < entries && !rc; i++, at = at + 1 == loop->steps ? 0 : at + 1)
		rc = bpf_map_update_elem(subject->fd, key_at(subject, loop->order[at]), value, BPF_EXIST);
	return rc;
}

static int run_bare(const struct bpftop_subject *subject, const struct bpftop_loop *loop, uint32_t entries,
		    unsigned char *keys, unsigned char *values)
{
	switch (loop->operation) {
	case OPERATION_LOOKUP:
		return bare_lookups(subject, loop, entries, values);
	case OPERATION_UPDATE:
		return bare_updates(subject, loop, entries, values);
	case OPERATION_WALK:
		return bare_walk(subject, loop, entries, keys);
	case OPERATION_LOOKUP_BATCH:
		if (subject->key_bytes <= CURSOR_BYTES)
			return bare_batches(subject, loop, entries, keys, values);
		return -EINVAL;
	default:
		return -EINVAL;
	}
}

uint64_t bpftop_bare_loop(const struct bpftop_subject *subject, const struct bpftop_loop *loop, uint32_t entries)
{
	size_t values_bytes = loop->batch * value_buffer_bytes(subject),
	       keys_bytes = (loop->batch + 1) * (size_t)subject->key_bytes;
	unsigned char *values = malloc(values_bytes), *keys = malloc(keys_bytes);
	uint64_t begin_ns = 0, end_ns = 0;
	int rc = -ENOMEM;

	if (values && keys) {
		memset(values, 0, values_bytes); /* no page fault in the timed part */
		memset(keys, 0, keys_bytes);
		begin_ns = monotonic_ns();
		rc = run_bare(subject, loop, entries, keys, values);
		end_ns = monotonic_ns();
	}
	free(values);
	free(keys);
	return rc ? 0 : end_ns - begin_ns;
}
