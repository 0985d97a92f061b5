/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of loops.c with nothing around them: what the loops there add to an operation is measured against this. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int bare_batches(const struct bpftop_subject *s, uint32_t batch, uint32_t entries, unsigned char *keys,
			unsigned char *values)
{
	unsigned char cursors[2][8];
	uint32_t count, done, calls;
	int rc = 0;

	for (done = calls = 0; done < entries && !rc; done += count, calls++) {
		count = batch;
		rc = bpf_map_lookup_batch(s->fd, calls ? cursors[calls & 1] : NULL, cursors[~calls & 1], keys, values,
					  &count, NULL);
		if (rc == -ENOENT) {
			rc = 0;
			calls = UINT32_MAX; /* from the beginning */
		}
	}
	return rc;
}

/* `entries` entries, in the order of `l`: nanoseconds for all, or 0 where a call failed. UPDATE leaves values in the
 * map that are not the subject's. */
uint64_t bpftop_bare_loop(const struct bpftop_subject *s, uint32_t operation, uint32_t batch,
			  const struct bpftop_loop *l, uint32_t entries)
{
	unsigned char *values = malloc(batch * value_buffer_bytes(s)),
		      *keys = malloc((batch + 1) * (size_t)s->key_bytes);
	unsigned char *key = NULL, *next;
	uint64_t begin, end;
	int rc = !values || !keys || (operation == LOOKUP_BATCH && s->key_bytes > 8) ? -ENOMEM : 0;
	uint32_t i, at = 0;

	if (!rc) {
		memset(values, 0, batch * value_buffer_bytes(s));
		memset(keys, 0, (batch + 1) * (size_t)s->key_bytes);
	}
	begin = clock_ns();
	if (operation == LOOKUP_BATCH && !rc)
		rc = bare_batches(s, batch, entries, keys, values);
	for (i = 0; operation == LOOKUP && i < entries && !rc; i++, at = at + 1 == l->steps ? 0 : at + 1)
		rc = bpf_map_lookup_elem(s->fd, key_at(s, l->order[at]), values);
	for (i = 0; operation == UPDATE && i < entries && !rc; i++, at = at + 1 == l->steps ? 0 : at + 1)
		rc = bpf_map_update_elem(s->fd, key_at(s, l->order[at]), values, BPF_EXIST);
	for (i = 0; operation == WALK && i < entries && !rc; i++) {
		next = keys + (i & 1) * s->key_bytes;
		rc = bpf_map_get_next_key(s->fd, key, next);
		key = rc ? NULL : next;
		rc = rc == -ENOENT ? 0 : rc;
	}
	end = clock_ns();
	free(values);
	free(keys);
	return rc ? 0 : end - begin;
}
