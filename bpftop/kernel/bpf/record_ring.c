/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record_ring.h"

#define LENGTH_BYTES sizeof(uint64_t) /* keeps the records aligned */

struct bpftop_record_ring {
	struct ring_buffer *reader;
	uint32_t most_bytes;
	char *out;
	uint32_t room, used;
};

static uint32_t padded(uint32_t bytes)
{
	return (bytes + 7) & ~7U;
}

/* libbpf counts a record as read also where this returns an error: the room for the next one is checked before. */
static int copy_record(void *context, void *record, size_t bytes)
{
	struct bpftop_record_ring *ring = context;
	uint64_t length = bytes;

	if (bytes > ring->most_bytes)
		return 0;
	memcpy(ring->out + ring->used, &length, LENGTH_BYTES);
	memcpy(ring->out + ring->used + LENGTH_BYTES, record, bytes);
	ring->used += LENGTH_BYTES + padded(bytes);
	return ring->room - ring->used < LENGTH_BYTES + padded(ring->most_bytes) ? -ENOSPC : 0;
}

struct bpftop_record_ring *bpftop_record_ring_new(int fd, uint32_t most_bytes)
{
	struct bpftop_record_ring *ring = calloc(1, sizeof(*ring));

	if (!ring)
		return NULL;
	ring->most_bytes = most_bytes;
	ring->reader = ring_buffer__new(fd, copy_record, ring, NULL);
	if (!ring->reader) {
		free(ring);
		return NULL;
	}
	return ring;
}

void bpftop_record_ring_free(struct bpftop_record_ring *ring)
{
	if (ring)
		ring_buffer__free(ring->reader);
	free(ring);
}

int bpftop_record_ring_fd(const struct bpftop_record_ring *ring)
{
	return ring_buffer__epoll_fd(ring->reader);
}

int64_t bpftop_record_ring_read(struct bpftop_record_ring *ring, char *out, uint32_t out_bytes)
{
	int rc;

	ring->out = out;
	ring->room = out_bytes;
	ring->used = 0;
	if (out_bytes < LENGTH_BYTES + padded(ring->most_bytes))
		return -EINVAL;
	rc = ring_buffer__consume(ring->reader);
	return rc < 0 && rc != -ENOSPC ? rc : (int64_t)ring->used;
}
