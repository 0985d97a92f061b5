/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the records of a BPF ring buffer into a block of memory, without calling Python for each of them. */
#ifndef BPFTOP_RECORD_RING_H
#define BPFTOP_RECORD_RING_H

#include <stdint.h>

struct bpftop_record_ring;

/* Return a reader of the map `fd`, which stays the caller's; NULL, with errno set, where that fails. `most_bytes` is
 * the size of the largest record. */
struct bpftop_record_ring *bpftop_record_ring_new(int fd, uint32_t most_bytes);
void bpftop_record_ring_free(struct bpftop_record_ring *ring);

/* Return a file descriptor that poll() reports as readable while there are records. It belongs to the reader. */
int bpftop_record_ring_fd(const struct bpftop_record_ring *ring);

/* Copy the records that fit to `out`, each behind its length in 8 bytes and padded to 8 bytes. `out_bytes` must hold
 * one largest record. Return the bytes written, or a negative errno. */
int64_t bpftop_record_ring_read(struct bpftop_record_ring *ring, char *out, uint32_t out_bytes);

#endif
