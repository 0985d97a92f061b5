/* SPDX-License-Identifier: Apache-2.0 */
/* Maps that are made, and maps of others that are opened for reading only: the kernel itself refuses every write
 * through such a file descriptor. By bpf(2), because libbpf 1.0 has no open flags for an id. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int bpftop_create_map(uint32_t type, const char *name, uint32_t key_bytes, uint32_t value_bytes, uint32_t max_entries,
		      uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return bpf_map_create(type, name, key_bytes, value_bytes, max_entries, &opts);
}

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

/* Walk the keys of a map, at most `most` of them and for at most `limit_ns`, and keep the first `kept`. Returns how
 * many there were. *rc: 0 the end was reached, -EAGAIN it was not, -ESTALE the map changed meanwhile and the walk began
 * anew (a key that is gone is followed by the first one), -ECANCELED it was stopped, or another errno. `keys` has room
 * for `kept` + 2. */
uint32_t bpftop_walk_keys(int fd, uint32_t key_bytes, uint32_t most, uint32_t kept, unsigned char *keys,
			  uint64_t limit_ns, const int *stop, int *rc)
{
	unsigned char *spare[2] = { keys + (size_t)kept * key_bytes, keys + (size_t)(kept + 1) * key_bytes };
	unsigned char *key = NULL, *next;
	uint32_t found;
	struct timespec now, end;

	*rc = -EAGAIN;
	clock_gettime(CLOCK_MONOTONIC, &end);
	limit_ns += (uint64_t)end.tv_sec * 1000000000 + (uint64_t)end.tv_nsec;
	for (found = 0; found < most; found++, key = next) {
		next = found < kept ? keys + (size_t)found * key_bytes : spare[found & 1];
		*rc = bpf_map_get_next_key(fd, key, next);
		if (*rc)
			break;
		if (found && kept && !memcmp(next, keys, key_bytes)) {
			*rc = -ESTALE;
			return found;
		}
		if (__atomic_load_n(stop, __ATOMIC_RELAXED)) {
			*rc = -ECANCELED;
			return found;
		}
		if ((found & 255) == 255) {
			clock_gettime(CLOCK_MONOTONIC, &now);
			if ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec > limit_ns)
				break;
		}
	}
	if (*rc == -ENOENT)
		*rc = 0;
	else if (!*rc)
		*rc = -EAGAIN;
	return found;
}
