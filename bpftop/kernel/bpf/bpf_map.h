/* SPDX-License-Identifier: Apache-2.0 */
/* Create maps, and open maps of other programs for reading only. */
#ifndef BPFTOP_BPF_MAP_H
#define BPFTOP_BPF_MAP_H

#include <stdint.h>

/* Each returns a file descriptor or a negative errno. */
int bpftop_create_map(uint32_t type, const char *name, uint32_t key_bytes, uint32_t value_bytes, uint32_t max_entries,
		      uint32_t flags);
int bpftop_map_by_id(uint32_t id);
int bpftop_map_by_path(const char *path);

/* Walk the keys of a map: at most `max_keys` keys, for at most `limit_ns`. Store the first `stored_keys` keys in
 * `keys`, which has room for two more. Return the number of keys walked. *rc is set to 0           the walk reached the
 * end of the map -EAGAIN     the walk ended at `max_keys` or at `limit_ns` -ESTALE     the walk began anew, because the
 * map changed (get_next_key of a deleted key gives the first key) -ECANCELED  *stop was set or to another negative
 * errno. */
uint32_t bpftop_walk_keys(int fd, uint32_t key_bytes, uint32_t max_keys, uint32_t stored_keys, unsigned char *keys,
			  uint64_t limit_ns, const int *stop, int *rc);

#endif
