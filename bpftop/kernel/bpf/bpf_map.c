/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf_map.h"
#include "clock.h"
#include "stop_flag.h"

#define KEYS_PER_CLOCK_READING 256

int bpftop_create_map(uint32_t type, const char *name, uint32_t key_bytes, uint32_t value_bytes, uint32_t max_entries,
		      uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(type, name, key_bytes, value_bytes, max_entries, &opts);
}

/* By bpf(2), because libbpf 1.0 takes no open flags for an id. With BPF_F_RDONLY the kernel refuses every write. */
static int open_read_only(int command, union bpf_attr *attributes)
{
	int fd = (int)syscall(__NR_bpf, command, attributes, sizeof(*attributes));

	return fd < 0 ? -errno : fd;
}

int bpftop_map_by_id(uint32_t id)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.map_id = id;
	attributes.open_flags = BPF_F_RDONLY;
	return open_read_only(BPF_MAP_GET_FD_BY_ID, &attributes);
}

int bpftop_map_by_path(const char *path)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.pathname = (uintptr_t)path;
	attributes.file_flags = BPF_F_RDONLY;
	return open_read_only(BPF_OBJ_GET, &attributes);
}

uint32_t bpftop_walk_keys(int fd, uint32_t key_bytes, uint32_t max_keys, uint32_t stored_keys, unsigned char *keys,
			  uint64_t limit_ns, const int *stop, int *rc)
{
	unsigned char *spare[2] = { keys + (size_t)stored_keys * key_bytes,
				    keys + (size_t)(stored_keys + 1) * key_bytes };
	unsigned char *key = NULL, *next;
	uint64_t end_ns = monotonic_ns() + limit_ns;
	uint32_t count;

	*rc = -EAGAIN;
	for (count = 0; count < max_keys; count++, key = next) {
		next = count < stored_keys ? keys + (size_t)count * key_bytes : spare[count & 1];
		*rc = bpf_map_get_next_key(fd, key, next);
		if (*rc)
			break;
		if (count && stored_keys && !memcmp(next, keys, key_bytes)) {
			*rc = -ESTALE;
			return count;
		}
		if (stop_requested(stop)) {
			*rc = -ECANCELED;
			return count;
		}
		if (count % KEYS_PER_CLOCK_READING == KEYS_PER_CLOCK_READING - 1 && monotonic_ns() > end_ns)
			break;
	}
	if (*rc == -ENOENT)
		*rc = 0;
	else if (!*rc)
		*rc = -EAGAIN;
	return count;
}
